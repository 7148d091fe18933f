import { type ServerErrorCode } from '@centrali-io/protocol';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { Refusal, refusalResponse } from '../../resource-server/index.ts';
import { whoRow } from '../audit/change-row.ts';
import type { IamServices } from '../services.ts';
import type { Caller } from './caller.ts';

/** A name of a field that may be repeated in a message: what else a client sends is never shown again. */
const PLAIN_NAME = /^[A-Za-z0-9_.$-]{1,64}$/;

const shown = (name: string): string => (PLAIN_NAME.test(name) ? name : 'a field');

/** One issue of a validation, as fastify-type-provider-zod hands it over. */
interface Issue {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Names the first field that is wrong and what it must be, in one sentence. */
export function fieldMessage({ keyword, instancePath, message, params }: Issue): string {
  const path = instancePath.split('/').filter((part) => part !== '');
  if (keyword === 'unrecognized_keys' && Array.isArray(params?.keys)) {
    const [unknown] = params.keys.map(String);
    return `${[...path.map(shown), shown(unknown ?? '')].join('.')}: is not known here.`;
  }
  const name = path.length === 0 ? 'The body' : `${path.map(shown).join('.')}:`;
  return `${name} ${lowerFirst(message ?? 'is not valid')}.`;
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}

/** Codes of fastify's own refusals that have a row of their own in the table. */
const FRAMEWORK: ReadonlyMap<string, readonly [code: ServerErrorCode, reason: string, message?: string]> = new Map([
  ['FST_ERR_CTP_BODY_TOO_LARGE', ['PAYLOAD_TOO_LARGE', 'body_too_large', 'The body is too large.']],
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', ['BAD_REQUEST', 'media_type', 'Content-Type must be application/json.']],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', ['BAD_REQUEST', 'content_length']],
] as const);

/** Any error as a `Refusal`: what is not understood is an INTERNAL_ERROR of ours. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [issue] = error.validation as unknown as readonly Issue[];
    return new Refusal('BAD_REQUEST', 'field_invalid', issue ? { message: fieldMessage(issue) } : {});
  }
  const { code, statusCode } = error as Partial<FastifyError>;
  const [known, reason, message] = FRAMEWORK.get(code ?? '') ?? [];
  if (known && reason) return new Refusal(known, reason, message ? { message } : {});
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Refusal('BAD_REQUEST', 'framework');
  return new Refusal('INTERNAL_ERROR', 'unexpected', { cause: error });
}

/**
 * The error handler of the administration: every error becomes the answer of the table. What a caller who
 * was let in may not do goes into the audit log.
 */
export function createErrorHandler({ issuer: baseUrl, log, audit, now }: IamServices) {
  return async (error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const refusal = refusalOf(error);
    const requestId = request.context.id;
    const { code, reason, cause } = refusal;
    if (code === 'INTERNAL_ERROR') log.error({ requestId, ...faultOf(cause) }, 'administration failed');
    if (code === 'AUTH_ERROR') log.warn({ requestId, reason, ...faultOf(cause) }, 'administration out of reach');
    // Not set where the caller itself was refused: that has its row already.
    const caller = request.caller as Caller | null | undefined;
    if (code === 'FORBIDDEN' && caller) {
      const { method, url: target } = request.routeOptions;
      const action = `${String(method)} ${target?.replace(/^.*\/api\/v1\//, '') ?? ''}`;
      audit.push({ ...whoRow(caller), at: now(), kind: 'refuse', action, code, reason });
    }
    const answer = refusalResponse(refusal, { requestId, baseUrl });
    for (const [name, value] of answer.headers) reply.header(name, value);
    // As bytes: an error has no schema of the route's to be written by.
    await reply
      .code(answer.status)
      .serializer((body: string) => body)
      .send(await answer.text());
  };
}

/** What a log may say of an unexpected error: its kind and place. Its message could repeat input. */
function faultOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { fault: typeof error };
  const code = 'code' in error && typeof error.code === 'string' ? { faultCode: error.code } : {};
  const at = error.stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 8);
  return { fault: error.name, ...code, at };
}
