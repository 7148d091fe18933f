/** Publishes the earthquakes at a pace, as a service account. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CentraliSDK } from '@centrali-io/centrali-sdk';
import { earthquakes } from './data.mjs';

/** At most this many requests a second; above it, several events share one. */
const REQUESTS_PER_SECOND = 10;

/**
 * Publishes all earthquakes, `pace` a second. Resolves when they are stored or `signal` says stop;
 * `onProgress` is told how many are.
 */
export async function publish({ baseUrl, workspace, clientId, clientSecret }, { pace, signal, onProgress }) {
  const centrali = new CentraliSDK({ baseUrl, workspaceId: workspace, clientId, clientSecret });
  const run = crypto.randomUUID();
  const all = earthquakes();
  const size = Math.max(1, Math.round(pace / REQUESTS_PER_SECOND));
  const started = performance.now();
  for (let done = 0; done < all.length && !signal.aborted; ) {
    const batch = all.slice(done, done + size);
    // The key makes it safe to send the batch again when the answer to it was lost.
    await patiently(() => centrali.realtime.publish(batch, { idempotencyKey: `${run}-${done}` }), signal);
    done += batch.length;
    onProgress(done, all.length);
    const wait = started + (done / pace) * 1000 - performance.now();
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => {});
  }
}

/** Repeats what failed for a passing reason, as the error says itself. */
async function patiently(attempt, signal) {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!error.recoverable || signal.aborted) throw error;
      console.error(`${error.code}: ${error.message} Trying again.`);
      await sleep(error.retryAfterMs ?? 1000, undefined, { signal }).catch(() => {});
    }
  }
}
