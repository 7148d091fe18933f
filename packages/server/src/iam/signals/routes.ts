import { isWorkspaceSlug, type ProviderRecord } from '@centrali-io/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Refusal } from '../../resource-server/index.ts';
import type { AdminApp } from '../admin/app.ts';
import { errorAnswer, noQuery } from '../admin/fields.ts';
import { refuseOtherMethods } from '../admin/methods.ts';
import { refusalOf } from '../admin/refuse.ts';
import type { TokenVerifier } from '../admin/verifier.ts';
import { readForm } from '../oauth/form.ts';
import { OAUTH_HEADERS, OAuthError } from '../oauth/oauth-error.ts';
import { networkOf, RateTable } from '../rate-table.ts';
import type { IamServices } from '../services.ts';
import { applySignal } from './apply-signal.ts';
import { logoutTyp, readLogoutToken } from './logout-token.ts';
import { readSecurityEvent, SET_TYP } from './security-event.ts';
import { type Signal, SignalFault } from './signal.ts';
import { type SignedSignal, verifySigned } from './signed-by-provider.ts';

/** Most bytes of a body; a token in it is at most 8 KiB. */
const MAX_BODY_BYTES = 16 * 1_024;

/** Signals that one provider may have verified per minute in one workspace. */
const SIGNALS_PER_MINUTE = 600;

/** One of the two ways in which signals come. */
interface Way {
  readonly path: 'security-events' | 'backchannel-logout';
  readonly kind: 'set' | 'logout';
  /** The signed token in the request. */
  read(request: FastifyRequest): string;
  typ(provider: ProviderRecord): readonly string[];
  /** What it says, once it is verified. */
  understand(signed: SignedSignal, provider: ProviderRecord, now: number): Signal;
}

const SECURITY_EVENTS: Way = {
  path: 'security-events',
  kind: 'set',
  read(request) {
    const [type, ...more] = fieldsOf(request, 'content-type');
    if (more.length > 0 || !/^application\/secevent\+jwt *(?:;.*)?$/i.test(type ?? ''))
      throw new SignalFault('invalid_request', 'content_type', 'Content-Type must be application/secevent+jwt.');
    return bytesOf(request).toString('latin1');
  },
  typ: () => SET_TYP,
  understand: (signed, { issuer, maxLifetimeSeconds }, now) =>
    readSecurityEvent(signed, issuer, { now, maxLifetimeSeconds }),
};

const BACKCHANNEL_LOGOUT: Way = {
  path: 'backchannel-logout',
  kind: 'logout',
  read(request) {
    try {
      const { method } = request;
      const form = readForm({
        method,
        query: '',
        contentTypes: fieldsOf(request, 'content-type'),
        authorizations: [],
        body: bytesOf(request),
        id: request.context.id,
        address: request.context.address,
      });
      const token = form.get('logout_token');
      if (token !== undefined) return token;
    } catch (error) {
      if (!(error instanceof OAuthError)) throw error;
      throw new SignalFault('invalid_request', error.reason, error.message);
    }
    throw new SignalFault('invalid_request', 'token_missing', 'The logout_token is missing.');
  },
  typ: logoutTyp,
  understand: (signed, { maxLifetimeSeconds }, now) => readLogoutToken(signed, maxLifetimeSeconds, now),
};

/**
 * What providers tell us: `external-auth-providers/{id}/security-events` (Shared Signals, pushed by RFC 8935) and
 * `…/backchannel-logout`. The signature of what is sent is the only authentication; so both are bounded in size,
 * by address, and by provider, and act in the workspace of the path alone.
 */
export async function registerSignals(
  app: FastifyInstance,
  services: IamServices,
  verifier: Pick<TokenVerifier, 'provider'>,
): Promise<void> {
  const { audit, now, store } = services;
  const requests = new RateTable(services.signalsPerMinutePerAddress, services.randomBytes);
  const verified = new RateTable(SIGNALS_PER_MINUTE, services.randomBytes);

  /** Takes one in; says whether it came before. */
  const receive = async (way: Way, request: FastifyRequest, workspace: string, id: string): Promise<boolean> => {
    const { context } = request;
    const compact = way.read(request);
    const stored = await store.read((view) => view.providers.get(id));
    const provider = stored?.record.workspaces.includes(workspace) === true ? stored.record : undefined;
    const issuer = provider && (await verifier.provider(id));
    if (!provider || !issuer) throw new Refusal('NOT_FOUND', 'provider_unknown');
    const signed = await verifySigned(compact, { provider, issuer, typ: way.typ(provider), now: now() });
    const retryAfter = await verified.take(`${workspace} ${id}`);
    if (retryAfter !== undefined) throw new Refusal('RATE_LIMIT_EXCEEDED', 'signals_of_provider', { retryAfter });
    const signal = way.understand(signed, provider, now());
    const effect = await applySignal(services, { workspace, provider, kind: way.kind, context }, signal);
    // What ended something has its row by the change. The rest is summed: a provider may repeat itself for ever.
    if (effect !== 'ended') {
      audit.sum({
        workspace,
        at: now(),
        kind: 'token',
        action: `signal.${way.path}`,
        reason: effect,
        provider: id,
        address: context.address,
        requestId: context.id,
      });
    }
    return effect === 'replayed';
  };

  /** Puts a refusal into the audit log, where there is such a workspace. */
  const note = (way: Way, request: FastifyRequest, workspace: string, code: string, reason: string): void => {
    if (!isWorkspaceSlug(workspace)) return;
    const { address, id: requestId } = request.context;
    audit.sum({ workspace, at: now(), kind: 'refuse', action: `signal.${way.path}`, code, reason, address, requestId });
  };

  await app.register(
    async (scope) => {
      const routes: AdminApp = scope.withTypeProvider();
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
        done(null, body),
      );
      const methods = refuseOtherMethods(scope);
      // Before the body is read.
      scope.addHook('onRequest', async ({ context }) => {
        const retryAfter = await requests.take(networkOf(context.address));
        if (retryAfter !== undefined)
          throw new Refusal('RATE_LIMIT_EXCEEDED', 'signal_requests', { retryAfter, message: 'Too many requests.' });
      });

      const route = (
        way: Way,
        summary: string,
        consumes: string,
        status: 200 | 202,
        answer: (reply: FastifyReply, isReplay: boolean) => Promise<FastifyReply>,
        refuse: (reply: FastifyReply, fault: SignalFault) => Promise<FastifyReply>,
      ): void => {
        routes.post(
          `/external-auth-providers/:id/${way.path}`,
          {
            bodyLimit: MAX_BODY_BYTES,
            schema: {
              tags: ['External providers'],
              operationId: way.kind === 'set' ? 'receiveSecurityEvent' : 'receiveLogoutToken',
              summary,
              security: [],
              consumes: [consumes],
              querystring: noQuery,
              params: z.strictObject({ workspace: z.string(), id: z.string() }),
              response: { [status]: z.null().describe('Taken.'), '4xx': errorAnswer, '5xx': errorAnswer },
            },
          },
          async (request, reply) => {
            const { workspace, id } = request.params;
            try {
              return await answer(reply, await receive(way, request, workspace, id));
            } catch (error) {
              if (error instanceof SignalFault) {
                note(way, request, workspace, error.err, error.reason);
                return await refuse(reply, error);
              }
              const { code, reason } = refusalOf(error);
              note(way, request, workspace, code, reason);
              throw error;
            }
          },
        );
      };
      route(
        SECURITY_EVENTS,
        'Take a security event of the provider (Shared Signals)',
        'application/secevent+jwt',
        202,
        // One that came before is acknowledged again: its transmitter may not have heard us (RFC 8935 section 2).
        (reply) => send(reply, 202),
        (reply, { err, message }) => send(reply, 400, { err, description: message }, { 'content-language': 'en' }),
      );
      route(
        BACKCHANNEL_LOGOUT,
        'Take a logout token of the provider (OpenID Connect Back-Channel Logout)',
        'application/x-www-form-urlencoded',
        200,
        (reply, isReplay) =>
          isReplay ? logoutRefused(reply, 'The logout token was received before.') : send(reply, 200),
        (reply, { message }) => logoutRefused(reply, message),
      );
      methods.close();
    },
    { prefix: '/workspace/:workspace/api/v1' },
  );
}

function logoutRefused(reply: FastifyReply, message: string): Promise<FastifyReply> {
  return send(reply, 400, { error: 'invalid_request', error_description: message });
}

/** As bytes: no schema writes them. */
async function send(
  reply: FastifyReply,
  status: number,
  body?: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<FastifyReply> {
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  return await reply
    .code(status)
    .headers({ ...OAUTH_HEADERS, ...type, ...headers })
    .send(Buffer.from(body === undefined ? '' : JSON.stringify(body)));
}

/** Every value of a field, as it came. `name` in lower case. */
function fieldsOf({ raw }: FastifyRequest, name: string): string[] {
  const fields = raw.rawHeaders;
  return fields.flatMap((field, at) => (at % 2 === 0 && field.toLowerCase() === name ? [fields[at + 1] ?? ''] : []));
}

function bytesOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}
