import type { ProviderRecord, RevocationRecord } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import { recordRevocation } from '../decisions/record-revocation.ts';
import type { IamServices, RequestContext } from '../services.ts';
import type { Ending, Signal } from './signal.ts';

/** Revocations that may be live in one workspace before signals are no longer taken: they go into every gateway's memory. */
export const MAX_LIVE_REVOCATIONS = 20_000;

/** Where a signal came in. */
export interface SignalPlace {
  readonly workspace: string;
  readonly provider: ProviderRecord;
  /** What its `jti` is unique among: each kind of signal is counted for itself. */
  readonly kind: 'set' | 'logout';
  readonly context: RequestContext;
}

/** What became of a signal: tokens were ended, its `jti` had come before, or there was nothing left to end. */
export type SignalEffect = 'ended' | 'replayed' | 'nothing';

/**
 * Ends what a verified signal says, in this workspace alone, as revocations that are kept until the last token
 * that they end is dead. A `jti` has its effect once. What is ended already is not ended again.
 *
 * @throws Refusal NOT_FOUND when the provider has gone meanwhile; RATE_LIMIT_EXCEEDED past the bound
 */
export async function applySignal(
  services: Pick<IamServices, 'store' | 'now' | 'revocations'>,
  { workspace, provider, kind, context }: SignalPlace,
  signal: Signal,
): Promise<SignalEffect> {
  const { store, now } = services;
  const live = await services.revocations();
  const isEnded = ({ subject, second }: Ending): boolean =>
    live.find({ workspace, provider: provider.id, sub: '', ...subject, iat: second }) !== undefined;
  return await store.transaction(async (tx) => {
    const at = now();
    const stored = await tx.providers.get(provider.id);
    if (!stored?.record.workspaces.includes(workspace)) throw new Refusal('NOT_FOUND', 'provider_unknown');
    if (signal.jtiUntil <= at) return 'nothing';
    const isFirst = await tx.usedJtis.take(`${kind} ${provider.id} ${workspace}`, signal.jti, signal.jtiUntil);
    if (!isFirst) return 'replayed';
    let effect: SignalEffect = 'nothing';
    for (const ending of signal.endings) {
      const { event, subject, second } = ending;
      const expiresAt = (second + provider.maxLifetimeSeconds + 1) * 1_000;
      if (expiresAt <= at || isEnded(ending)) continue;
      if ((await tx.revocations.count(workspace, at)) >= MAX_LIVE_REVOCATIONS)
        throw new Refusal('RATE_LIMIT_EXCEEDED', 'revocations_too_many', { retryAfter: 60 });
      const revocation: RevocationRecord = { workspace, provider: provider.id, ...subject, notBefore: second };
      await recordRevocation(tx, {
        revocation,
        expiresAt,
        audit: {
          workspace,
          at,
          action: `signal.${event}`,
          target: subject.sub ?? subject.sid ?? '',
          provider: provider.id,
          jti: signal.jti,
          address: context.address,
          requestId: context.id,
          detail: { by: Object.keys(subject).join(' and '), notBefore: second },
        },
      });
      effect = 'ended';
    }
    return effect;
  });
}
