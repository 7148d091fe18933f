import { createHash } from 'node:crypto';
import type { Allowed, Decided, Question } from './question.ts';

/** Most decisions that are kept. */
const MAX_ENTRIES = 20_000;

/**
 * What IAM has allowed, by everything that it was asked with. Denials are not kept. Bounded: what was not
 * asked for longest goes first. Whether an entry still holds is not known here: whoever asks compares it with
 * the newest changes.
 */
export class DecisionCache {
  readonly #max: number;
  /** What was asked for longest ago is first. */
  readonly #entries = new Map<string, Decided<Allowed>>();

  constructor(max = MAX_ENTRIES) {
    this.#max = max;
  }

  /** The decision under a key, if there is one. */
  get(key: string): Decided<Allowed> | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  set(key: string, decided: Decided<Allowed>): void {
    this.#entries.delete(key);
    this.#entries.set(key, decided);
    if (this.#entries.size <= this.#max) return;
    const [oldest = ''] = this.#entries.keys();
    this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}

/** The key of a question: a hash of all its members, since the question itself may be as long as a token. */
export function keyOfQuestion(question: Question): string {
  const { workspace, permission, provider, sub, clientId, jti, iat, kid, cred, sid, scope, mappedRoles } = question;
  const names = Object.keys(question.attributes).sort();
  const attributes = names.map((name) => [name, question.attributes[name]]);
  const text = JSON.stringify([
    workspace,
    permission,
    provider,
    sub,
    clientId ?? null,
    jti ?? null,
    iat,
    kid,
    cred ?? null,
    sid ?? null,
    scope,
    mappedRoles,
    attributes,
  ]);
  return createHash('sha256').update(text).digest('base64url');
}
