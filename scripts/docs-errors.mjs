#!/usr/bin/env node
// Keeps docs/errors.md in step with the one table of error codes. `--write` writes it; else it checks.
import { ERROR_CODES, isAuthErrorCode } from '../packages/protocol/src/index.ts';
import { keepSection } from './generated-section.mjs';

const AFTERWARDS = {
  stop: 'stops; a different token starts it again',
  'new-token': 'waits for a different token, then reconnects',
  retry: 'backs off and retries',
  continue: 'goes on with the next event',
};
const CHALLENGES = {
  none: '',
  bare: '`Bearer`',
  invalid_token: '`invalid_token`',
  insufficient_scope: '`insufficient_scope`',
};

/** One row per code: the six of the guide first, then the other ones of the server, then the SDK's own. */
function table(codes) {
  const rows = codes.map((code) => {
    const { status, challenge, recoverable, retryAfter, action, message, remedy } = ERROR_CODES[code];
    const answer = status === 0 ? [] : [`${status}${retryAfter ? ' + `Retry-After`' : ''}`, CHALLENGES[challenge]];
    return `| ${[`\`${code}\``, ...answer, recoverable ? 'yes' : 'no', AFTERWARDS[action], `${message} ${remedy}`].join(' | ')} |`;
  });
  const answer = ERROR_CODES[codes[0]].status === 0 ? [] : ['HTTP', 'challenge'];
  const head = ['code', ...answer, 'recoverable', 'after `onError`, the SDK', 'what happened, and what to do'];
  return [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...rows].join('\n');
}

const codes = Object.keys(ERROR_CODES);
const server = codes.filter((code) => ERROR_CODES[code].status !== 0);
keepSection(
  new URL('../docs/errors.md', import.meta.url),
  'error codes',
  [
    '## About the token',
    table(server.filter((code) => isAuthErrorCode(code))),
    '## About the request and the service',
    table(server.filter((code) => !isAuthErrorCode(code))),
    '## Raised by the SDK alone',
    table(codes.filter((code) => ERROR_CODES[code].status === 0)),
  ].join('\n\n'),
  'docs-errors.mjs',
);
