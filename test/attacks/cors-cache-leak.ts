import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CentraliSDK } from '@centrali-io/centrali-sdk';
import { expect } from 'vitest';
import { bearer, eventsUrl } from '../support/api.ts';
import { challengeAttributes } from '../support/error-answer.ts';
import type { Attacks } from './attack.ts';
import { type Answer, answerOf, EVENTS, rawGet, type World } from './world.ts';

const CORS = ['access-control-allow-origin', 'access-control-allow-credentials'];

async function from(world: World, origin: string, token: string, method = 'GET'): Promise<Answer> {
  const headers =
    method === 'OPTIONS'
      ? { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' }
      : { origin, ...bearer(token) };
  return answerOf(`${method} from ${origin}`, await fetch(eventsUrl(world.dev), { method, headers }));
}

/** Attacks through origins, caches and what answers give away. */
export const corsCacheLeak: Attacks = {
  A166: {
    mayAskIam: true,
    async run(world) {
      const answer = await from(world, 'https://evil.example', world.token);
      for (const name of CORS) expect(answer.headers.get(name)).toBeNull();
      const preflight = await from(world, 'https://evil.example', world.token, 'OPTIONS');
      for (const name of CORS) expect(preflight.headers.get(name)).toBeNull();
      const good = await from(world, 'http://localhost:5173', world.token);
      expect(good.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
      expect(good.headers.get('vary')?.toLowerCase()).toContain('origin');
      return [answer, good];
    },
  },
  A167: {
    mayAskIam: true,
    async run(world) {
      const answers = [];
      for (const origin of [
        'null',
        'https://localhost.evil.example',
        'http://localhost.evil.example:3000',
        'http://127.0.0.1.evil.example',
        'http://evil.example#localhost',
        'http://localhost@evil.example',
        'http://notlocalhost:3000',
        'file://',
        'chrome-extension://abcdef',
      ]) {
        const answer = await from(world, origin, world.token);
        for (const name of CORS) expect(answer.headers.get(name), origin).toBeNull();
        answers.push(answer);
      }
      return answers;
    },
  },
  A169: {
    async run(world) {
      const answer = await from(world, 'http://localhost:5173', 'bad');
      expect(answer.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
      const exposed = answer.headers.get('access-control-expose-headers')?.toLowerCase() ?? '';
      expect(exposed).toContain('www-authenticate');
      expect(exposed).toContain('retry-after');
      return [answer];
    },
  },
  A171: {
    decided: {
      why: 'a further segment or suffix is another path (NOT_FOUND); one that only shows when it is decoded is refused as BAD_REQUEST or NOT_FOUND alike',
      status: [404, 400],
      code: ['NOT_FOUND', 'BAD_REQUEST'],
    },
    async run({ raw, token }) {
      const answers = [];
      for (const suffix of ['/x.css', '%2f.js', ';.png', '.json', '/', '%00.css', '//', '%2F', '/..', '/./']) {
        const answer = await raw(rawGet(`${EVENTS}${suffix}`, [`Authorization: Bearer ${token}`]));
        expect(answer.headers.get('cache-control')).toMatch(/no-store/);
        answers.push(answer);
      }
      return answers;
    },
  },
  A172: { doesNotApply: 'it is a suite of its own, over every path and every output: test/canary' },
  A173: {
    async run(world) {
      const secret = `canary-${Math.random().toString(36).slice(2)}`;
      const answers = [];
      for (const name of ['access%5Ftoken', 'acc%65ss_token', '%61ccess_token']) {
        answers.push(await world.raw(rawGet(`${EVENTS}?${name}=${secret}`)));
      }
      expect(world.dev.stderr()).not.toContain(secret);
      expect(world.dev.stdout()).not.toContain(secret);
      return answers;
    },
  },
  A174: {
    async run({ raw, token }) {
      const answers = [];
      for (const [path, headers] of [
        ['/realtime/workspace/<script>alert(1)</script>/events', []],
        ['/realtime/workspace/%3Cscript%3E/events', []],
        [`${EVENTS}?%3Cscript%3Ealert(1)%3C%2Fscript%3E=1`, [`Authorization: Bearer ${token}`]],
        [`${EVENTS}?last_event_id=%3Cscript%3E`, [`Authorization: Bearer ${token}`]],
      ] as const) {
        const answer = await raw(rawGet(path, headers));
        expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
        expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
        expect(answer.body).not.toMatch(/<script/i);
        answers.push(answer);
      }
      return answers;
    },
  },
  A175: {
    async run({ ask, own, foreign }) {
      const marker = 'echo-marker';
      const answers = [];
      for (const token of [
        own.with({ sub: `${marker}\n` }),
        own.with({ aud: marker }),
        own.sign(own.claims(), { typ: marker }),
        own.sign(own.claims(), { kid: marker }),
        foreign.with({ iss: `https://${marker}` }),
        foreign.sign(`{"${marker}"`),
        marker,
      ]) {
        const answer = await ask(token);
        expect(answer.body).not.toContain(marker);
        const challenge = answer.headers.get('www-authenticate') ?? '';
        expect(challenge).not.toContain(marker);
        expect(challengeAttributes(challenge).get('error')).toBe('invalid_token');
        answers.push(answer);
      }
      const fixed = new Set(answers.map(({ body }) => body.replace(/req_[\w-]+/, '')));
      expect(fixed.size, 'one fixed answer, whatever was wrong').toBe(1);
      return answers;
    },
  },
  A177: {
    doesNotApply:
      'the audit sink cannot be made to fail from outside without breaking the store that decides too: the bounded queue and its AUTH_ERROR are tested beside its source',
  },
  A178: {
    async run({ dev, raw }) {
      const answers: Answer[] = [];
      for (const headers of [{}, bearer('wrong'), bearer(dev.adminToken), bearer(dev.clientSecret)] as Record<
        string,
        string
      >[]) {
        for (const [method, path] of [
          ['POST', '/internal/check'],
          ['GET', '/internal/changes?after=0'],
          ['POST', '/internal/audit'],
          ['GET', '/internal/jwks'],
        ] as const) {
          const init =
            method === 'POST'
              ? { method, body: '[]', headers: { ...headers, 'content-type': 'application/json' } }
              : { method, headers };
          const answer = await answerOf(`${method} ${path}`, await fetch(dev.internalUrl + path, init));
          answers.push({ ...answer, code: null });
        }
      }
      // On the public listener there is no such thing at all.
      for (const path of ['/internal/check', '/internal/changes', '/metrics']) {
        expect((await raw(rawGet(path))).status).toBe(404);
      }
      return answers;
    },
  },
  A180: {
    doesNotApply:
      "two refreshes at once share one request in the SDK, and an older token never replaces a newer one: tested beside the SDK's source, where time stands still",
  },
  A181: {
    mayAskIam: true,
    async run() {
      let stolen = 0;
      const thief = createServer((_, response) => {
        stolen++;
        response
          .writeHead(200, { 'content-type': 'text/event-stream', 'access-control-allow-origin': '*' })
          .end(': thanks\n\n');
      });
      await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve));
      const target = `http://127.0.0.1:${(thief.address() as AddressInfo).port}/`;
      const redirecting = createServer((_, response) => response.writeHead(307, { location: target }).end());
      await new Promise<void>((resolve) => redirecting.listen(0, '127.0.0.1', resolve));
      const baseUrl = `http://127.0.0.1:${(redirecting.address() as AddressInfo).port}`;
      try {
        for (const tokenDelivery of ['query', 'header'] as const) {
          const centrali = new CentraliSDK({ baseUrl, workspaceId: 'demo', token: 'secret', tokenDelivery });
          const error = await new Promise<{ code: string }>((resolve) => {
            const subscription = centrali.realtime.subscribe({
              onEvent: () => {},
              onError: (reason) => {
                subscription.unsubscribe();
                resolve(reason);
              },
            });
          });
          expect(error.code).toBe('NETWORK_ERROR');
        }
        const centrali = new CentraliSDK({ baseUrl, workspaceId: 'demo', clientId: 'ci_x', clientSecret: 'sk_x' });
        await expect(centrali.fetchServiceAccountToken()).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
        expect(stolen, 'nothing followed the redirect').toBe(0);
        return [{ what: 'redirect', status: 200, code: null, body: '', headers: new Headers() }];
      } finally {
        thief.close();
        redirecting.close();
        thief.closeAllConnections();
        redirecting.closeAllConnections();
      }
    },
  },
};
