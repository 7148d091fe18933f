import { PATHS } from '@centrali-io/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../../resource-server/index.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { MAX_FORM_BYTES, type OAuthRequest } from './form.ts';
import { type IntrospectEndpoint, introspectEndpoint } from './introspect.ts';
import type { OAuthLimits } from './limits.ts';
import { authorizationServerMetadata, openidConfiguration, protectedResourceMetadata } from './metadata.ts';
import { type OAuthAnswer, OAuthError, oauthErrorAnswer } from './oauth-error.ts';
import { type RevokeEndpoint, revokeEndpoint } from './revoke.ts';
import { type TokenEndpoint, tokenEndpoint } from './token-endpoint.ts';

/** What the OAuth routes stand on. */
export type OAuthServices = TokenEndpoint &
  RevokeEndpoint &
  IntrospectEndpoint & {
    readonly limits: OAuthLimits;
    readonly keys: Pick<KeyRing, 'jwks' | 'maxAgeSeconds'>;
    readonly algorithm: string;
  };

/** Seconds that metadata may be kept. */
const METADATA_MAX_AGE_SECONDS = 3_600;

/** The endpoints of OAuth: forms in, answers by RFC 6749 out. A scope of its own, for its parser and errors. */
export async function registerOAuth(app: FastifyInstance, services: OAuthServices): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_FORM_BYTES }, (_request, body, done) =>
      done(null, body),
    );
    // By address, before the body is read.
    scope.addHook('onRequest', async (request) => {
      const retryAfter = await services.limits.request(request.context.address);
      if (retryAfter !== undefined)
        throw new Refusal('RATE_LIMIT_EXCEEDED', 'oauth_requests', { retryAfter, message: 'Too many requests.' });
    });
    const parent = scope.errorHandler;
    scope.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
      const refused = error instanceof OAuthError ? error : transportError(error);
      if (refused) return await send(reply, oauthErrorAnswer(refused));
      return parent.call(scope, error as never, request, reply);
    });
    const endpoint = (path: string, answer: (request: OAuthRequest) => Promise<OAuthAnswer>): void => {
      scope.all(path, { bodyLimit: MAX_FORM_BYTES }, async (request, reply) =>
        send(reply, await answer(read(request))),
      );
    };
    endpoint(PATHS.token, (request) => tokenEndpoint(request, services));
    endpoint(PATHS.revoke, (request) => revokeEndpoint(request, services));
    endpoint(PATHS.introspect, (request) => introspectEndpoint(request, services));
  });

  const document = (path: string, seconds: number, value: () => unknown, type = 'application/json'): void => {
    app.all(path, { onRequest: readOnly }, async (_request, reply) => {
      await send(reply, {
        status: 200,
        headers: { 'content-type': type, 'cache-control': `public, max-age=${seconds}` },
        body: JSON.stringify(value()),
      });
    });
  };
  const { issuer, algorithm, keys } = services;
  document(PATHS.jwks, keys.maxAgeSeconds, () => keys.jwks(), 'application/jwk-set+json');
  document(PATHS.authorizationServerMetadata, METADATA_MAX_AGE_SECONDS, () => authorizationServerMetadata(issuer));
  document(PATHS.openidConfiguration, METADATA_MAX_AGE_SECONDS, () => openidConfiguration(issuer, algorithm));
  document(PATHS.protectedResourceMetadata, METADATA_MAX_AGE_SECONDS, () => protectedResourceMetadata(issuer));
}

/** For documents: everything but reading is refused before a body is read. */
async function readOnly({ method }: FastifyRequest): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD')
    throw new Refusal('METHOD_NOT_ALLOWED', 'method', { headers: { allow: 'GET, HEAD' } });
}

/** Errors of the transport that RFC 6749 has a word for; the rest is the parent's. */
function transportError({ statusCode = 500 }: { statusCode?: number }): OAuthError | undefined {
  if (statusCode === 413) return new OAuthError('invalid_request', 'body_size', 'The body is too large.', 413);
  if (statusCode === 400 || statusCode === 415)
    return new OAuthError('invalid_request', 'http', 'The body must be application/x-www-form-urlencoded.');
  return undefined;
}

function read(request: FastifyRequest): OAuthRequest {
  const raw = request.raw.rawHeaders;
  const all = (name: string): string[] =>
    raw.flatMap((field, index) => (index % 2 === 0 && field.toLowerCase() === name ? [raw[index + 1] ?? ''] : []));
  const question = request.url.indexOf('?');
  return {
    method: request.method,
    query: question === -1 ? '' : request.url.slice(question + 1),
    contentTypes: all('content-type'),
    authorizations: all('authorization'),
    dpops: all('dpop'),
    body: Buffer.isBuffer(request.body) ? request.body : new Uint8Array(),
    id: request.context.id,
    address: request.context.address,
  };
}

/** As bytes, so that the type of the content stays as it is. */
async function send(reply: FastifyReply, { status, headers, body }: OAuthAnswer): Promise<FastifyReply> {
  return await reply.code(status).headers(headers).send(Buffer.from(body));
}
