// Tokens that are bound to a key (RFC 9449), by a client that others wrote: oauth4webapi gets one, and opens the
// stream with it; and every way by which such a token must not pass.
import { createHash } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bearer, eventsUrl, form, order, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { claimsOf } from '../support/forge.ts';

let dev: Dev;
let as: oauth.AuthorizationServer;
let client: oauth.Client;
let keys: CryptoKeyPair;
const insecure = { [oauth.allowInsecureRequests]: true };

beforeAll(async () => {
  dev = await startDev();
  client = { client_id: dev.clientId };
  keys = await oauth.generateKeyPair('ES256', { extractable: true });
  const issuer = new URL(dev.baseUrl);
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  as = await oauth.processDiscoveryResponse(issuer, response);
});
afterAll(() => dev?.stop());

async function boundToken(DPoP = oauth.DPoP(client, keys)): Promise<oauth.TokenEndpointResponse> {
  const authentication = oauth.ClientSecretBasic(dev.clientSecret);
  const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, {}, { DPoP, ...insecure });
  return oauth.processClientCredentialsResponse(as, client, response);
}

/** A proof, changed: made by hand, since a good client does not make bad ones. */
async function proofOf(claims: object = {}, pair = keys): Promise<string> {
  const payload = { jti: crypto.randomUUID(), iat: Math.floor(Date.now() / 1000), ...claims };
  return new SignJWT(payload)
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await exportJWK(pair.publicKey) })
    .sign(pair.privateKey);
}
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url');

async function codeOf(response: Response): Promise<[number, string, string]> {
  const challenge = response.headers.get('www-authenticate') ?? '';
  if (response.status === 200) {
    await response.body?.cancel();
    return [200, '', ''];
  }
  const { code } = (await response.json()) as { code: string };
  return [response.status, code, `${challenge.split(' ')[0]} ${/error="(\w+)"/.exec(challenge)?.[1] ?? ''}`];
}

describe('oauth4webapi', () => {
  test('gets a bound token, opens the stream, publishes, and is introspected', async () => {
    expect(as.dpop_signing_alg_values_supported).toContain('ES256');
    const DPoP = oauth.DPoP(client, keys);
    const { access_token: token, token_type: type } = await boundToken(DPoP);
    expect(type).toBe('dpop');
    expect(claimsOf(token)).toMatchObject({ cnf: { jkt: await DPoP.calculateThumbprint() } });
    const open = (headers?: Headers, method = 'GET', body?: string): Promise<Response> =>
      oauth.protectedResourceRequest(token, method, new URL(eventsUrl(dev)), headers, body, { DPoP, ...insecure });
    const stream = await open();
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    await stream.body?.cancel();
    const json = new Headers({ 'content-type': 'application/json' });
    expect((await open(json, 'POST', JSON.stringify(order('bound')))).status).toBe(202);
    const authentication = oauth.ClientSecretBasic(dev.clientSecret);
    const introspected = await oauth.introspectionRequest(as, client, authentication, token, insecure);
    expect(await oauth.processIntrospectionResponse(as, client, introspected)).toMatchObject({
      active: true,
      token_type: 'DPoP',
      cnf: { jkt: await DPoP.calculateThumbprint() },
    });
  });
});

describe('a bound token', () => {
  const htu = (): string => eventsUrl(dev);

  test('passes by no other way, and with no other proof', async () => {
    const { access_token: token } = await boundToken();
    const other = await oauth.generateKeyPair('ES256', { extractable: true });
    const good = { htm: 'GET', htu: htu(), ath: hashOf(token) };
    const get = async (headers: Record<string, string>, query = {}) =>
      codeOf(await fetch(eventsUrl(dev, query), { headers }));
    const withProof = async (claims: object, pair = keys) =>
      get({ authorization: `DPoP ${token}`, dpop: await proofOf({ ...good, ...claims }, pair) });
    expect(await withProof({})).toEqual([200, '', '']);

    const asBearer = [401, 'INVALID_TOKEN', 'DPoP invalid_token'];
    expect(await get(bearer(token))).toEqual(asBearer);
    expect(await get({ ...bearer(token), dpop: await proofOf(good) })).toEqual(asBearer);
    expect(await get({}, { access_token: token })).toEqual(asBearer);
    expect(await get({ dpop: await proofOf(good) }, { access_token: token })).toEqual(asBearer);

    const noProof = [401, 'INVALID_TOKEN', 'DPoP invalid_dpop_proof'];
    expect(await get({ authorization: `DPoP ${token}` })).toEqual(noProof);
    for (const claims of [
      { htm: 'POST' },
      { htu: htu().replace('/demo/', '/other/') },
      { iat: Math.floor(Date.now() / 1000) - 120 },
      { iat: Math.floor(Date.now() / 1000) + 120 },
      { ath: hashOf('other') },
      { ath: undefined },
      { jti: '' },
    ])
      expect([claims, await withProof(claims)]).toEqual([claims, noProof]);
    expect(await withProof({}, other)).toEqual(noProof);
    const proof = await proofOf(good);
    const once = (): Promise<unknown> => get({ authorization: `DPoP ${token}`, dpop: proof });
    const both = await Promise.all([once(), once()]);
    expect(both).toContainEqual([200, '', '']);
    expect(both).toContainEqual(noProof);
  });

  test('gets no ticket, administers nothing, and an unbound one does not pass as bound', async () => {
    const { access_token: token } = await boundToken();
    const tickets = htu().replace(/events$/, 'tickets');
    const proof = await proofOf({ htm: 'POST', htu: tickets, ath: hashOf(token) });
    const ticket = await fetch(tickets, { method: 'POST', headers: { authorization: `DPoP ${token}`, dpop: proof } });
    expect((await codeOf(ticket)).slice(0, 2)).toEqual([403, 'FORBIDDEN']);
    const admin = await fetch(`${dev.baseUrl}/workspace/demo/api/v1/members`, { headers: bearer(token) });
    expect((await codeOf(admin)).slice(0, 2)).toEqual([401, 'INVALID_TOKEN']);
    const unbound = await serviceToken(dev);
    const headers = {
      authorization: `DPoP ${unbound}`,
      dpop: await proofOf({ htm: 'GET', htu: htu(), ath: hashOf(unbound) }),
    };
    expect(await codeOf(await fetch(htu(), { headers }))).toEqual([401, 'INVALID_TOKEN', 'DPoP invalid_token']);
  });

  test('renews a stream only by a token of the same key', async () => {
    const { access_token: token } = await boundToken();
    const dpop = async (method: string, url: string, bound: string, pair = keys): Promise<Record<string, string>> => ({
      authorization: `DPoP ${bound}`,
      dpop: await proofOf({ htm: method, htu: url, ath: hashOf(bound) }, pair),
    });
    const stream = await fetch(htu(), { headers: await dpop('GET', htu(), token) });
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('connectionId')) text += (await reader?.read())?.value ?? '';
    const id = /"connectionId":"(\w+)"/.exec(text)?.[1] ?? '';
    const url = `${htu().replace(/events$/, 'connections')}/${id}/token`;
    const renew = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(url, { method: 'POST', headers })).status;
    const other = await oauth.generateKeyPair('ES256', { extractable: true });
    const { access_token: ofOther } = await boundToken(oauth.DPoP(client, other));
    expect(await renew(bearer(await serviceToken(dev)))).toBe(409);
    expect(await renew(await dpop('POST', url, ofOther, other))).toBe(409);
    const { access_token: next } = await boundToken();
    expect(await renew(await dpop('POST', url, next))).toBe(204);
    await reader?.cancel();
  });
});

describe('the token endpoint', () => {
  test('answers a bad proof with invalid_dpop_proof, and takes each proof once', async () => {
    const url = `${dev.baseUrl}/oidc/token`;
    const ask = async (dpop: string): Promise<[number, string]> => {
      const { body, headers } = form({
        ...{ grant_type: 'client_credentials', client_id: dev.clientId, client_secret: dev.clientSecret },
      });
      const response = await fetch(url, { method: 'POST', body, headers: { ...headers, dpop } });
      const answer = (await response.json()) as { error?: string; token_type?: string };
      return [response.status, answer.error ?? answer.token_type ?? ''];
    };
    const good = { htm: 'POST', htu: url };
    const proof = await proofOf(good);
    expect(await ask(proof)).toEqual([200, 'DPoP']);
    for (const bad of [
      proof,
      'x',
      await proofOf({ ...good, htm: 'GET' }),
      await proofOf({ ...good, htu: dev.baseUrl }),
    ])
      expect(await ask(bad)).toEqual([400, 'invalid_dpop_proof']);
  });
});
