import { expect } from 'vitest';
import { bearer, eventsUrl } from '../support/api.ts';
import { runCommand, startDev } from '../support/centrali.ts';
import { challengeAttributes } from '../support/error-answer.ts';
import type { Attacks } from './attack.ts';
import { type Answer, answerOf, EVENTS, rawGet, type World } from './world.ts';

async function get(world: World, query: string, headers: Record<string, string> = {}): Promise<Answer> {
  return answerOf(
    `${query} ${Object.keys(headers).join()}`,
    await fetch(`${eventsUrl(world.dev)}${query}`, { headers }),
  );
}

/** Attacks by how the token is brought. */
export const tokenDelivery: Attacks = {
  A073: {
    async run(world) {
      const answer = await get(world, '');
      const attributes = challengeAttributes(answer.headers.get('www-authenticate') ?? '');
      expect(attributes.has('realm')).toBe(true);
      expect([...attributes.keys()].filter((name) => name.startsWith('error'))).toEqual([]);
      return [answer];
    },
  },
  A074: {
    async run(world) {
      return [
        await get(world, '?access_token='),
        await get(world, '?access_token'),
        await get(world, '', { authorization: 'Bearer' }),
        await world.raw(rawGet(EVENTS, ['Authorization: Bearer '])),
        await world.raw(rawGet(EVENTS, ['Authorization:'])),
      ];
    },
  },
  A075: {
    async run(world) {
      const answer = await get(world, `?access_token=${world.token}`, bearer(world.token));
      expect(challengeAttributes(answer.headers.get('www-authenticate') ?? '').get('error')).toBe('invalid_request');
      return [answer];
    },
  },
  A076: {
    async run(world) {
      return [
        await get(world, `?access_token=${world.token}`, bearer('bad')),
        await get(world, '?access_token=bad', bearer(world.token)),
        await get(world, `?access_token=${world.token}&ticket=x`),
        await get(world, '?ticket=x', bearer(world.token)),
      ];
    },
  },
  A077: {
    async run(world) {
      return [
        await get(world, `?access_token=${world.token}&access_token=${world.token}`),
        await get(world, `?access_token=${world.token}&access_token=bad`),
        await get(world, `?access_token=${world.token}&access%5Ftoken=`),
        await get(world, `?access_token=&access_token=${world.token}`),
      ];
    },
  },
  A079: {
    async run({ raw, token }) {
      const one = `Authorization: Bearer ${token}`;
      return [
        await raw(rawGet(EVENTS, [one, one])),
        await raw(rawGet(EVENTS, [one, 'authorization: Bearer bad'])),
        await raw(rawGet(EVENTS, ['Authorization: Basic eDp5', one])),
      ];
    },
  },
  A081: {
    async run(world) {
      const { token } = world;
      return [
        await get(world, '', { 'x-access-token': token }),
        await get(world, '', { cookie: `access_token=${token}; __Host-centrali-token=${token}` }),
        await get(world, '', { authorization: `Basic ${Buffer.from(`x:${token}`).toString('base64')}` }),
        await get(world, '', { authorization: token }),
        await get(world, '', { 'proxy-authorization': `Bearer ${token}` }),
        await answerOf(
          'form body',
          await fetch(eventsUrl(world.dev), {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded' },
            body: `access_token=${token}`,
          }),
        ),
      ];
    },
  },
  A082: {
    async run(world) {
      const { token } = world;
      return [
        await get(world, `?access_token=${token}+`),
        await get(world, `?access_token=${token.replace('.', '+')}`),
        await get(world, `?access_token=${token}%zz`),
        await get(world, `?access_token=${token}%ff`),
        await get(world, `?access_token=Bearer%20${token}`),
      ];
    },
  },
  A083: {
    decided: {
      why: 'an unknown parameter is BAD_REQUEST naming it (docs/errors.md), a path with a parameter is another path (A171): refused, never read as a token',
      status: [401, 400, 404],
      code: ['MISSING_TOKEN', 'BAD_REQUEST', 'NOT_FOUND'],
    },
    async run({ raw, token }) {
      return [
        await raw(rawGet(`${EVENTS};access_token=${token}`)),
        await raw(rawGet(`${EVENTS}?x;access_token=${token}`)),
        await raw(rawGet(`${EVENTS}#access_token=${token}`)),
        await raw(rawGet(`/realtime/workspace/demo;access_token=${token}/events`)),
        await raw(rawGet(`${EVENTS}?Access_Token=${token}`)),
      ];
    },
  },
  A085: {
    async run({ raw, token }) {
      const auth = `Authorization: Bearer ${token}`;
      const answers = [
        await raw(`GET ${EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n${auth}\r\n\r\n`),
        await raw(`GET ${EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n${auth}\r\n\r\n`),
        await raw(`GET ${EVENTS} HTTP/1.1\r\n${auth}\r\n\r\n`),
      ];
      // node:http answers the last one itself, without a body.
      return answers.map((answer) => ({ ...answer, code: answer.code ?? 'BAD_REQUEST' }));
    },
  },
  A086: {
    async run({ raw, token }) {
      const auth = [`Authorization: Bearer ${token}`];
      return [
        await raw(rawGet(`http://evil${EVENTS}`, auth)),
        await raw(rawGet(`http://127.0.0.1${EVENTS}`, auth)),
        await raw(rawGet('*', auth)),
      ];
    },
  },
  A087: {
    decided: {
      why: 'plain HTTP is served on loopback or behind a named proxy only: elsewhere `start` refuses and says why (docs/proxies.md); behind the proxy a request that came in the clear is BAD_REQUEST',
      status: 400,
      code: 'BAD_REQUEST',
    },
    async run() {
      const proxied = await startDev({ env: { CENTRALI_TRUSTED_PROXIES: '127.0.0.1' } });
      try {
        const start = ['start', '--host', '0.0.0.0', '--port', '0', '--public-url', 'http://192.0.2.1:8080'];
        const refused = await runCommand(start);
        expect(refused.code).toBe(2);
        expect(refused.stderr).toContain('trustedProxies');
        const response = await fetch(eventsUrl(proxied, { access_token: 'secret-in-the-clear' }), {
          redirect: 'manual',
          headers: { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'http' },
        });
        expect(response.headers.get('location')).toBeNull();
        return [await answerOf('in the clear', response)];
      } finally {
        await proxied.stop();
      }
    },
  },
};
