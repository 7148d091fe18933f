import type { RevocationRecord } from '@centrali-io/protocol';

/** The names and times of a token that a revocation can name. */
export interface Revocable {
  readonly workspace: string;
  readonly provider: string;
  readonly sub: string;
  readonly jti?: string | undefined;
  readonly clientId?: string | undefined;
  readonly sid?: string | undefined;
  /** Seconds since 1970. */
  readonly iat: number;
}

/** So many are taken in between two walks through all that forget what can end no token any more. */
const PRUNE_EACH = 1000;

/** The revocations of the change feed, found by what they name and not by a walk through all. */
export class Revocations {
  readonly #now: () => number;
  readonly #byName = new Map<string, RevocationRecord[]>();
  #added = 0;

  /** `now`: wall clock, ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes one in. */
  add(record: RevocationRecord): void {
    this.#added += 1;
    if (this.#added % PRUNE_EACH === 0) this.#prune();
    const key = keyOf(record);
    const same = this.#byName.get(key);
    if (same) same.push(record);
    else this.#byName.set(key, [record]);
  }

  /** Takes the first one that equals it out. */
  lift(record: RevocationRecord): void {
    const key = keyOf(record);
    const same = this.#byName.get(key) ?? [];
    const at = same.findIndex((other) => isSame(other, record));
    if (at === -1) return;
    same.splice(at, 1);
    if (same.length === 0) this.#byName.delete(key);
  }

  #prune(): void {
    const now = this.#now();
    for (const [key, records] of this.#byName) {
      const live = records.filter(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt > now);
      if (live.length === 0) this.#byName.delete(key);
      else if (live.length < records.length) this.#byName.set(key, live);
    }
  }

  /** How many things are named by them. */
  get size(): number {
    return this.#byName.size;
  }

  /** Exactly these from now on. */
  replaceAll(records: readonly RevocationRecord[]): void {
    this.#byName.clear();
    for (const record of records) this.add(record);
  }

  /** Whether one of them names this token, here. */
  names(provider: string, jti: string, workspace: string): boolean {
    const records = this.#byName.get(`jti ${provider} ${jti}`) ?? [];
    return records.some((record) => record.workspace === null || record.workspace === workspace);
  }

  /** Whether one of them ends this token. */
  covers(token: Revocable): boolean {
    const names = [
      ['jti', token.jti],
      ['sub', token.sub],
      ['clientId', token.clientId],
      ['sid', token.sid],
      ['all', ''],
    ] as const;
    return names.some(([kind, name]) => {
      if (name === undefined) return false;
      return this.#byName.get(`${kind} ${token.provider} ${name}`)?.some((record) => endsToken(record, token)) === true;
    });
  }
}

/** Under the narrowest thing that it names. A provider's id holds no blank. */
function keyOf({ provider, jti, sub, clientId, sid }: RevocationRecord): string {
  if (jti !== undefined) return `jti ${provider} ${jti}`;
  if (sub !== undefined) return `sub ${provider} ${sub}`;
  if (clientId !== undefined) return `clientId ${provider} ${clientId}`;
  if (sid !== undefined) return `sid ${provider} ${sid}`;
  return `all ${provider} `;
}

/** Whether everything fits that the record names, but for a `jti`; `notBefore` includes its second. */
export function endsToken(record: RevocationRecord, token: Omit<Revocable, 'jti'>): boolean {
  return (
    (record.workspace === null || record.workspace === token.workspace) &&
    (record.sub === undefined || record.sub === token.sub) &&
    (record.clientId === undefined || record.clientId === token.clientId) &&
    (record.sid === undefined || record.sid === token.sid) &&
    (record.notBefore === undefined || token.iat <= record.notBefore)
  );
}

function isSame(a: RevocationRecord, b: RevocationRecord): boolean {
  return (['workspace', 'provider', 'jti', 'sub', 'clientId', 'sid', 'notBefore'] as const).every(
    (name) => a[name] === b[name],
  );
}
