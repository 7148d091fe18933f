/** For tests: the access side of open streams over an IAM and a delivery that a test holds in its hand. */
import type { Change, CheckAnswer, CheckRequest, Grant, ProviderRecord } from '@centrali-io/protocol';
import { FakeEffects } from '../delivery/fixtures/fake-effects.ts';
import type { StreamEnding } from '../delivery/port.ts';
import type { Access } from './access.ts';
import type { Bound } from './bound.ts';
import { AccessEnds } from './ends.ts';
import { NewestChanges } from './newest-changes.ts';
import { Revocations } from './revocations.ts';
import type { TokenFacts } from './subject.ts';

/** What a test says of a stream. */
export interface Sketch extends Partial<Omit<TokenFacts, 'claims'>> {
  readonly workspace?: string;
  readonly provider?: string;
  readonly sub?: string;
  readonly roles?: readonly string[];
  readonly grants?: readonly Partial<Grant>[];
  readonly revision?: number;
  readonly generation?: number;
  readonly askedAt?: number;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** The access of a stream. */
export function accessOf(sketch: Sketch = {}): Access {
  const { workspace = 'acme', provider = 'centrali', sub = 'u1', roles = ['viewer'], grants = [{}] } = sketch;
  const { revision = 1, generation = 1, askedAt = 0, ...token } = sketch;
  return {
    workspace,
    permission: 'realtime:subscribe',
    principal: { provider, kind: 'user', sub },
    grants: grants.map((grant) => ({ permission: 'realtime:subscribe', ...grant })),
    roles,
    permissions: [],
    revision,
    generation,
    askedAt,
    placeholders: new Map(),
    token: {
      kid: 'k1',
      iat: 10,
      expiresAt: 1e15,
      scope: [],
      mappedRoles: [],
      attributes: {},
      claims: {},
      ...token,
    },
  };
}

/** What IAM answers; the revision is added. */
export type Verdict =
  | { readonly decision: 'allowed'; readonly grants?: readonly Partial<Grant>[]; readonly roles?: readonly string[] }
  | { readonly decision: 'forbidden' | 'revoked'; readonly reason: string };

/** The access side with everything around it. */
export class EndsWorld {
  readonly effects = new FakeEffects();
  readonly feed = {
    revision: 1,
    generation: 1,
    isLive: true,
    lastFrameAt: this.effects.time,
    newest: new NewestChanges(),
    revocations: new Revocations(() => this.effects.now()),
    withdrawn: new Set<string>(),
    isWithdrawn: (kid: string): boolean => this.feed.withdrawn.has(kid),
  };
  readonly ended: { id: string; code: string; reason: string }[] = [];
  readonly redecided: { id: string; access: Access; told: string }[] = [];
  readonly lags: number[] = [];
  /** The calls of IAM. */
  readonly calls: (readonly CheckRequest[])[] = [];
  verdict: (request: CheckRequest) => Verdict | CheckAnswer = () => ({ decision: 'allowed' });
  /** What a call waits for before it is answered, or fails with. */
  gate: () => Promise<void> = async () => {};
  readonly #bounds = new Map<string, Bound>();
  #count = 0;
  readonly ends: AccessEnds = new AccessEnds({
    feed: this.feed,
    effects: this.effects,
    decisions: {
      check: async (requests) => {
        this.calls.push(requests);
        await this.gate();
        return requests.map((request) => this.#answer(request));
      },
    },
    delivery: {
      end: (id, ending) => this.#end(id, ending),
      redecide: (id, access, told) => {
        this.redecided.push({ id, access, told });
        return true;
      },
    },
    onLag: (milliseconds) => this.lags.push(milliseconds),
  });

  #answer(request: CheckRequest): CheckAnswer {
    const verdict = this.verdict(request);
    if ('revision' in verdict) return verdict;
    const { revision } = this.feed;
    if (verdict.decision !== 'allowed') return { ...verdict, revision };
    return {
      decision: 'allowed',
      revision,
      principal: { provider: request.provider, kind: 'user', sub: request.sub },
      grants: (verdict.grants ?? [{}]).map((grant) => ({ permission: request.permission, ...grant })),
      roles: verdict.roles ?? ['viewer'],
      permissions: [],
    };
  }

  #end(id: string, ending: StreamEnding): boolean {
    const bound = this.#bounds.get(id);
    if (ending.kind !== 'error' || !bound || bound.over) return false;
    this.ended.push({ id, code: ending.code, reason: ending.reason });
    this.ends.release(bound);
    ending.said?.();
    return true;
  }

  /** Binds a stream without telling its name. */
  bind(sketch: Sketch = {}): Bound {
    const bound = this.ends.bind(accessOf({ askedAt: this.effects.time, ...sketch }));
    if (!bound) throw new Error('The access does not hold.');
    return bound;
  }

  /** Opens a stream; its name is its place in the order of opening: `cn_1`, … */
  open(sketch: Sketch = {}): Bound {
    const bound = this.bind(sketch);
    const id = `cn_${++this.#count}`;
    this.#bounds.set(id, bound);
    this.ends.opened(bound, id);
    return bound;
  }

  /** A change that the feed tells of, with the next revision. */
  change(change: Change): void {
    const revision = ++this.feed.revision;
    this.feed.lastFrameAt = this.effects.time;
    this.feed.newest.note(change, revision);
    this.ends.apply(change, revision);
  }

  /** A snapshot with what is in `feed`. */
  snapshot(revision: number, sameEpoch: boolean, providers: readonly ProviderRecord[] = []): void {
    if (!sameEpoch) this.feed.generation += 1;
    this.feed.revision = revision;
    this.feed.newest.reset(revision);
    this.feed.lastFrameAt = this.effects.time;
    this.ends.replace(revision, sameEpoch, providers);
  }
}
