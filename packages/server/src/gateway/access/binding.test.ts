import { createHash } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { BASE_URL, gatewayOf, lineOf, NOW, tokenOf } from '../gateway.fixture.ts';

type World = Awaited<ReturnType<typeof gatewayOf>>;
let world: World;
afterEach(() => world.close());

const pair = await generateKeyPair('ES256', { extractable: true });
const jwk = await exportJWK(pair.publicKey);
const jkt = await calculateJwkThumbprint(jwk);
let proofs = 0;

function proofOf(token: string, claims: object = {}): Promise<string> {
  const ath = createHash('sha256').update(token).digest('base64url');
  const htu = `${BASE_URL}/realtime/workspace/acme/events`;
  return new SignJWT({ jti: `p${++proofs}`, htm: 'GET', htu, iat: NOW, ath, ...claims })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
    .sign(pair.privateKey);
}
const bound = (claims: object = {}): Promise<string> => tokenOf({ cnf: { jkt }, ...claims });
const send = (headers: Record<string, string>, query = '') => world.send({ headers, query });

describe('a token that is bound to a key', () => {
  it('opens a stream with the scheme DPoP and a proof, once for each proof', async () => {
    world = await gatewayOf();
    const token = await bound();
    const headers = { Authorization: `DPoP ${token}`, DPoP: await proofOf(token) };
    expect(await lineOf(await send(headers, 'structures=order'))).toBe('200 stream');
    expect(world.seen.streams[0]?.access.token.jkt).toBe(jkt);
    const again = (await send(headers)) as Response;
    expect(again.headers.get('www-authenticate')).toMatch(
      /^DPoP realm="centrali", error="invalid_dpop_proof", error_description="[^"]+", algs="ES256 [^"]+", resource_metadata="/,
    );
    expect(await lineOf(again)).toBe('401 INVALID_TOKEN invalid_dpop_proof');
  });

  it('never passes as a bearer token, in the URL, or in a cookie', async () => {
    world = await gatewayOf({ cookieOrigins: ['https://app.example'] });
    const token = await bound();
    const proof = await proofOf(token);
    for (const [headers, query] of [
      [{ Authorization: `Bearer ${token}` }, ''],
      [{ Authorization: `Bearer ${token}`, DPoP: proof }, ''],
      [{ DPoP: proof }, `access_token=${token}`],
      [{ DPoP: proof, Cookie: `__Host-centrali-token=${token}`, Origin: 'https://app.example' }, ''],
    ] as const) {
      const reply = (await send(headers, query)) as Response;
      expect(reply.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_token"/);
      expect(await lineOf(reply)).toBe('401 INVALID_TOKEN invalid_token');
    }
    expect(world.seen.streams).toEqual([]);
  });

  it.each<[string, object]>([
    ['of another method', { htm: 'POST' }],
    ['of another URL', { htu: `${BASE_URL}/realtime/workspace/other/events` }],
    ['of yesterday', { iat: NOW - 86_400 }],
    ['of another token', { ath: 'x' }],
  ])('does not pass with a proof %s', async (_name, claims) => {
    world = await gatewayOf();
    const token = await bound();
    const headers = { Authorization: `DPoP ${token}`, DPoP: await proofOf(token, claims) };
    expect(await lineOf(await send(headers))).toBe('401 INVALID_TOKEN invalid_dpop_proof');
  });

  it('does not pass without a proof, or with that of another key', async () => {
    world = await gatewayOf();
    const token = await bound({ cnf: { jkt: 'A'.repeat(43) } });
    expect(await lineOf(await send({ Authorization: `DPoP ${token}` }))).toBe('401 INVALID_TOKEN invalid_dpop_proof');
    const foreign = { Authorization: `DPoP ${token}`, DPoP: await proofOf(token) };
    expect(await lineOf(await send(foreign))).toBe('401 INVALID_TOKEN invalid_dpop_proof');
  });

  it('is refused when it is bound in another way, or in two', async () => {
    world = await gatewayOf();
    for (const cnf of [{ 'x5t#S256': 'x' }, { jkt, 'x5t#S256': 'x' }, { jkt: 'short' }, [jkt], 'x', null]) {
      const token = await bound({ cnf });
      const headers = { Authorization: `DPoP ${token}`, DPoP: await proofOf(token) };
      expect(await lineOf(await send(headers))).toBe('401 INVALID_TOKEN invalid_token');
    }
  });

  it('gets a ticket only where the operator allows it', async () => {
    const make = async (): Promise<string> => {
      const token = await bound();
      const proof = await proofOf(token, { htm: 'POST' });
      const headers = { Authorization: `DPoP ${token}`, DPoP: proof };
      const reply = (await world.send({ method: 'POST', headers }, 'tickets')) as Response;
      return reply.status === 201 ? '201' : lineOf(reply);
    };
    world = await gatewayOf();
    expect(await make()).toBe('403 FORBIDDEN insufficient_scope');
    await world.close();
    world = await gatewayOf({ boundTickets: true });
    expect(await make()).toBe('201');
  });
});

describe('a token that is not bound', () => {
  it('does not pass with the scheme DPoP, whatever the proof', async () => {
    world = await gatewayOf();
    const token = await tokenOf();
    const reply = (await send({ Authorization: `DPoP ${token}`, DPoP: await proofOf(token) })) as Response;
    expect(reply.headers.get('www-authenticate')).toMatch(/^DPoP /);
    expect(await lineOf(reply)).toBe('401 INVALID_TOKEN invalid_token');
    expect(await lineOf(await send({ Authorization: `Bearer ${token}` }))).toBe('200 stream');
  });

  it('is answered in the scheme that was named, when it has expired too', async () => {
    world = await gatewayOf();
    const reply = (await send({ Authorization: `DPoP ${await tokenOf({ exp: NOW })}` })) as Response;
    expect(reply.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_token"/);
    expect(await lineOf(reply)).toBe('401 TOKEN_EXPIRED invalid_token');
  });
});
