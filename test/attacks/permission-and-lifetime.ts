import { expect } from 'vitest';
import { adminOk, bearer, devToken, eventsUrl, order, publish } from '../support/api.ts';
import { startDev } from '../support/centrali.ts';
import { challengeAttributes } from '../support/error-answer.ts';
import { type EventStream, openStream } from '../support/event-stream.ts';
import { claimsOf } from '../support/forge.ts';
import type { Attacks } from './attack.ts';
import { type Answer, answerOf, type World } from './world.ts';

/** How long after the answer to a change its effect may take, in ms; generous, since tests share the machine. */
const BOUND = 2000;

async function open(
  { dev }: Pick<World, 'dev'>,
  token: string,
): Promise<{ stream: EventStream; answer: Answer; id: string }> {
  const stream = await openStream(eventsUrl(dev), { headers: bearer(token) });
  const { json } = await stream.system('connected');
  const { status, headers } = stream.response;
  return { stream, id: json.connectionId, answer: { what: 'the stream', status, code: null, body: '', headers } };
}

/** Reads to the end of a stream, which must come by itself, with an error. */
async function endOf(stream: EventStream, timeoutMs = BOUND): Promise<{ code: string; messages: number }> {
  const blocks = (await stream.end(timeoutMs)).filter(({ data }) => data !== undefined);
  const last = JSON.parse(blocks.at(-1)?.data ?? '{}') as { type?: string; code?: string; reason?: string };
  return { code: last.code ?? last.reason ?? '', messages: blocks.filter(({ event }) => event === 'message').length };
}

/** Attacks on what one may, and on for how long. */
export const permissionAndLifetime: Attacks = {
  A089: {
    mayAskIam: true,
    async run({ dev, ask }) {
      const answer = await ask(await devToken(dev, { sub: 'nobody' }));
      const attributes = challengeAttributes(answer.headers.get('www-authenticate') ?? '');
      expect(attributes.get('error')).toBe('insufficient_scope');
      expect(attributes.get('scope')).toBe('realtime:subscribe');
      return [answer];
    },
  },
  A090: {
    mayAskIam: true,
    async run({ ask, own }) {
      const scopes = ['realtime:subscribeX', 'realtime:*', 'REALTIME:SUBSCRIBE', 'realtime :subscribe', '*:*'];
      return Promise.all(scopes.map((scope) => ask(own.with({ scope }))));
    },
  },
  A091: {
    mayAskIam: true,
    async run({ ask, own }) {
      expect((await ask(own.with({ scope: 'openid' }))).status).toBe(200);
      return Promise.all(
        ['realtime:publish', 'openid realtime:publish', 'iam:manage'].map((scope) => ask(own.with({ scope }))),
      );
    },
  },
  A092: {
    doesNotApply:
      'the IAM of this world is in the process of its gateway; two-process/roles.test.ts stops it, and access tests garble it',
  },
  A095: {
    mayAskIam: true,
    async run(world) {
      // Connects that race a revocation: whichever was first, nobody is on a stream a moment after its answer.
      const answers: Answer[] = [];
      for (let round = 0; round < 5; round++) {
        const token = await devToken(world.dev, { sub: 'racer', role: 'viewer' });
        const racing = Array.from({ length: 8 }, () => openStream(eventsUrl(world.dev), { headers: bearer(token) }));
        const revoked = adminOk(world.dev, 'POST', 'revocations', { jti: claimsOf(token).jti });
        const streams = await Promise.all(racing);
        await revoked;
        for (const stream of streams.filter(({ response }) => response.status === 200)) {
          answers.push({ what: 'raced', status: 200, code: null, body: '', headers: stream.response.headers });
          expect((await endOf(stream)).code).toBe('INVALID_TOKEN');
        }
        expect((await world.ask(token)).code).toBe('INVALID_TOKEN');
      }
      const fresh = await open(world, await devToken(world.dev, { sub: 'racer-after', role: 'viewer' }));
      fresh.stream.close();
      return [...answers, fresh.answer];
    },
  },
  A096: {
    mayAskIam: true,
    async run({ dev, ask }) {
      const token = await devToken(dev, { sub: 'flip', role: 'viewer' });
      const answers: Answer[] = [];
      for (let round = 0; round < 10; round++) {
        await adminOk(dev, 'PUT', 'members/flip', { roles: [] });
        expect((await ask(token)).code).toBe('FORBIDDEN');
        await adminOk(dev, 'PUT', 'members/flip', { roles: ['viewer'] });
        answers.push(await ask(token));
      }
      return answers;
    },
  },
  A097: {
    mayAskIam: true,
    async run(world) {
      const token = await devToken(world.dev, { sub: 'eve', ttl: 2 });
      const { stream, answer } = await open(world, token);
      const { code } = await endOf(stream, 4000);
      const late = Date.now() - (claimsOf(token) as { exp: number }).exp * 1000;
      expect(code).toBe('TOKEN_EXPIRED');
      expect(late).toBeGreaterThanOrEqual(-20);
      expect(late).toBeLessThan(BOUND);
      return [answer];
    },
  },
  A100: {
    mayAskIam: true,
    async run({ dev, ask }) {
      const token = await devToken(dev, { sub: 'eve' });
      await adminOk(dev, 'POST', 'revocations', { jti: claimsOf(token).jti });
      const [head = '', payload = '', signature = ''] = token.split('.');
      const last = signature.at(-1) ?? '';
      const next = String.fromCharCode(last.charCodeAt(0) + 1);
      return Promise.all(
        [
          token,
          `${token}=`,
          `${head}=.${payload}.${signature}`,
          `${head}.${payload}%3D.${signature}`,
          `${head}.${payload}.${signature.slice(0, -1)}${next}`,
          `${head}.${payload}.${signature.replaceAll('-', '+').replaceAll('_', '/')}==`,
        ].map((text) => ask(text)),
      );
    },
  },
  A101: {
    mayAskIam: true,
    async run(world) {
      const { stream, answer } = await open(world, await devToken(world.dev, { sub: 'leaver', role: 'viewer' }));
      await adminOk(world.dev, 'DELETE', 'members/leaver');
      expect((await endOf(stream)).code).toBe('FORBIDDEN');
      return [answer];
    },
  },
  A102: {
    mayAskIam: true,
    async run(world) {
      const token = await devToken(world.dev, { sub: 'queued', role: 'viewer' });
      const { stream, answer } = await open(world, token);
      const events = Array.from({ length: 200 }, (_, n) => order(`q${n}`, { text: 'x'.repeat(2000) }));
      const published = publish(world.dev, world.token, events);
      await adminOk(world.dev, 'POST', 'revocations', { jti: claimsOf(token).jti });
      await published;
      // What comes after the answer to the revocation must never arrive.
      await publish(world.dev, world.token, order('after-the-revocation'));
      await endOf(stream).catch(() => {
        // Reset instead, because something was still on its way.
      });
      expect(stream.text()).not.toContain('after-the-revocation');
      return [answer];
    },
  },
  A103: {
    mayAskIam: true,
    async run({ dev }) {
      const token = await devToken(dev, { sub: 'many', role: 'viewer' });
      const streams = await Promise.all(
        Array.from({ length: 110 }, () => fetch(eventsUrl(dev), { headers: bearer(token) })),
      );
      const held = streams.filter(({ status }) => status === 200);
      expect(held).toHaveLength(100);
      const refused = streams.filter(({ status }) => status !== 200);
      const answers = await Promise.all(refused.map((response) => answerOf('one too many', response)));
      for (const { headers } of answers) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      for (const { body } of held) await body?.cancel();
      return answers;
    },
  },
  A104: {
    mayAskIam: true,
    async run() {
      const dev = await startDev({ args: ['--stream-lifetime-seconds', '3'] });
      try {
        const { stream, answer, id } = await open({ dev }, await devToken(dev, { sub: 'week', role: 'viewer' }));
        const url = `${eventsUrl(dev).replace(/events$/, 'connections')}/${id}/token`;
        const token = await devToken(dev, { sub: 'week', ttl: 7200 });
        expect((await fetch(url, { method: 'POST', headers: bearer(token) })).status).toBe(204);
        expect((await endOf(stream, 6000)).code).toBe('lifetime');
        expect(stream.text()).toContain('"renewed"');
        return [answer];
      } finally {
        await dev.stop();
      }
    },
  },
  A105: {
    doesNotApply:
      "nobody outside the process can step its clock; the tests of delivery's ends do it with clocks of their own",
  },
  A106: {
    decided: {
      why: 'no token lives so long: `exp - iat` beyond the issuer’s maxLifetime is INVALID_TOKEN (docs/realtime/authentication.md)',
      status: 401,
      code: 'INVALID_TOKEN',
    },
    async run({ ask, own, foreign }) {
      const exp = Math.floor(Date.now() / 1000) + 30 * 86_400;
      return [await ask(own.with({ exp })), await ask(foreign.with({ exp }))];
    },
  },
};
