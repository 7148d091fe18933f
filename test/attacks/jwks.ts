import { expect } from 'vitest';
import { addProvider, admin, adminOk, bearer, eventsUrl, serviceToken } from '../support/api.ts';
import { runCommand, startDev } from '../support/centrali.ts';
import { openStream } from '../support/event-stream.ts';
import { makeKey, signToken } from '../support/forge.ts';
import { type FakeIssuer, type KeySetMode, startIssuer } from '../support/issuer.ts';
import { until } from '../support/wait.ts';
import type { Attacks } from './attack.ts';
import { type Answer, answerOf, type World } from './world.ts';

const OF = { audience: 'app', workspace: 'demo', sub: 'eve' };
let count = 0;

/** Runs with a provider of its own, so that caches and cooldowns of others do not matter. */
async function withProvider<T>(
  world: World,
  mode: KeySetMode,
  run: (issuer: FakeIssuer, id: string) => Promise<T>,
): Promise<T> {
  const issuer = await startIssuer();
  issuer.mode = mode;
  try {
    const id = await addProvider(world.dev, {
      name: `keys-${++count}`,
      issuer: issuer.issuer,
      audiences: ['app'],
      jwksUri: issuer.jwksUri,
    });
    return await run(issuer, id);
  } finally {
    await issuer.close();
  }
}

/** A provider whose key set is bad from the start; and the service is well meanwhile. */
async function refusedKeySet(world: World, mode: KeySetMode): Promise<Answer> {
  return withProvider(world, mode, async (issuer) => {
    const asked = world.ask(issuer.token(OF));
    const stream = await openStream(eventsUrl(world.dev), { headers: bearer(world.token) });
    await stream.system('connected', 2000);
    stream.close();
    const started = performance.now();
    const answer = await asked;
    expect(performance.now() - started, 'answered in time').toBeLessThan(6000);
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    return answer;
  });
}

/** Attacks on key sets. */
export const jwks: Attacks = {
  A113: {
    goodTokens: 2,
    async run(world) {
      return withProvider(world, 'ok', async (issuer) => {
        expect((await world.ask(issuer.token(OF))).status).toBe(200);
        const before = issuer.fetches();
        const answers: Answer[] = [];
        for (let i = 0; i < 100; i++)
          answers.push(await world.ask(signToken(makeKey('ES256'), {}, { alg: 'RS256', kid: `unknown-${i}` })));
        const claims = JSON.parse(Buffer.from(issuer.token(OF).split('.')[1] ?? '', 'base64url').toString());
        const stranger = makeKey('RS256');
        for (let i = 0; i < 100; i++)
          answers.push(await world.ask(signToken(stranger, claims, { kid: `unknown-${i}` })));
        expect(issuer.fetches() - before, 'at most one fetch for two hundred unknown keys').toBeLessThanOrEqual(1);
        expect((await world.ask(issuer.token(OF))).status, 'the known key still works').toBe(200);
        return answers;
      });
    },
  },
  A115: {
    mayAskIam: true,
    async run(world) {
      return withProvider(world, 'ok', async (issuer, id) => {
        const answers = [await world.ask(issuer.token(OF))];
        for (const mode of ['error', 'html', 'empty'] as const) {
          issuer.mode = mode;
          // The push makes the refetch happen now, instead of when the cache runs out.
          await admin(world.dev, 'POST', `external-auth-providers/${id}/refresh-keys`, {});
          answers.push(await world.ask(issuer.token(OF)));
        }
        return answers;
      });
    },
  },
  A116: {
    goodTokens: 1,
    async run(world) {
      return [await refusedKeySet(world, 'hang')];
    },
  },
  A117: {
    goodTokens: 4,
    async run(world) {
      return [
        await refusedKeySet(world, 'huge'),
        await refusedKeySet(world, 'endless'),
        await refusedKeySet(world, 'gzip-bomb'),
        await refusedKeySet(world, 'too-many'),
      ];
    },
  },
  A118: {
    async run(world) {
      return [
        await withProvider(world, 'redirect', async (issuer) => {
          const answer = await world.ask(issuer.token(OF));
          expect(issuer.requests.get('/other-jwks') ?? 0, 'the redirect was not followed').toBe(0);
          return answer;
        }),
      ];
    },
  },
  A120: {
    decided: {
      why: 'an address that may not be fetched is refused where the provider is added, or AUTH_ERROR when its name leads there later (docs/configuration.md, providers.allowPrivateAddresses)',
      status: [400, 503],
      code: ['BAD_REQUEST', 'AUTH_ERROR'],
    },
    mayAskIam: true,
    async run() {
      // Without the setting for tests that allows private addresses.
      const dev = await startDev();
      try {
        const answers: Answer[] = [];
        for (const host of [
          '127.0.0.1',
          'localhost',
          '[::1]',
          '[::ffff:127.0.0.1]',
          '[::ffff:7f00:1]',
          '2130706433',
          '0x7f.1',
          '169.254.169.254',
          '10.0.0.1',
          '192.168.1.1',
          '[fd00::1]',
          '[fe80::1]',
          '0.0.0.0',
          '100.64.0.1',
        ]) {
          const issuer = `https://${host}:9`;
          const { status, json } = await admin(dev, 'POST', 'external-auth-providers', {
            name: 'inside',
            issuer,
            audiences: ['app'],
            jwksUri: `${issuer}/jwks`,
            mapping: { defaultRole: 'viewer' },
          });
          if (status !== 201) {
            answers.push({ what: host, status, code: json.code, body: '', headers: new Headers() });
            continue;
          }
          const token = signToken(makeKey('RS256'), {
            iss: issuer,
            aud: 'app',
            sub: 'x',
            iat: Math.floor(Date.now() / 1000),
            exp: Math.floor(Date.now() / 1000) + 60,
          });
          const response = await fetch(eventsUrl(dev), { headers: bearer(token) });
          const body = await response.text();
          answers.push({
            what: host,
            status: response.status,
            code: JSON.parse(body).code,
            body,
            headers: response.headers,
          });
          await adminOk(dev, 'DELETE', `external-auth-providers/${json.id}`);
        }
        const plain = await admin(dev, 'POST', 'external-auth-providers', {
          name: 'plain',
          issuer: 'http://login.example.org',
          audiences: ['app'],
          mapping: {},
        });
        answers.push({
          what: 'plain http',
          status: plain.status,
          code: plain.json.code,
          body: '',
          headers: new Headers(),
        });
        return answers;
      } finally {
        await dev.stop();
      }
    },
  },
  A121: {
    mayAskIam: true,
    async run(world) {
      return withProvider(world, 'ok', async (issuer) => {
        const answers = [await world.ask(issuer.token(OF))];
        issuer.key = makeKey('RS256');
        issuer.published = [...issuer.published, issuer.key.publicJwk];
        // Many at once share one refetch.
        const before = issuer.fetches();
        answers.push(...(await Promise.all(Array.from({ length: 10 }, () => world.ask(issuer.token(OF))))));
        expect(issuer.fetches() - before).toBe(1);
        return answers;
      });
    },
  },
  A122: {
    goodTokens: 1,
    async run(world) {
      return withProvider(world, 'ok', async (issuer, id) => {
        const token = issuer.token(OF);
        expect((await world.ask(token)).status).toBe(200);
        issuer.published = [makeKey('RS256').publicJwk];
        await adminOk(world.dev, 'POST', `external-auth-providers/${id}/refresh-keys`, {});
        return [await world.ask(token)];
      });
    },
  },
  A123: {
    mayAskIam: true,
    async run() {
      const dev = await startDev();
      try {
        const token = await serviceToken(dev);
        const ask = async (): Promise<Answer> =>
          answerOf('the key', await fetch(eventsUrl(dev), { headers: bearer(token) }));
        expect((await ask()).status).toBe(200);
        // The operator, on the store of the running service.
        const kid = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
        const revoked = await runCommand(['keys', 'revoke', kid, '--data', dev.data]);
        expect(revoked.code, revoked.stderr).toBe(0);
        // Another process did it, so that the service hears of it with the next heartbeat of the feed. What happens
        // to streams that are open then is measured where every cause of an end is.
        return [
          await until(
            'the key is dead',
            async () => {
              const answer = await ask();
              return answer.status === 200 ? undefined : answer;
            },
            2000,
          ),
        ];
      } finally {
        await dev.stop();
      }
    },
  },
  A124: {
    goodTokens: 2,
    async run(world) {
      return withProvider(world, 'ok', async (issuer, id) => {
        const good = issuer.token(OF);
        expect((await world.ask(good)).status).toBe(200);
        // A set with two keys of one kid is refused, and the good one is kept.
        issuer.mode = 'same-kid';
        await admin(world.dev, 'POST', `external-auth-providers/${id}/refresh-keys`, {});
        expect((await world.ask(good)).status, 'the last good set is kept').toBe(200);
        const claims = JSON.parse(Buffer.from(good.split('.')[1] ?? '', 'base64url').toString());
        const before = issuer.fetches();
        const answers = [];
        for (let i = 0; i < 20; i++)
          answers.push(await world.ask(signToken(makeKey('ES256', issuer.key.kid), claims, { alg: 'RS256' })));
        expect(issuer.fetches() - before, 'bad signatures do not make it fetch each time').toBeLessThanOrEqual(1);
        return answers;
      });
    },
  },
};
