import type { ProviderMapping, ProviderRecord } from '@centrali-io/protocol';

/** What providers say of the tokens that they vouch for, so that it is noticed when they say something else. */
export class ProviderTerms {
  readonly #records = new Map<string, { readonly record: ProviderRecord; readonly text: string }>();

  /** Takes a provider in, or its new state. Whether tokens that were accepted before have to be judged anew. */
  put(record: ProviderRecord): boolean {
    const { workspaces, issuer, audiences, maxLifetimeSeconds, mapping } = record;
    const text = JSON.stringify([workspaces, issuer, audiences, maxLifetimeSeconds, mapping]);
    const changed = this.#records.get(record.id)?.text !== text;
    this.#records.set(record.id, { record, text });
    return changed;
  }

  remove(id: string): void {
    this.#records.delete(id);
  }

  /** Exactly these from now on. Returns those whose terms have changed. */
  replaceAll(records: readonly ProviderRecord[]): ReadonlySet<string> {
    const ids = new Set(records.map(({ id }) => id));
    for (const id of this.#records.keys()) if (!ids.has(id)) this.#records.delete(id);
    return new Set(records.filter((record) => this.put(record)).map(({ id }) => id));
  }

  /** Whether a provider still has the mapping that was applied to a token. */
  maps(id: string, applied: ProviderMapping): boolean {
    const mapping = this.#records.get(id)?.record.mapping;
    return mapping === applied || JSON.stringify(mapping) === JSON.stringify(applied);
  }

  get(id: string): ProviderRecord | undefined {
    return this.#records.get(id)?.record;
  }
}
