import { expect, it } from 'vitest';
import { createLog } from './log.ts';

it('writes JSON lines, and strikes out what looks like a token or a secret, however deep', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => void lines.push(line) });
  const token = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
  const secret = `sk_${'0a'.repeat(32)}`;
  log.warn({ error: `GET /x?access_token=${token} failed`, nested: { secret } }, `with ${secret}`);
  log.debug({}, 'not said');
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain(token);
  expect(lines[0]).not.toContain(secret);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 40,
    msg: 'with …',
    time: expect.stringMatching(/Z$/),
  });
});
