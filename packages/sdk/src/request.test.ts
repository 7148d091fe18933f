import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { noAnswer } from './request.ts';

test('no answer keeps why, and nothing that holds the token', () => {
  const url = 'https://rt.example/events?access_token=eyJ.secret.x';
  // As Deno words it, and as Bun does.
  const deno = new TypeError(`error sending request for url (${url}): connection refused`);
  const bun = Object.assign(new Error('Unable to connect'), { path: url, code: 'ConnectionRefused' });
  const node = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') });
  for (const thrown of [deno, bun, node]) {
    const error = noAnswer(url, thrown);
    expect(error.code).toBe('NETWORK_ERROR');
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret');
  }
  expect(inspect(noAnswer(url, node))).toContain('ECONNREFUSED');
});
