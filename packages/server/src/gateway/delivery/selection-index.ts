import { type FilterLiteral, lookup } from '@centrali-io/protocol';
import type { EventFrame } from './frames.ts';
import type { Term } from './selection.ts';

/** The members that want a value at one path. */
interface Group<Member> {
  readonly key: string;
  readonly path: readonly string[];
  readonly values: Map<FilterLiteral, Entry<Member>>;
}

/** One entry: a member of the index under one of its terms. Entries of one value are a linked list. */
interface Entry<Member> {
  readonly member: Member;
  readonly group: Group<Member>;
  readonly value: FilterLiteral;
  previous: Entry<Member> | undefined;
  next: Entry<Member> | undefined;
}

/** What the index asks of its members. */
export interface Indexed {
  readonly terms: readonly Term[];
  /** The last event for which it was found: a member of two terms is found once. */
  foundFor: EventFrame | undefined;
}

/**
 * Members by the values that they want, so that an event costs by who may want it, not by who listens:
 * one map per path, from value to members; members without a term are found by every event.
 */
export class SelectionIndex<Member extends Indexed> {
  readonly #groups = new Map<string, Group<Member>>();
  readonly #entries = new Map<Member, readonly Entry<Member>[]>();
  readonly #untermed = new Set<Member>();

  add(member: Member): void {
    if (member.terms.length === 0) {
      this.#untermed.add(member);
      return;
    }
    const entries = member.terms.map(({ path, value }) => this.#link(member, path, value));
    this.#entries.set(member, entries);
  }

  #link(member: Member, path: readonly string[], value: FilterLiteral): Entry<Member> {
    const key = path.join('.');
    const group = this.#groups.get(key) ?? { key, path, values: new Map<FilterLiteral, Entry<Member>>() };
    this.#groups.set(key, group);
    const next = group.values.get(value);
    const entry: Entry<Member> = { member, group, value, previous: undefined, next };
    if (next) next.previous = entry;
    group.values.set(value, entry);
    return entry;
  }

  remove(member: Member): void {
    this.#untermed.delete(member);
    for (const { group, value, previous, next } of this.#entries.get(member) ?? []) {
      if (next) next.previous = previous;
      if (previous) previous.next = next;
      else if (next) group.values.set(value, next);
      else group.values.delete(value);
      if (group.values.size === 0) this.#groups.delete(group.key);
    }
    this.#entries.delete(member);
  }

  /** Calls `visit` once for each member that may want the event. */
  find(frame: EventFrame, visit: (member: Member) => void): void {
    for (const { path, values } of this.#groups.values()) {
      const value = lookup(frame.event, path);
      if (value === undefined || (typeof value === 'object' && value !== null)) continue;
      for (let entry = values.get(value as FilterLiteral); entry; entry = entry.next) {
        if (entry.member.foundFor === frame) continue;
        entry.member.foundFor = frame;
        visit(entry.member);
      }
    }
    for (const member of this.#untermed) visit(member);
  }
}
