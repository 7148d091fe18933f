import { beforeAll, describe, expect, it } from 'vitest';
import { passFormGate } from './form-gate.ts';
import { Refusal } from './refusal.ts';
import { makeKey, part, sign, type TestKey } from './token-kit.fixture.ts';

let key: TestKey;
let good: string;
let parts: [string, string, string];

beforeAll(async () => {
  key = await makeKey('k1');
  good = await sign(key);
  parts = good.split('.') as [string, string, string];
});

/** `code (reason)` of the refusal. */
function refusalOf(token: string): string {
  try {
    passFormGate(token);
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  return 'accepted';
}

const withHeader = (header: unknown): string => [part(header), parts[1], parts[2]].join('.');
const withPayload = (payload: string | Buffer): string =>
  [parts[0], Buffer.from(payload).toString('base64url'), parts[2]].join('.');

describe('passFormGate', () => {
  it('reads header and payload of a good token', () => {
    expect(passFormGate(good)).toMatchObject({ alg: 'RS256', kid: 'k1', typ: 'at+jwt', payload: { jti: 'jti-1' } });
  });

  it('reads typ in any case, with and without application/', () => {
    expect(passFormGate(withHeader({ alg: 'RS256', kid: 'k1', typ: 'application/AT+JWT' })).typ).toBe('at+jwt');
    expect(passFormGate(withHeader({ alg: 'RS256', kid: 'k1' })).typ).toBe('');
  });

  it('accepts the thumbprints and the category that known issuers add', () => {
    const header = { alg: 'RS256', kid: 'k1', x5t: 'abc', 'x5t#S256': 'def', cat: 'cl_B7d4' };
    expect(passFormGate(withHeader(header)).kid).toBe('k1');
  });

  it.each(['jku', 'x5u', 'jwk', 'x5c', 'b64', 'zip', 'crit', 'cty', 'enc', 'p2c', 'unheard-of'])(
    'refuses the header member %s',
    (member) => {
      for (const value of ['x', [], {}, false, 1]) {
        expect(refusalOf(withHeader({ alg: 'RS256', kid: 'k1', [member]: value }))).toMatch(/^INVALID_TOKEN/);
      }
    },
  );

  it.each([
    ['an empty text', () => '', 'token_form'],
    ['only dots', () => '..', 'token_form'],
    ['two parts', () => parts.slice(0, 2).join('.'), 'token_form'],
    ['four parts', () => `${good}.AAAA`, 'token_form'],
    ['five parts, as a JWE has', () => `${good}.AAAA.AAAA`, 'token_form'],
    ['an empty signature', () => `${parts[0]}.${parts[1]}.`, 'token_form'],
    ['padding', () => `${good}=`, 'token_form'],
    ['a blank', () => `${parts[0]}.${parts[1]}. ${parts[2]}`, 'token_form'],
    ['a line end', () => `${good}\n`, 'token_form'],
    ['a fullwidth letter', () => good.replace(/^e/, '\uFF45'), 'token_form'],
    ['a zero-width space', () => `\u200B${good}`, 'token_form'],
    ['a look-alike dot', () => parts.join('\u2024'), 'token_form'],
    ['the alphabet of plain base64', () => `${parts[0]}.${parts[1]}.+/${parts[2]}`, 'token_form'],
    ['a missing alg', () => withHeader({ kid: 'k1' }), 'alg_missing'],
    ['a missing kid', () => withHeader({ alg: 'RS256' }), 'kid_missing'],
    ['an empty kid', () => withHeader({ alg: 'RS256', kid: '' }), 'kid_missing'],
    ['a kid that is a number', () => withHeader({ alg: 'RS256', kid: 1 }), 'header_member_type'],
    ['a kid that is a list', () => withHeader({ alg: 'RS256', kid: ['k1'] }), 'header_member_type'],
    ['a kid of 257 bytes', () => withHeader({ alg: 'RS256', kid: 'k'.repeat(257) }), 'kid_too_long'],
    ['a kid of 129 two-byte letters', () => withHeader({ alg: 'RS256', kid: 'é'.repeat(129) }), 'kid_too_long'],
    [
      'two algs',
      () => `${part('{"alg":"none","alg":"RS256","kid":"k1"}')}.${parts[1]}.${parts[2]}`,
      'header_json_duplicate',
    ],
    ['a header that is a list', () => withHeader([]), 'header_not_object'],
    ['a payload that is null', () => withPayload('null'), 'payload_not_object'],
    ['a payload that is a list', () => withPayload('[]'), 'payload_not_object'],
    ['a payload that is a text', () => withPayload('"x"'), 'payload_not_object'],
    ['a byte order mark', () => withPayload('\uFEFF{}'), 'payload_json_invalid'],
    ['bytes after the payload', () => withPayload('{}x'), 'payload_json_invalid'],
    ['a payload that is not UTF-8', () => withPayload(Buffer.from([0x7b, 0xff, 0x7d])), 'payload_utf8_invalid'],
    ['exp twice', () => withPayload('{"exp":1,"exp":2}'), 'payload_json_duplicate'],
    ['__proto__ in the payload', () => withPayload('{"__proto__":{"admin":true}}'), 'payload_json_member_refused'],
    ['a deep payload', () => withPayload('['.repeat(1000) + ']'.repeat(1000)), 'payload_json_too_deep'],
  ])('refuses %s', (_what, token, reason) => {
    expect(refusalOf(token())).toBe(`INVALID_TOKEN (${reason})`);
  });

  it('refuses every other spelling of the last character of a part', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // 256 bytes of signature leave 4 bits of the last character unused.
    const last = alphabet.indexOf(good.at(-1) ?? '');
    for (let unused = 1; unused < 16; unused++) {
      const other = good.slice(0, -1) + alphabet[(last & ~15) | ((last + unused) & 15)];
      expect(refusalOf(other)).toBe('INVALID_TOKEN (base64url_not_canonical)');
    }
  });

  it('takes 8 KiB and not one byte more', () => {
    const room = 8192 - `${parts[0]}..${parts[2]}`.length;
    const filler = (chars: number): string => {
      const text = JSON.stringify({ x: 'x'.repeat(Math.floor((chars * 3) / 4) - 8) });
      return Buffer.from(text).toString('base64url').slice(0, chars);
    };
    expect(refusalOf(`${parts[0]}.${filler(room)}.${parts[2]}`)).not.toMatch(/^BAD_REQUEST/);
    expect(refusalOf(`${parts[0]}.${'A'.repeat(room + 1)}.${parts[2]}`)).toBe('BAD_REQUEST (token_too_long)');
  });
});
