import { type Change, OWN_PROVIDER, type RevocationRecord } from '@centrali-io/protocol';
import type { Bound, ReasonGroup } from './bound.ts';
import { endsToken } from './revocations.ts';

/** Most earlier tokens that a stream stays bound to; one that lives an hour on tokens of 5 s has 720. */
const MAX_EARLIER = 1024;

/** Streams by one name of theirs, within a provider. Most names have one stream, which then needs no set. */
class NameTable {
  readonly #providers = new Map<string, Map<string, Bound | Set<Bound>>>();

  add(provider: string, name: string, bound: Bound): void {
    let names = this.#providers.get(provider);
    if (!names) {
      names = new Map();
      this.#providers.set(provider, names);
    }
    const present = names.get(name);
    if (present === undefined) names.set(name, bound);
    else if (present instanceof Set) present.add(bound);
    else if (present !== bound) names.set(name, new Set([present, bound]));
  }

  remove(provider: string, name: string, bound: Bound): void {
    const names = this.#providers.get(provider);
    const present = names?.get(name);
    if (!names || present === undefined) return;
    if (present instanceof Set) {
      present.delete(bound);
      if (present.size > 0) return;
    } else if (present !== bound) return;
    names.delete(name);
    if (names.size === 0) this.#providers.delete(provider);
  }

  get(provider: string, name: string): Iterable<Bound> {
    const present = this.#providers.get(provider)?.get(name);
    if (present === undefined) return [];
    return present instanceof Set ? present : [present];
  }
}

/**
 * From reasons to the streams that live on them. What many streams share (workspace, provider, key, roles)
 * is kept once for all of them; the names of one token or principal are kept under strings that the stream
 * holds anyway. Everything is found within its provider: a bare `sub` or `jti` means nothing.
 */
export class ReasonIndex {
  readonly #groups = new Map<string, ReasonGroup>();
  readonly #workspaces = new Map<string, Set<ReasonGroup>>();
  readonly #tokens = new NameTable();
  readonly #sessions = new NameTable();
  readonly #principals = new NameTable();
  /** Only of tokens whose client is not their principal; the others are found by it. */
  readonly #clients = new NameTable();
  readonly #credentials = new NameTable();
  #size = 0;

  /** Number of streams in the index. */
  get size(): number {
    return this.#size;
  }

  /** Takes a stream in, by what its `access` says. */
  add(bound: Bound): void {
    const { principal, token } = bound.access;
    const { provider, sub } = principal;
    this.#join(bound);
    this.#principals.add(provider, sub, bound);
    if (token.jti !== undefined) this.#tokens.add(provider, token.jti, bound);
    if (token.sid !== undefined) this.#sessions.add(provider, token.sid, bound);
    if (token.cred !== undefined) this.#credentials.add(provider, token.cred, bound);
    if (token.clientId !== undefined && token.clientId !== sub) this.#clients.add(provider, token.clientId, bound);
    this.#size += 1;
  }

  /** Takes it out. Its `access` must be the one that it was added with; `swap` changes it in between. */
  remove(bound: Bound): void {
    const { principal, token } = bound.access;
    const { provider, sub } = principal;
    this.#part(bound);
    this.#principals.remove(provider, sub, bound);
    if (token.jti !== undefined) this.#tokens.remove(provider, token.jti, bound);
    for (const jti of bound.earlier ?? []) this.#tokens.remove(provider, jti, bound);
    if (token.sid !== undefined) this.#sessions.remove(provider, token.sid, bound);
    if (token.cred !== undefined) this.#credentials.remove(provider, token.cred, bound);
    if (token.clientId !== undefined) this.#clients.remove(provider, token.clientId, bound);
    this.#size -= 1;
  }

  /** Puts a stream on other grounds. It stays bound to the tokens that it lived on. */
  swap(bound: Bound, access: Bound['access']): void {
    const { token, roles } = bound.access;
    if (access.token === token && access.roles.join(' ') === roles.join(' ')) {
      bound.access = access;
      return;
    }
    if (token.jti !== undefined && token.jti !== access.token.jti) {
      bound.earlier ??= new Set();
      bound.earlier.add(token.jti);
    }
    this.remove(bound);
    const [oldest = ''] = bound.earlier ?? [];
    if (bound.earlier && bound.earlier.size > MAX_EARLIER) bound.earlier.delete(oldest);
    bound.access = access;
    this.add(bound);
    for (const jti of bound.earlier ?? []) this.#tokens.add(access.principal.provider, jti, bound);
  }

  /** All streams. */
  *all(): Iterable<Bound> {
    for (const group of this.#groups.values()) yield* membersOf(group);
  }

  /** The names of the keys of a provider's tokens. */
  kidsOf(provider: string): ReadonlySet<string> {
    return new Set([...this.#groups.values()].flatMap((group) => (group.provider === provider ? [group.kid] : [])));
  }

  /** The streams on tokens that a key has signed. */
  onKey(provider: string, kid: string): Iterable<Bound> {
    return this.#grouped((group) => group.provider === provider && group.kid === kid);
  }

  /** The streams that live on what a change names. */
  touchedBy(change: Change): Iterable<Bound> {
    switch (change.kind) {
      case 'key':
        return this.onKey(OWN_PROVIDER, change.kid);
      case 'provider':
        return this.#grouped((group) => group.provider === change.id);
      case 'role':
        return this.#grouped((group) => group.roles.includes(change.role), change.workspace);
      case 'workspace':
        return this.#grouped(() => true, change.workspace);
      case 'member':
        return this.#principalsIn(change.workspace, change.provider, change.sub);
      case 'account':
        return this.#principals.get(OWN_PROVIDER, change.clientId);
      case 'credential':
        return this.#credentials.get(OWN_PROVIDER, change.cred);
      case 'revocation':
      case 'revocation-lifted':
    }
    return this.#endedBy(change.revocation);
  }

  *#principalsIn(workspace: string, provider: string, sub: string): Iterable<Bound> {
    for (const bound of this.#principals.get(provider, sub)) if (bound.access.workspace === workspace) yield bound;
  }

  *#endedBy(record: RevocationRecord): Iterable<Bound> {
    for (const bound of this.#named(record)) {
      const { workspace, principal, token } = bound.access;
      const { provider, sub } = principal;
      const { clientId, sid, iat } = token;
      if (endsToken(record, { workspace, provider, sub, clientId, sid, iat })) yield bound;
    }
  }

  *#named({ workspace, provider, jti, sub, clientId, sid }: RevocationRecord): Iterable<Bound> {
    if (jti !== undefined) yield* this.#tokens.get(provider, jti);
    else if (sub !== undefined) yield* this.#principals.get(provider, sub);
    else if (clientId !== undefined) {
      yield* this.#principals.get(provider, clientId);
      yield* this.#clients.get(provider, clientId);
    } else if (sid !== undefined) yield* this.#sessions.get(provider, sid);
    else yield* this.#grouped((group) => group.provider === provider, workspace ?? undefined);
  }

  *#grouped(isMeant: (group: ReasonGroup) => boolean, workspace?: string): Iterable<Bound> {
    const groups = workspace === undefined ? this.#groups.values() : (this.#workspaces.get(workspace) ?? []);
    for (const group of groups) if (isMeant(group)) yield* membersOf(group);
  }

  #join(bound: Bound): void {
    const { workspace, principal, token, roles } = bound.access;
    const key = JSON.stringify([workspace, principal.provider, token.kid, roles]);
    let group = this.#groups.get(key);
    if (!group) {
      group = { key, workspace, provider: principal.provider, kid: token.kid, roles, first: undefined };
      this.#groups.set(key, group);
      const same = this.#workspaces.get(workspace) ?? new Set();
      this.#workspaces.set(workspace, same.add(group));
    }
    bound.group = group;
    bound.nextInGroup = group.first;
    if (group.first) group.first.previousInGroup = bound;
    group.first = bound;
  }

  #part(bound: Bound): void {
    const { group, nextInGroup: next, previousInGroup: previous } = bound;
    if (!group) return;
    if (next) next.previousInGroup = previous;
    if (previous) previous.nextInGroup = next;
    else group.first = next;
    bound.group = undefined;
    bound.nextInGroup = undefined;
    bound.previousInGroup = undefined;
    if (group.first) return;
    this.#groups.delete(group.key);
    const same = this.#workspaces.get(group.workspace);
    same?.delete(group);
    if (same?.size === 0) this.#workspaces.delete(group.workspace);
  }
}

function* membersOf(group: ReasonGroup): Iterable<Bound> {
  for (let bound = group.first; bound; bound = bound.nextInGroup) yield bound;
}
