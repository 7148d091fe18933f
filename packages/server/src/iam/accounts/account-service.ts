import { auditOf } from '../audit/actor.ts';
import type { AccountGuard, AccountService, Actor } from '../services.ts';
import type { AccountRecord, CredentialRecord, NewAuditRow, Store, StoreTransaction } from '../store/port.ts';
import { readClientKeys } from './client-keys.ts';
import { hashSecret, newClientId, newClientSecret, newCredentialName, type RandomBytes } from './secret.ts';

/** What the service stands on. */
export interface AccountDependencies {
  readonly store: Store;
  readonly now: () => number;
  readonly randomBytes: RandomBytes;
}

/** Service accounts and their credentials over the store. */
export function createAccountService({ store, now, randomBytes }: AccountDependencies): AccountService {
  /** Runs `change` on an account that exists, after the guard; undefined when there is none. */
  const onAccount = <T>(
    workspace: string,
    id: number,
    guard: AccountGuard | undefined,
    change: (tx: StoreTransaction, account: AccountRecord) => Promise<T>,
  ): Promise<T | undefined> =>
    store.transaction(async (tx) => {
      const account = await tx.accounts.get(workspace, id);
      if (!account) return undefined;
      await guard?.(tx, account);
      return await change(tx, account);
    });

  const record = (tx: StoreTransaction, account: Omit<AccountRecord, 'id'>, actor: Actor, action: string) =>
    tx.recordChange(
      { kind: 'account', workspace: account.workspace, clientId: account.clientId },
      row(account, actor, action, now()),
    );

  const addSecret = async (tx: StoreTransaction, clientId: string): Promise<string> => {
    const secret = newClientSecret(randomBytes);
    await tx.credentials.insert({
      cred: newCredentialName(randomBytes),
      clientId,
      kind: 'secret',
      hash: hashSecret(secret, store.pepper),
      createdAt: now(),
      validUntil: null,
    });
    return secret;
  };

  return {
    create({ workspace, name, description, roles = [] }, actor, guard) {
      return store.transaction(async (tx) => {
        const draft = {
          workspace,
          clientId: newClientId(randomBytes),
          name,
          description: description ?? null,
          roles,
          disabled: false,
          createdAt: now(),
        };
        await guard?.(tx, draft);
        const account = { id: await tx.accounts.insert(draft), ...draft };
        const clientSecret = await addSecret(tx, account.clientId);
        return { account, clientSecret, revision: await record(tx, account, actor, 'service-account.create') };
      });
    },

    rotate(workspace, id, graceSeconds, actor, guard) {
      return onAccount(workspace, id, guard, async (tx, account) => {
        const previousValidUntil = now() + graceSeconds * 1_000;
        const secrets = (await tx.credentials.ofClient(account.clientId)).filter(({ kind }) => kind === 'secret');
        // Two live secrets at most: only the newest of the present ones gets a grace.
        // The one that no rotation has given an end: times alone cannot tell two of one millisecond.
        const newest = secrets.findLast(({ validUntil }) => validUntil === null) ?? secrets.at(-1);
        for (const secret of secrets) {
          const until = secret === newest ? Math.min(previousValidUntil, secret.validUntil ?? Infinity) : now();
          if (until > now()) await tx.credentials.setValidUntil(secret.cred, until);
          else await endCredential(tx, account, secret, actor, 'credential.end', now());
        }
        const clientSecret = await addSecret(tx, account.clientId);
        const revision = await record(tx, account, actor, 'service-account.rotate');
        return { clientSecret, previousValidUntil, revision };
      });
    },

    setDisabled(workspace, id, disabled, actor, guard) {
      return onAccount(workspace, id, guard, async (tx, account) => {
        await tx.accounts.update(account.clientId, { disabled });
        const action = disabled ? 'service-account.disable' : 'service-account.enable';
        return { revision: await record(tx, account, actor, action) };
      });
    },

    delete(workspace, id, actor, guard) {
      return onAccount(workspace, id, guard, async (tx, account) => {
        await tx.accounts.delete(account.clientId);
        return { revision: await record(tx, account, actor, 'service-account.delete') };
      });
    },

    async putKeys(workspace, id, keys, actor, guard) {
      const wanted = await readClientKeys(keys);
      return await onAccount(workspace, id, guard, async (tx, account) => {
        const present = (await tx.credentials.ofClient(account.clientId)).filter((held) => held.kind === 'key');
        const isSame = (held: (typeof present)[number], key: (typeof wanted)[number]): boolean =>
          held.jwk.thumbprint === key.thumbprint && held.jwk.kid === key.kid && held.jwk.alg === key.alg;
        // A key that stays keeps its name, and with it the tokens that it obtained.
        for (const held of present)
          if (!wanted.some((key) => isSame(held, key)))
            await endCredential(tx, account, held, actor, 'credential.end', now());
        for (const key of wanted)
          if (!present.some((held) => isSame(held, key)))
            await tx.credentials.insert({
              cred: newCredentialName(randomBytes),
              clientId: account.clientId,
              kind: 'key',
              jwk: key,
              createdAt: now(),
              validUntil: null,
            });
        return { revision: await record(tx, account, actor, 'service-account.keys') };
      });
    },
  };
}

/** Removes a credential; the change ends the tokens that it obtained. */
export async function endCredential(
  tx: StoreTransaction,
  account: Pick<AccountRecord, 'workspace' | 'clientId'>,
  { cred }: CredentialRecord,
  actor: Actor,
  action: string,
  at: number,
): Promise<void> {
  await tx.credentials.delete(cred);
  await tx.recordChange(
    { kind: 'credential', workspace: account.workspace, cred },
    { ...row(account, actor, action, at), detail: { cred } },
  );
}

function row(
  { workspace, clientId }: Pick<AccountRecord, 'workspace' | 'clientId'>,
  actor: Actor,
  action: string,
  at: number,
): Omit<NewAuditRow, 'kind' | 'revision'> {
  return { ...auditOf(actor, at), workspace, action, target: clientId };
}
