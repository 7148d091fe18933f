import { type Change, type Grant, OWN_PROVIDER } from '@centrali-io/protocol';
import type {
  AccountRecord,
  CredentialRecord,
  MemberKey,
  MemberRecord,
  StoreView,
  WorkspaceRecord,
} from '../store/port.ts';
import type { DecisionState, TokenFacts } from './decide.ts';
import { RevocationIndex } from './revocations.ts';

/** Entries that each table of the memory holds at most; a full one is emptied. */
const MAX_ENTRIES = 20_000;

/** Feed rows that are read at once to bring the memory up to date; a longer way is a fresh start. */
const MAX_CATCH_UP = 1_000;

const memberKey = ({ workspace, provider, sub }: MemberKey): string => `${workspace} ${provider} ${sub}`;

/**
 * Reads what decisions look at. What it read before is kept as long as no change touches it: each batch
 * begins, within its read of the store, with the changes since the last one. So an answer is never older
 * than the state at that moment, whichever process changed it.
 */
export class DecisionReader {
  #epoch = '';
  #revision = -1;
  readonly #workspaces = new Map<string, WorkspaceRecord | undefined>();
  readonly #providers = new Map<string, ReadonlySet<string>>();
  readonly #roles = new Map<string, ReadonlyMap<string, readonly Grant[]>>();
  readonly #accounts = new Map<string, AccountRecord | undefined>();
  readonly #credentials = new Map<string, CredentialRecord | undefined>();
  readonly #members = new Map<string, MemberRecord | undefined>();
  #withdrawnKeys: ReadonlySet<string> | undefined;
  #revocations: RevocationIndex | undefined;

  /** The states for the requests, in their order, all of one moment. */
  async read(view: StoreView, requests: readonly TokenFacts[], now: number): Promise<readonly DecisionState[]> {
    await this.#catchUp(view);
    const services = requests.filter(({ provider, sub }) => provider === OWN_PROVIDER && sub.startsWith('ci_'));
    const creds = requests.flatMap(({ provider, cred }) => (provider === OWN_PROVIDER && cred ? [cred] : []));
    for (const { workspace } of requests) {
      if (!this.#workspaces.has(workspace)) this.#workspaces.set(workspace, await view.workspaces.get(workspace));
      if (!this.#providers.has(workspace))
        this.#providers.set(workspace, new Set((await view.providers.list(workspace)).map(({ record }) => record.id)));
      if (!this.#roles.has(workspace))
        this.#roles.set(
          workspace,
          new Map((await view.roles.list(workspace)).map(({ name, grants }) => [name, grants])),
        );
    }
    await fill(
      this.#accounts,
      services.map(({ sub }) => sub),
      async (missing) => {
        const found = await view.accounts.byClientIds(missing);
        return new Map(found.map((account) => [account.clientId, account]));
      },
    );
    await fill(this.#credentials, creds, async (missing) => {
      const found = await view.credentials.byCreds(missing);
      return new Map(found.map((credential) => [credential.cred, credential]));
    });
    const members = new Map(requests.map((request) => [memberKey(request), request]));
    await fill(this.#members, [...members.keys()], async (missing) => {
      const wanted = missing.flatMap((key) => members.get(key) ?? []);
      return new Map((await view.members.getMany(wanted)).map((member) => [memberKey(member), member]));
    });
    this.#withdrawnKeys ??= new Set(
      (await view.signingKeys.list()).filter(({ withdrawnAt }) => withdrawnAt !== null).map(({ kid }) => kid),
    );
    const revocations = await this.revocations(view, now);
    const shared = { revision: this.#revision, now, withdrawnKeys: this.#withdrawnKeys, revocations };
    const states = requests.map((request): DecisionState => {
      const own = request.provider === OWN_PROVIDER;
      return {
        ...shared,
        workspace: this.#workspaces.get(request.workspace),
        providers: this.#providers.get(request.workspace) ?? new Set(),
        customRoles: this.#roles.get(request.workspace) ?? new Map(),
        account: own ? this.#accounts.get(request.sub) : undefined,
        credential: own && request.cred !== undefined ? this.#credentials.get(request.cred) : undefined,
        member: this.#members.get(memberKey(request)),
      };
    });
    this.#bound();
    return states;
  }

  /** The revocations that can still end a token. */
  async revocations(view: StoreView, now: number): Promise<RevocationIndex> {
    await this.#catchUp(view);
    this.#revocations ??= new RevocationIndex((await view.revocations.live(now)).map(({ revocation }) => revocation));
    return this.#revocations;
  }

  async #catchUp(view: StoreView): Promise<void> {
    const head = await view.feed.head();
    if (head.epoch === this.#epoch && head.revision === this.#revision) return;
    const rows = head.epoch === this.#epoch ? await view.feed.after(this.#revision, MAX_CATCH_UP) : undefined;
    if (!rows || rows.length === MAX_CATCH_UP) this.#forget();
    else for (const { change } of rows) this.#apply(change);
    this.#epoch = head.epoch;
    this.#revision = head.revision;
  }

  #apply(change: Change): void {
    switch (change.kind) {
      case 'workspace':
        this.#workspaces.delete(change.workspace);
        break;
      case 'role':
        this.#roles.delete(change.workspace);
        // A deleted role is taken from its holders, who are not named: remembered ones would hold a later namesake.
        this.#members.clear();
        this.#accounts.clear();
        break;
      case 'account':
        this.#accounts.delete(change.clientId);
        // A deleted account takes its credentials along without naming them.
        this.#credentials.clear();
        break;
      case 'credential':
        this.#credentials.delete(change.cred);
        break;
      case 'member':
        this.#members.delete(memberKey(change));
        break;
      case 'provider':
        this.#providers.clear();
        break;
      case 'key':
        this.#withdrawnKeys = undefined;
        break;
      case 'revocation':
      case 'revocation-lifted':
        this.#revocations = undefined;
    }
  }

  #forget(): void {
    for (const table of this.#tables()) table.clear();
    this.#withdrawnKeys = undefined;
    this.#revocations = undefined;
  }

  /** Only after the states were taken, so that a batch never empties what it has just read. */
  #bound(): void {
    for (const table of this.#tables()) if (table.size > MAX_ENTRIES) table.clear();
  }

  #tables(): readonly Map<string, unknown>[] {
    return [this.#workspaces, this.#providers, this.#roles, this.#accounts, this.#credentials, this.#members];
  }
}

/** Reads the missing keys at once; what is not found is remembered as absent. */
async function fill<T>(
  table: Map<string, T | undefined>,
  keys: readonly string[],
  read: (missing: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): Promise<void> {
  const missing = [...new Set(keys)].filter((key) => !table.has(key));
  if (missing.length === 0) return;
  const found = await read(missing);
  for (const key of missing) table.set(key, found.get(key));
}
