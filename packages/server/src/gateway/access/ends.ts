import type { Change, ProviderRecord } from '@centrali-io/protocol';
import { OWN_PROVIDER } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import type { Effects } from '../delivery/effects.ts';
import type { Delivery, StreamEnding } from '../delivery/port.ts';
import { type Access, accessOf } from './access.ts';
import { Bound, provenAt, SPREAD_MS, UNPROVEN_MS } from './bound.ts';
import type { ChangeFeed } from './change-feed.ts';
import { isCurrent } from './decisions.ts';
import { ProviderTerms } from './provider-terms.ts';
import type { Decided } from './question.ts';
import { ReasonIndex } from './reasons.ts';
import { Recheck } from './recheck.ts';
import { refusalOf } from './refusal-of.ts';
import type { Rpc } from './rpc-call.ts';
import { remapped, type Subject } from './subject.ts';

/** What `AccessEnds` is made from. */
export interface AccessEndsOptions extends Omit<Rpc, 'effects'> {
  readonly feed: Pick<
    ChangeFeed,
    'revision' | 'generation' | 'isLive' | 'newest' | 'lastFrameAt' | 'revocations' | 'isWithdrawn'
  >;
  readonly delivery: Pick<Delivery, 'end' | 'redecide'>;
  readonly effects: Effects;
  /** Told of each stream that ended because its access did: milliseconds from the change to its last byte. */
  readonly onLag?: ((milliseconds: number) => void) | undefined;
}

/** How often streams whose reasons are in doubt are looked at, in ms. */
const LOOK_EACH = 50;
/** While the feed is away, a stream whose proof is older than this is asked about, in ms. */
const ASK_AFTER = 2000;

/**
 * Ends streams when their access does, and not before: keeps what each one lives on, finds whom a change
 * touches, ends at once what cannot be mended (revoked, withdrawn, removed), has the rest decided anew, and
 * ends whatever nothing proves within the bound while IAM is out of reach.
 */
export class AccessEnds {
  readonly #options: AccessEndsOptions;
  readonly #index = new ReasonIndex();
  readonly #recheck: Recheck;
  readonly #terms = new ProviderTerms();
  #looking = false;
  #closed = false;

  constructor(options: AccessEndsOptions) {
    this.#options = options;
    this.#recheck = new Recheck({
      ...options,
      onDecided: (bound, decided) => this.#decided(bound, decided),
    });
  }

  /**
   * Whether an access still holds: nothing that was seen since has touched what it was decided by, and it was
   * proved within the bound.
   */
  holds(access: Access): boolean {
    const { feed, effects } = this.#options;
    const { workspace, principal, token, roles, generation, revision } = access;
    const question = { ...token, workspace, provider: principal.provider, sub: principal.sub };
    return (
      isCurrent(feed, question, { generation, answer: { revision, roles } }) &&
      effects.monotonic() - provenAt(access, feed) < UNPROVEN_MS - SPREAD_MS
    );
  }

  /** Whether a denial may be believed: it may come of roles by a mapping that is not the provider's any more. */
  isKnown(subject: Pick<Subject, 'provider' | 'token'>): boolean {
    return subject.token.mapping === undefined || (this.#options.feed.isLive && this.#maps(subject));
  }

  /**
   * Binds a stream that is about to be registered to all its reasons: from now on no change is missed.
   * `undefined` when a change has come since it was decided on, or nothing proves it any more: ask again.
   */
  bind(access: Access): Bound | undefined {
    const { feed, effects } = this.#options;
    if (!this.holds(access)) return undefined;
    this.#mustStillMap(access);
    const bound = new Bound(access, feed, effects.random());
    this.#index.add(bound);
    if (!feed.isLive) this.#look();
    return bound;
  }

  /**
   * Delivery has registered the stream.
   *
   * @throws Refusal when its access has ended meanwhile; then the stream must not be attached
   */
  opened(bound: Bound, connectionId: string): void {
    if (bound.fate) throw bound.fate;
    bound.connectionId = connectionId;
    if (bound.swapped) this.#options.delivery.redecide(connectionId, bound.access, 'silently');
  }

  /** The stream is over, or was not opened. */
  release(bound: Bound): void {
    if (bound.over) return;
    bound.over = true;
    this.#index.remove(bound);
    this.#recheck.drop(bound);
  }

  /**
   * Puts an open stream on another token: its queue is judged by what that may, its end is armed by it.
   * `false` when a change has come since it was decided on: ask again.
   */
  renew(bound: Bound, access: Access): boolean {
    if (!this.holds(access)) return false;
    this.#mustStillMap(access);
    this.#recheck.drop(bound);
    bound.doubtSince = Number.POSITIVE_INFINITY;
    bound.toldAt = Number.POSITIVE_INFINITY;
    this.#put(bound, access, 'renewed');
    return true;
  }

  /** One change of the feed. */
  apply(change: Change, revision: number): void {
    const changed = change.kind === 'provider' && this.#noteProvider(change.id, change.provider);
    if (change.kind === 'revocation-lifted' || (change.kind === 'key' && !change.withdrawn)) return;
    // A list of its own: ending a stream takes it out of the index.
    const touched = [...this.#index.touchedBy(change)].filter(
      (bound) => changed || this.#isBefore(bound, revision) || isOfEarlier(bound, change),
    );
    if (touched.length === 0) return;
    switch (change.kind) {
      case 'revocation':
        return this.#endAll(touched, 'token_revoked');
      case 'key':
        return this.#endAll(touched, 'key_withdrawn');
      case 'provider':
        if (change.provider === null) return this.#endAll(touched, 'provider_removed');
        for (const bound of touched) this.#judge(bound, change.provider, changed);
        return;
      case 'member':
      case 'role':
      case 'account':
      case 'credential':
      case 'workspace':
        for (const bound of touched) this.#doubt(bound);
    }
  }

  /** A snapshot has replaced what the feed knew. What it names ends at once, the rest is decided anew. */
  replace(revision: number, sameEpoch: boolean, providers: readonly ProviderRecord[]): void {
    const { feed } = this.#options;
    const changed = this.#terms.replaceAll(providers);
    for (const bound of [...this.#index.all()]) {
      const { workspace, principal, token } = bound.access;
      const { provider, sub } = principal;
      const own = provider === OWN_PROVIDER;
      const record = own ? undefined : this.#terms.get(provider);
      // What its decision cannot have known: the tokens before, and what the provider says of them.
      if (this.#isEarlierRevoked(bound)) this.#end(bound, invalid('token_revoked'));
      else if (record && changed.has(provider)) this.#judge(bound, record, true);
      else if (sameEpoch && bound.access.revision >= revision) continue;
      else if (own && feed.isWithdrawn(token.kid)) this.#end(bound, invalid('key_withdrawn'));
      else if (!own && !record) this.#end(bound, invalid('provider_removed'));
      else if (feed.revocations.covers({ ...token, workspace, provider, sub }))
        this.#end(bound, invalid('token_revoked'));
      else this.#doubt(bound);
    }
  }

  /** The feed is away: from now on streams have to be proved one by one. At once, for a process that stood still. */
  lost(): void {
    this.#lookNow();
  }

  /** Number of streams that are bound. */
  get size(): number {
    return this.#index.size;
  }

  /** The names of the keys of a provider's tokens that streams live on. */
  kidsOf(provider: string): ReadonlySet<string> {
    return this.#index.kidsOf(provider);
  }

  /** A provider has taken back a key: what it signed ends. */
  endKey(provider: string, kid: string): void {
    this.#endAll([...this.#index.onKey(provider, kid)], 'key_withdrawn');
  }

  /** Number of streams that wait for a decision. */
  get inDoubt(): number {
    return this.#recheck.waiting.size;
  }

  /** Looks after nothing any more. */
  close(): void {
    this.#closed = true;
  }

  /** By other terms the token would have given other roles: its client asks anew. */
  #mustStillMap({ token, principal }: Access): void {
    if (!this.#maps({ provider: principal.provider, token })) throw new Refusal('AUTH_ERROR', 'provider_changed');
  }

  #maps({ provider, token }: Pick<Subject, 'provider' | 'token'>): boolean {
    return token.mapping === undefined || this.#terms.maps(provider, token.mapping);
  }

  /** Whether a stream was decided on before a change, so that the decision does not know it. */
  #isBefore({ access }: Bound, revision: number): boolean {
    return access.generation !== this.#options.feed.generation || access.revision < revision;
  }

  #isEarlierRevoked({ earlier, access: { principal, workspace } }: Bound): boolean {
    const { revocations } = this.#options.feed;
    for (const jti of earlier ?? []) if (revocations.names(principal.provider, jti, workspace)) return true;
    return false;
  }

  #noteProvider(id: string, record: ProviderRecord | null): boolean {
    if (record) return this.#terms.put(record);
    this.#terms.remove(id);
    return true;
  }

  /** What its provider says is judged anew: by other terms the token may be none, or give other roles and attributes. */
  #judge(bound: Bound, provider: ProviderRecord, changed: boolean): void {
    const { access } = bound;
    try {
      // The rights that follow from it come with the decision.
      if (changed) this.#index.swap(bound, { ...access, token: remapped(access.token, access.workspace, provider) });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#end(bound, error);
    }
    this.#doubt(bound);
  }

  #doubt(bound: Bound): void {
    const { feed, effects } = this.#options;
    bound.doubtSince = Math.min(bound.doubtSince, feed.lastFrameAt);
    bound.toldAt = Math.min(bound.toldAt, effects.monotonic());
    this.#recheck.add(bound);
    this.#look();
  }

  #decided(bound: Bound, { answer, generation, askedAt }: Decided): void {
    const { access } = bound;
    if (answer.decision !== 'allowed') return this.#end(bound, refusalOf(answer, access.permission, 'stream'));
    const { principal, token, workspace, permission } = access;
    let next: Access;
    try {
      const subject = { provider: principal.provider, sub: principal.sub, token };
      next = accessOf(subject, workspace, permission, { answer, generation, askedAt });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#end(bound, error);
    }
    bound.doubtSince = Number.POSITIVE_INFINITY;
    bound.toldAt = Number.POSITIVE_INFINITY;
    const same = JSON.stringify(next.grants) === JSON.stringify(access.grants);
    this.#put(bound, same ? { ...next, grants: access.grants } : next, 'silently');
  }

  #put(bound: Bound, access: Access, told: 'renewed' | 'silently'): void {
    const { delivery } = this.#options;
    this.#index.swap(bound, access);
    if (bound.connectionId === undefined) bound.swapped = true;
    else delivery.redecide(bound.connectionId, access, told);
  }

  #endAll(touched: readonly Bound[], reason: string): void {
    const refusal = invalid(reason);
    for (const bound of touched) this.#end(bound, refusal);
  }

  #end(bound: Bound, refusal: Refusal): void {
    const { delivery, effects, onLag } = this.#options;
    const { connectionId, toldAt } = bound;
    bound.fate ??= refusal;
    if (connectionId === undefined) return;
    const since = Math.min(toldAt, effects.monotonic());
    const ending: StreamEnding = {
      kind: 'error',
      code: refusal.code,
      reason: refusal.reason,
      ...(refusal.init.retryAfter === undefined ? {} : { retryAfter: refusal.init.retryAfter }),
      ...(onLag && refusal.code !== 'AUTH_ERROR' ? { said: () => onLag(effects.monotonic() - since) } : {}),
    };
    delivery.end(connectionId, ending);
  }

  /** Looks at what is in doubt, as long as something is. */
  #look(): void {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    this.#options.effects.timer(LOOK_EACH, () => {
      this.#looking = false;
      this.#lookNow();
    });
  }

  #lookNow(): void {
    const { feed, effects } = this.#options;
    const now = effects.monotonic();
    const away = !feed.isLive;
    for (const bound of [...(away ? this.#index.all() : this.#recheck.waiting)]) {
      if (now >= bound.until) this.#end(bound, this.#unproven());
      // An answer proves nothing of a provider's users: see `provenAt`.
      else if (now - bound.provenAt >= ASK_AFTER && isOwn(bound.access)) this.#recheck.add(bound);
    }
    if ((away && this.#index.size > 0) || this.#recheck.waiting.size > 0) this.#look();
  }

  #unproven(): Refusal {
    return new Refusal('AUTH_ERROR', 'authority_lost', { retryAfter: 1 + this.#options.effects.random() * 4 });
  }
}

/** Whether a change ends a token that the stream lived on before: the decision about the present one did not look at it. */
function isOfEarlier({ earlier }: Bound, change: Change): boolean {
  return (
    change.kind === 'revocation' && change.revocation.jti !== undefined && earlier?.has(change.revocation.jti) === true
  );
}

function isOwn({ principal }: Access): boolean {
  return principal.provider === OWN_PROVIDER;
}

function invalid(reason: string): Refusal {
  return new Refusal('INVALID_TOKEN', reason);
}
