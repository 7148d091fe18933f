import { expect } from 'vitest';
import { admin, bearer, eventsUrl } from '../support/api.ts';
import { openStream } from '../support/event-stream.ts';
import { now } from '../support/forge.ts';
import { type Attacks, tokens } from './attack.ts';
import type { World } from './world.ts';

/** Each change of the claims, by each signer. */
const changes = (world: World, list: readonly Record<string, unknown>[]): string[] =>
  world.signers.flatMap((signer) => list.map((extra) => signer.with(extra)));

/** Good claims with a number written as raw text, which JSON.stringify could not. */
function rawNumber(world: World, name: string, text: string): string[] {
  return world.signers.map((signer) =>
    signer.sign(JSON.stringify(signer.claims({ [name]: 'RAW' })).replace(`"${name}":"RAW"`, `"${name}":${text}`)),
  );
}

/** Attacks by what the token says. */
export const claims: Attacks = {
  A042: tokens((world) =>
    changes(world, [
      { iat: now() - 900, exp: now() - 300 },
      { iat: now() - 3000, exp: now() - 1 },
    ]),
  ),
  A043: {
    goodTokens: 2,
    async run(world) {
      const answers = [];
      for (const signer of world.signers) {
        answers.push(await world.ask(signer.with({ iat: now() - 10, exp: now() - 1 })));
        answers.push(await world.ask(signer.with({ iat: now() - 10, exp: now() })));
        // One that is still alive opens, and its stream ends at the boundary.
        const exp = now() + 2;
        const stream = await openStream(eventsUrl(world.dev), {
          headers: bearer(signer.with({ iat: now() - 10, exp })),
        });
        expect(stream.response.status).toBe(200);
        expect((await stream.system('error')).json.code).toBe('TOKEN_EXPIRED');
        expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000 - 50);
        expect(Date.now()).toBeLessThan(exp * 1000 + 1000);
        await stream.end();
      }
      return answers;
    },
  },
  A044: tokens((world) =>
    changes(world, [{ iat: now() - 900, exp: now() - 300 }]).map((token) => {
      const cut = token.lastIndexOf('.') + 3;
      return token.slice(0, cut) + (token[cut] === 'A' ? 'B' : 'A') + token.slice(cut + 1);
    }),
  ),
  A046: tokens((world) => changes(world, [{ exp: undefined }, { exp: null }])),
  A049: tokens((world) => [
    ...changes(world, [
      { exp: now() + 100.5 },
      { exp: String(now() + 100) },
      { exp: [now() + 100] },
      { iat: now() - 0.5 },
    ]),
    ...rawNumber(world, 'exp', '1e308'),
    ...rawNumber(world, 'exp', '1e999'),
    ...rawNumber(world, 'exp', '-1'),
  ]),
  A051: tokens((world) => changes(world, [{ exp: now() + 90_000 }, { iat: now() - 100_000, exp: now() + 100 }])),
  A052: tokens((world) =>
    changes(world, [{ nbf: now() + 180 }, { nbf: String(now()) }, { nbf: null }, { nbf: now() + 0.5 }]),
  ),
  A053: tokens((world) => changes(world, [{ iat: now() + 180 }])),
  A054: tokens((world) =>
    changes(world, [{ iat: undefined }, { iat: String(now()) }, { iat: now() + 30, exp: now() + 20 }, { iat: -1 }]),
  ),
  A056: tokens((world) =>
    world.signers.flatMap((signer) => {
      const aud = String(signer.claims().aud);
      return [
        undefined,
        'https://other.example',
        aud.slice(0, -1),
        `${aud}/`,
        aud.toUpperCase(),
        { aud },
        [[aud]],
        [],
        '',
        null,
        [aud, 1],
        1,
      ].map((value) => signer.with({ aud: value }));
    }),
  ),
  A057: tokens((world) =>
    changes(
      world,
      // 10 KiB do not pass the cap on a token's length (A035): 256 bytes are already too many.
      [undefined, '', 'a\nb', 'a\0', 'a\u007f', 'x'.repeat(256), 'é'.repeat(128), 1, null, ['eve'], { a: 1 }].map(
        (sub) => ({ sub }),
      ),
    ),
  ),
  A058: tokens(({ own }) => [
    own.with({ client_id: undefined }),
    own.with({ jti: undefined }),
    own.with({ client_id: '' }),
    own.with({ jti: 1 }),
    own.with({ client_id: ['a'] }),
  ]),
  A059: {
    decided: {
      why: "client ids are made by the service (ci_ and 24 hex digits) and no user's sub may begin with ci_: refused where it is asked for (docs/administration.md)",
      status: 400,
      code: 'BAD_REQUEST',
    },
    mayAskIam: true,
    async run(world) {
      const answers = [];
      for (const [method, path, body] of [
        ['POST', 'dev-tokens', { sub: world.dev.clientId, role: 'viewer' }],
        ['POST', 'dev-tokens', { sub: 'ci_someone' }],
        ['PUT', `members/${encodeURIComponent('ci_0123456789abcdef01234567')}`, { roles: ['owner'] }],
        ['POST', 'service-accounts', { name: 'x', clientId: 'eve' }],
      ] as const) {
        const { status, json } = await admin(world.dev, method, path, body);
        answers.push({ what: `${method} ${path}`, status, code: json?.code ?? null, body: '', headers: new Headers() });
      }
      // A user's token that calls itself like the account is not the account: the record decides who it is.
      const token = world.own.with({ sub: world.dev.clientId, client_id: 'centrali-dev' });
      const { status } = await world.ask(token);
      expect([401, 403]).toContain(status);
      return answers;
    },
  },
  A060: tokens(({ own, foreign }) => [
    own.sign(own.claims({ nonce: 'n', at_hash: 'h', client_id: undefined, azp: 'app' }), { typ: 'JWT' }),
    own.sign(own.claims({ client_id: undefined }), { typ: undefined }),
    own.sign(own.claims({ scope: 'offline_access' }), { typ: 'rt+jwt' }),
    foreign.sign(foreign.claims(), { typ: 'rt+jwt' }),
    'mF_9.B5f-4.1JqM',
    'tGzv3JOkF0XG5Qx2TlKWIA',
  ]),
  A061: tokens((world) =>
    changes(world, [
      { cnf: { jkt: 'x'.repeat(43) } },
      { cnf: { 'x5t#S256': 'x'.repeat(43) } },
      { cnf: {} },
      { cnf: 'x' },
    ]),
  ),
};
