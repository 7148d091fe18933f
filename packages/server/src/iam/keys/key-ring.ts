import { type CryptoKey, importJWK } from 'jose';
import { Refusal } from '../../resource-server/index.ts';
import { auditOf, SYSTEM } from '../audit/actor.ts';
import type { Actor } from '../services.ts';
import type { Jwk, SigningKeyRecord, Store, StoreTransaction } from '../store/port.ts';
import { generateSigningKey, type SigningAlgorithm } from './algorithm.ts';
import { isForgettable, isPublished, jwksMaxAgeSeconds, PUBLISH_LEAD_SECONDS, signingKeyAt } from './schedule.ts';

/** A key that is about to sign. */
export interface Signer {
  readonly kid: string;
  readonly alg: string;
  readonly key: CryptoKey;
}

/** Options of `openKeyRing`. */
export interface KeyRingOptions {
  readonly store: Store;
  readonly algorithm: SigningAlgorithm;
  /** No token of ours lives longer, in seconds: a key stays published so long after its last signature. */
  readonly longestLifetimeSeconds: number;
  /** From the publication of a key to its first signature, in seconds. Default 360. */
  readonly publishLeadSeconds?: number;
  /** Keys that are published at once at most: verifiers bound the sets that they read. Default 32. */
  readonly maxPublished?: number;
  readonly now: () => number;
}

/** The signing keys: one signs, the next one is published before, the last ones stay until their tokens are dead. */
export interface KeyRing {
  signer(): Promise<Signer>;
  /** The key set (RFC 7517 section 5), without private members. */
  jwks(): { readonly keys: readonly Jwk[] };
  /** How long a cache may keep the key set, in seconds. */
  readonly maxAgeSeconds: number;
  /** The keys without their private members, withdrawn and retired ones too. */
  list(): readonly Omit<SigningKeyRecord, 'privateJwk'>[];
  /** Publishes a new key that signs once every cache can know it. Throws `CONFLICT` when too many are published. */
  rotate(actor: Actor): Promise<{ readonly kid: string; readonly signFrom: number }>;
  /** Every token of the key is dead from now on; a new key takes over at once if it was the one that signs. */
  withdraw(kid: string, actor: Actor): Promise<{ readonly revision: number } | undefined>;
  /** Forgets keys on which nothing depends any more. */
  prune(): Promise<void>;
  close(): void;
}

/** Reads the keys and makes the first one; a key of another algorithm than configured is rotated out. */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { store, algorithm, now, publishLeadSeconds = PUBLISH_LEAD_SECONDS, maxPublished = 32 } = options;
  const longest = (options.longestLifetimeSeconds + 60) * 1_000;
  const imported = new Map<string, Promise<CryptoKey>>();
  let keys: readonly SigningKeyRecord[] = [];

  const reload = async (): Promise<void> => {
    keys = await store.read((view) => view.signingKeys.list());
    for (const kid of imported.keys()) if (!keys.some((key) => key.kid === kid)) imported.delete(kid);
  };

  /** Adds a key and tells the others when they may go. */
  const add = async (tx: StoreTransaction, generated: Awaited<ReturnType<typeof generateSigningKey>>, actor: Actor) => {
    const at = now();
    const present = await tx.signingKeys.list();
    if (present.filter((key) => isPublished(key, at)).length >= maxPublished)
      throw new Refusal('CONFLICT', 'keys_too_many', {
        message: 'Too many keys are published; wait until one retires.',
      });
    const signing = signingKeyAt(present, at);
    const signFrom = signing ? at + publishLeadSeconds * 1_000 : at;
    await tx.signingKeys.insert({
      ...generated,
      alg: algorithm,
      createdAt: at,
      signFrom,
      retireAt: null,
      withdrawnAt: null,
    });
    for (const key of present)
      if (key.retireAt === null && key.withdrawnAt === null)
        await tx.signingKeys.update(key.kid, { retireAt: signFrom + longest });
    const revision = await tx.recordChange(
      { kind: 'key', kid: generated.kid, withdrawn: false },
      { ...auditOf(actor, at), workspace: null, action: 'key.publish', target: generated.kid },
    );
    return { kid: generated.kid, signFrom, revision };
  };

  /** Makes a key unless one of the configured algorithm signs now or soon. */
  const ensure = async (): Promise<void> => {
    const fits = (present: readonly SigningKeyRecord[]): boolean =>
      signingKeyAt(present, now()) !== undefined &&
      present.some((key) => key.alg === algorithm && key.retireAt === null && key.withdrawnAt === null);
    if (fits(keys)) return;
    const generated = await generateSigningKey(algorithm);
    await store.transaction(async (tx) => {
      if (!fits(await tx.signingKeys.list())) await add(tx, generated, SYSTEM);
    });
    await reload();
  };

  await reload();
  await ensure();
  const stop = store.onChange(() => {
    // A read that fails leaves the keys that are known; the next change reads again.
    void reload().catch(() => {});
  });

  return {
    async signer() {
      let key = signingKeyAt(keys, now());
      if (!key) {
        await ensure();
        key = signingKeyAt(keys, now());
      }
      if (!key) throw new Error('No key can sign.');
      let pending = imported.get(key.kid);
      if (!pending) {
        pending = importJWK(key.privateJwk, key.alg) as Promise<CryptoKey>;
        imported.set(key.kid, pending);
      }
      return { kid: key.kid, alg: key.alg, key: await pending };
    },
    jwks: () => ({ keys: keys.filter((key) => isPublished(key, now())).map((key) => key.publicJwk) }),
    maxAgeSeconds: jwksMaxAgeSeconds(publishLeadSeconds),
    list: () => keys.map(({ privateJwk: _private, ...key }) => key),
    async rotate(actor) {
      const generated = await generateSigningKey(algorithm);
      const { kid, signFrom } = await store.transaction((tx) => add(tx, generated, actor));
      await reload();
      return { kid, signFrom };
    },
    async withdraw(kid, actor) {
      const revision = await store.transaction(async (tx) => {
        const at = now();
        const key = (await tx.signingKeys.list()).find((candidate) => candidate.kid === kid);
        if (!key) return undefined;
        await tx.signingKeys.update(kid, { withdrawnAt: key.withdrawnAt ?? at });
        return tx.recordChange(
          { kind: 'key', kid, withdrawn: true },
          { ...auditOf(actor, at), workspace: null, action: 'key.withdraw', target: kid },
        );
      });
      if (revision === undefined) return undefined;
      await reload();
      await ensure();
      return { revision };
    },
    async prune() {
      await store.transaction(async (tx) => {
        for (const key of await tx.signingKeys.list())
          if (isForgettable(key, now(), longest)) await tx.signingKeys.delete(key.kid);
      });
      await reload();
    },
    close: stop,
  };
}
