import { type Decisions, OWN_PROVIDER } from '@centrali-io/protocol';
import type { IssuerDirectory, Log } from '../../resource-server/index.ts';
import type { Effects } from '../delivery/effects.ts';
import type { Delivery } from '../delivery/port.ts';
import type { GatewayObserver } from '../observer.ts';
import { ChangeFeed } from './change-feed.ts';
import { DecisionCache } from './decision-cache.ts';
import { DecisionQueue } from './decisions.ts';
import { AccessEnds } from './ends.ts';

/** What `followIam` puts together. */
export interface FollowIamOptions {
  readonly decisions: Pick<Decisions, 'check' | 'changes'>;
  readonly delivery: Pick<Delivery, 'end' | 'redecide'>;
  readonly effects: Effects;
  readonly log: Log;
  /** The issuers of tokens. Made after the feed, which their keys are held against; used once it runs. */
  readonly issuers: () => Pick<IssuerDirectory, 'replaceAll' | 'put' | 'remove' | 'expireKeys' | 'hasKey'>;
  readonly observer?: GatewayObserver | undefined;
  /** Positive decisions that are kept. */
  readonly cachedDecisions?: number | undefined;
}

/** The gateway's side of IAM: what it says, what it has said, and what ends by what it says. */
export interface Followed {
  readonly feed: ChangeFeed;
  readonly decisions: DecisionQueue;
  readonly ends: AccessEnds;
}

/** Longer than a request takes from its token's signature to its stream, in ms. */
const IN_FLIGHT_MS = 10_000;

/** Makes the change feed, which is not started yet, and hands each change to those whom it concerns. */
export function followIam(options: FollowIamOptions): Followed {
  const { decisions, delivery, effects, log, issuers, observer } = options;
  const feed: ChangeFeed = new ChangeFeed({
    decisions,
    log,
    effects,
    onProviders: (providers) => {
      issuers().replaceAll(providers);
      // What was said of their keys while the feed was away is not known.
      for (const { id } of providers) issuers().expireKeys(id);
    },
    onChange: (change, revision) => {
      ends.apply(change, revision);
      if (change.kind === 'key') issuers().expireKeys(OWN_PROVIDER);
      if (change.kind !== 'provider') return;
      if (change.provider === null) return issuers().remove(change.id);
      issuers().put(change.provider);
      // Also how an administrator says that the keys have changed: a removed one must go at once.
      issuers().expireKeys(change.id);
      endMissingKeys(change.id);
    },
    onSnapshot: ({ revision, sameEpoch, providers }) => {
      issuers().expireKeys(OWN_PROVIDER);
      ends.replace(revision, sameEpoch, providers);
      for (const { id } of providers) endMissingKeys(id);
    },
    onLost: () => ends.lost(),
  });
  /** Where the provider has taken back a key, its tokens are dead, and so are their streams. */
  const endMissingKeys = (provider: string): void => {
    const look = (): void => {
      for (const kid of ends.kidsOf(provider))
        void issuers()
          .hasKey(provider, kid)
          .then((is) => is === false && ends.endKey(provider, kid));
    };
    look();
    // And once more for those whose token was verified before, and whose stream was opened after.
    effects.timer(IN_FLIGHT_MS, look);
  };
  const ends: AccessEnds = new AccessEnds({
    feed,
    delivery,
    decisions,
    effects,
    onLag: (milliseconds) => observer?.revoked?.(milliseconds),
    onCall: (...call) => observer?.called?.('streams', ...call),
  });
  return {
    feed,
    ends,
    decisions: new DecisionQueue({
      decisions,
      feed,
      effects,
      cache: new DecisionCache(options.cachedDecisions),
      onCache: (kept) => observer?.decided?.(kept),
      onCall: (...call) => observer?.called?.('connects', ...call),
    }),
  };
}
