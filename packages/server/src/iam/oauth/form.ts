import { OAuthError } from './oauth-error.ts';

/** A request to an OAuth endpoint, whatever the transport. */
export interface OAuthRequest {
  readonly method: string;
  /** The query of the request target without `?`; empty when there is none. */
  readonly query: string;
  /** Every value of `Content-Type` and of `Authorization`, as they came. */
  readonly contentTypes: readonly string[];
  readonly authorizations: readonly string[];
  /** Every value of `DPoP`; none when absent. */
  readonly dpops?: readonly string[];
  /** At most 16 KiB: the transport refuses more with 413. */
  readonly body: Uint8Array;
  /** `req_…`. */
  readonly id: string;
  /** The client's address. */
  readonly address: string;
}

/** Longest body of an OAuth endpoint. */
export const MAX_FORM_BYTES: number = 16 * 1_024;

/** The parameters of a form: each at most once, those without a value left out. */
export type Form = ReadonlyMap<string, string> & { readonly resources: readonly string[] };

const FORM_TYPE = /^application\/x-www-form-urlencoded *(?:; *charset="?utf-8"?)?$/i;

/**
 * Reads the form of a request (RFC 6749 section 3.2): POST, form-urlencoded, nothing in the URI, no
 * parameter twice (but `resource`, which RFC 8707 section 2 lets repeat), and one without a value counts as
 * left out.
 */
export function readForm({ method, query, contentTypes, body }: OAuthRequest): Form {
  if (method !== 'POST') throw new OAuthError('invalid_request', 'method', 'The method must be POST.', 405);
  if (query !== '') throw new OAuthError('invalid_request', 'query', 'Parameters belong into the body.');
  const [type, ...more] = contentTypes;
  if (type === undefined || more.length > 0 || !FORM_TYPE.test(type))
    throw new OAuthError('invalid_request', 'content_type', 'The body must be application/x-www-form-urlencoded.');
  if (body.length > MAX_FORM_BYTES) throw new OAuthError('invalid_request', 'body_size', 'The body is too large.', 413);
  const form = new Map<string, string>();
  const seen = new Set<string>();
  const resources: string[] = [];
  for (const pair of decodeUtf8(body).split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodeFormText(equals === -1 ? pair : pair.slice(0, equals));
    const value = decodeFormText(equals === -1 ? '' : pair.slice(equals + 1));
    if (name === undefined || value === undefined)
      throw new OAuthError('invalid_request', 'encoding', 'The body is not form-urlencoded UTF-8.');
    if (name === 'resource') {
      if (value !== '') resources.push(value);
      continue;
    }
    if (seen.has(name)) throw new OAuthError('invalid_request', 'repeated', 'A parameter stands more than once.');
    seen.add(name);
    if (value !== '') form.set(name, value);
  }
  return Object.assign(form, { resources });
}

/** Decodes form-urlencoded text; undefined when it is not UTF-8 or a percent sign begins no byte. */
export function decodeFormText(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new OAuthError('invalid_request', 'encoding', 'The body is not form-urlencoded UTF-8.');
  }
}
