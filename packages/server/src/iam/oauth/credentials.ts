import { decodeFormText, type Form, type OAuthRequest } from './form.ts';
import { OAuthError } from './oauth-error.ts';

/** How a client shows who it is (RFC 6749 section 2.3, RFC 7523 section 2.2). */
export type ClientCredentials =
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post';
      readonly clientId: string;
      readonly secret: string;
    }
  | { readonly method: 'private_key_jwt'; readonly clientId: string | undefined; readonly assertion: string };

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Reads the one way in which the client authenticates; two of them is `invalid_request`, none `invalid_client`. */
export function readCredentials(request: OAuthRequest, form: Form): ClientCredentials {
  const clientId = form.get('client_id');
  const basic = request.authorizations.length > 0;
  const secret = form.get('client_secret');
  const assertion = form.get('client_assertion');
  const asserts = assertion !== undefined || form.has('client_assertion_type');
  if (request.authorizations.length > 1 || [basic, secret !== undefined, asserts].filter(Boolean).length > 1)
    throw new OAuthError('invalid_request', 'two_methods', 'A client authenticates in one way only.');
  if (basic) {
    const credentials = readBasic(request.authorizations[0] ?? '');
    if (clientId !== undefined && clientId !== credentials.clientId)
      throw new OAuthError('invalid_request', 'two_clients', 'The request names two clients.');
    return credentials;
  }
  if (asserts) {
    if (assertion === undefined || form.get('client_assertion_type') !== ASSERTION_TYPE)
      throw new OAuthError('invalid_request', 'assertion_type', 'The client assertion or its type is missing.');
    return { method: 'private_key_jwt', clientId, assertion };
  }
  if (clientId === undefined || secret === undefined)
    throw new OAuthError('invalid_client', 'no_credentials', 'The client does not authenticate.');
  return { method: 'client_secret_post', clientId, secret };
}

/** `Basic`: base64 of id, colon, secret, both form-urlencoded before (RFC 6749 section 2.3.1, RFC 7617). */
function readBasic(authorization: string): ClientCredentials {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  const text = encoded === undefined ? undefined : decodeBase64(encoded);
  const colon = text?.indexOf(':') ?? -1;
  const clientId = text === undefined || colon === -1 ? undefined : decodeFormText(text.slice(0, colon));
  const secret = text === undefined || colon === -1 ? undefined : decodeFormText(text.slice(colon + 1));
  if (!clientId || !secret)
    throw new OAuthError('invalid_client', 'basic_form', 'The Authorization field holds no client credentials.');
  return { method: 'client_secret_basic', clientId, secret };
}

function decodeBase64(text: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'base64'));
  } catch {
    return undefined;
  }
}
