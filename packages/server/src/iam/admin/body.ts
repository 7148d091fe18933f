import type { FastifyInstance } from 'fastify';
import { parseStrictJson, Refusal, StrictJsonError } from '../../resource-server/index.ts';

/** Most bytes of a request's body. */
export const MAX_BODY_BYTES: number = 64 * 1024;

const MESSAGES: Readonly<Record<string, string>> = {
  json_duplicate: 'The body names a field twice.',
  json_member_refused: 'The body holds a field that is not known here.',
  json_too_deep: 'The body is nested too deep.',
};

/**
 * Takes JSON bodies and no others. An empty body is no body; a field that stands twice in one object is
 * refused, since two readers could then disagree on what was asked.
 */
export function takeJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES },
    (_request, bytes, done) => {
      if (bytes.byteLength === 0) return done(null, undefined);
      try {
        done(null, parseStrictJson(bytes));
      } catch (error) {
        const reason = error instanceof StrictJsonError ? error.reason : 'json_invalid';
        done(new Refusal('BAD_REQUEST', reason, { message: MESSAGES[reason] ?? 'The body is not JSON.' }));
      }
    },
  );
}
