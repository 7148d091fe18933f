import type { ProviderMapping } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import { type Authority, grantsOf } from '../admin/authority.ts';
import type { Caller } from '../admin/caller.ts';
import { mustKnowRoles } from '../members/put-member.ts';
import type { StoreView } from '../store/port.ts';
import { ProviderFault } from './discovery.ts';
import { mappedRoleNames } from './mapping.ts';
import { MAX_PROVIDERS } from './schemas.ts';

/** Two spellings of one issuer: `HTTPS://Example.com` and `https://example.com/`. */
const spelling = (url: string): string => new URL(url).href.replace(/\/$/, '');

/** BAD_REQUEST for a URL that is never fetched or never an issuer (OpenID Connect Discovery section 3). */
export function mustBeFetchable(field: string, text: string, allowPrivate: boolean): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const good =
    url && (url.protocol === 'https:' || allowPrivate) && url.username === '' && url.password === '' && url.hash === '';
  if (!good) {
    throw new Refusal('BAD_REQUEST', 'url_refused', {
      message: `${field}: must be an https URL without credentials and fragment.`,
    });
  }
}

/** What a provider's trouble is to the one who adds it: something to correct. */
export function faultRefusal(fault: unknown): Refusal {
  if (!(fault instanceof ProviderFault)) throw fault;
  const field = fault.step === 'discovery' ? 'issuer' : 'jwksUri';
  const what = fault.step === 'discovery' ? 'its OpenID configuration' : 'the key set';
  return new Refusal('BAD_REQUEST', `provider_${fault.reason}`, {
    message: `${field}: ${what} could not be used (${fault.reason}).`,
  });
}

/**
 * Everybody whom the provider names gets these roles: they exist, none holds `iam:manage`, and none goes
 * beyond the caller.
 */
export async function judgeMapping(
  view: StoreView,
  caller: Caller,
  authority: Authority,
  mapping: ProviderMapping,
): Promise<void> {
  const names = mappedRoleNames(mapping);
  await mustKnowRoles(view, caller.workspace, names, 'mapping');
  const grants = await grantsOf(view, caller.workspace, names);
  if (grants.some(({ permission }) => permission === 'iam:manage')) {
    throw new Refusal('BAD_REQUEST', 'mapping_manages', {
      message: 'mapping: a role with iam:manage cannot be a target of a mapping.',
    });
  }
  authority.mustCover(grants);
}

/** CONFLICT for our own issuer, and for one that vouches for the workspace already. */
export async function mustBeNew(view: StoreView, workspace: string, issuer: string, own: string): Promise<void> {
  if (spelling(issuer) === spelling(own)) {
    throw new Refusal('CONFLICT', 'own_issuer', { message: 'issuer: is this service itself.' });
  }
  const present = await view.providers.list(workspace);
  if (present.some(({ record }) => spelling(record.issuer) === spelling(issuer))) {
    throw new Refusal('CONFLICT', 'issuer_known', { message: 'issuer: is a provider of this workspace already.' });
  }
  if (present.length >= MAX_PROVIDERS) {
    throw new Refusal('CONFLICT', 'too_many_providers', {
      message: `A workspace has at most ${MAX_PROVIDERS} providers.`,
    });
  }
}
