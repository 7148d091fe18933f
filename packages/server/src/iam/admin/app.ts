import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { errorAnswer, noQuery } from './fields.ts';

/** The fastify scope of the administration: its routes are relative to `/workspace/{ws}/api/v1`. */
export type AdminApp = FastifyInstance<
  RawServerDefault,
  import('node:http').IncomingMessage,
  import('node:http').ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What a route says of itself for OpenAPI, beside its own schemas. */
export interface Operation<Answers> {
  /** Group in the documentation. */
  readonly tag: string;
  /** `operationId`: stable, clients are generated from it. */
  readonly id: string;
  readonly summary: string;
  readonly answers: Answers;
}

/** The part of a route's schema that every operation has: names, security, errors, no unknown query. */
export function operation<const Answers extends Readonly<Record<number, z.ZodType>>>({
  tag,
  id,
  summary,
  answers,
}: Operation<Answers>) {
  return {
    tags: [tag],
    operationId: id,
    summary,
    security: [{ bearer: ['iam:manage'] }],
    querystring: noQuery,
    response: { ...answers, '4xx': errorAnswer, '5xx': errorAnswer },
  };
}
