import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactText, redactUrl } from './redact.ts';
import { makeKey, sign } from './token-kit.fixture.ts';

describe('redactUrl', () => {
  it('keeps nothing of a query, a fragment or credentials', () => {
    expect(redactUrl('/realtime/workspace/acme/events?acc%65ss_token=x')).toBe('/realtime/workspace/acme/events?…');
    expect(redactUrl('https://u:p@host/a#access_token=x')).toBe('https://…@host/a?…');
    expect(redactUrl('/a/b')).toBe('/a/b');
  });

  it('lets no canary through, wherever it stands in the query', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (before, after) => {
        expect(redactUrl(`/events?${before}canary${after}`)).not.toContain('canary');
      }),
    );
  });
});

describe('redactText', () => {
  it('takes tokens, secrets, credentials and queries out of a text', async () => {
    const token = await sign(await makeKey('k1'));
    const secret = `sk_${'0f'.repeat(32)}`;
    const text = `failed: GET https://h/e?access_token=${token} with Bearer ${token}, ${secret}, /x?ticket=abc and ${token}`;
    const clean = redactText(text);
    for (const part of [...token.split('.'), secret, 'ticket=abc']) expect(clean).not.toContain(part);
    expect(clean).toContain('failed: GET https://h/e?…');
  });

  it('leaves an honest text alone', () => {
    expect(redactText('connect ECONNREFUSED 127.0.0.1:9090')).toBe('connect ECONNREFUSED 127.0.0.1:9090');
  });
});
