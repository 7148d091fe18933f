import type { ProviderRecord } from '@centrali-io/protocol';
import type { z } from 'zod';
import type { OutboundGet } from '../../resource-server/index.ts';
import { discover, fetchKeys, ProviderFault } from './discovery.ts';
import type { providerTested } from './schemas.ts';

type TestStep = z.output<typeof providerTested>['steps'][number];

/** Whether the issuer has an OpenID configuration that is its own. */
export async function testDiscovery(get: OutboundGet, { issuer }: ProviderRecord): Promise<TestStep> {
  try {
    await discover(get, issuer);
    return { step: 'discovery', ok: true };
  } catch (error) {
    if (!(error instanceof ProviderFault)) throw error;
    return { step: 'discovery', ok: false, reason: error.reason };
  }
}

/** Whether its key set holds keys that we can use, and which. */
export async function testKeySet(get: OutboundGet, { jwksUri, algorithms }: ProviderRecord): Promise<TestStep> {
  try {
    const keys = await fetchKeys(get, jwksUri, algorithms);
    return { step: 'key-set', ok: true, keys: keys.map(({ kid, alg }) => ({ kid, alg })) };
  } catch (error) {
    if (!(error instanceof ProviderFault)) throw error;
    return { step: 'key-set', ok: false, reason: error.reason };
  }
}
