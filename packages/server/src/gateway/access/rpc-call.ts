import { type CheckAnswer, type CheckRequest, type Decisions, parseCheckAnswers } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import type { Effects } from '../delivery/effects.ts';

/** What a call of IAM is made with. */
export interface Rpc {
  readonly decisions: Pick<Decisions, 'check'>;
  readonly effects: Pick<Effects, 'monotonic' | 'timer'>;
  /** A call that takes longer has failed. Default 2,000 ms. */
  readonly deadlineMs?: number | undefined;
  /** Told of each call: how long it took in ms, and whether there was an answer. */
  readonly onCall?: ((milliseconds: number, answered: boolean) => void) | undefined;
}

/**
 * One call of IAM: as many answers as questions, or a refusal. Whatever is no answer (failure, time-out,
 * garbage, another number of answers) is `AUTH_ERROR`: nobody is let in on a doubt, nobody's token is called
 * invalid for our outage.
 *
 * @throws Refusal `AUTH_ERROR`
 */
export async function callIam(
  { decisions, effects, deadlineMs = 2000, onCall }: Rpc,
  requests: readonly CheckRequest[],
): Promise<readonly CheckAnswer[]> {
  const began = effects.monotonic();
  const deadline = new AbortController();
  let cancel = (): void => {};
  const late = new Promise<never>((_, reject) => {
    cancel = effects.timer(deadlineMs, () => {
      reject(new Refusal('AUTH_ERROR', 'rpc_timeout'));
      deadline.abort();
    });
  });
  let answered = false;
  try {
    // In a function of its own, so that a synchronous throw of an adapter is a failure like any other.
    const call = (async () => decisions.check(requests, deadline.signal))();
    const answers = parseCheckAnswers(await Promise.race([call, late]), requests.length);
    if (!answers) throw new Refusal('AUTH_ERROR', 'rpc_garbage');
    answered = true;
    return answers;
  } catch (error) {
    if (error instanceof Refusal && error.code === 'AUTH_ERROR') throw error;
    throw new Refusal('AUTH_ERROR', 'rpc_failed', { cause: error });
  } finally {
    cancel();
    onCall?.(effects.monotonic() - began, answered);
  }
}
