import { expect } from 'vitest';
import { bearer, devToken, eventsUrl } from '../support/api.ts';
import type { Attacks } from './attack.ts';
import { type Answer, answerOf, type World } from './world.ts';

async function make({ dev }: World, token: string): Promise<string> {
  const response = await fetch(eventsUrl(dev).replace(/events$/, 'tickets'), {
    method: 'POST',
    headers: bearer(token),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { ticket: string }).ticket;
}

async function redeem({ dev }: World, ticket: string): Promise<Answer> {
  return answerOf('a ticket', await fetch(eventsUrl(dev, { ticket })));
}

/** Attacks on tickets. Making one, and redeeming one that is good, costs IAM a question at most. */
export const tickets: Attacks = {
  A107: {
    goodTokens: 2,
    async run(world) {
      const ticket = await make(world, world.token);
      expect((await redeem(world, ticket)).status).toBe(200);
      return [await redeem(world, ticket), await redeem(world, ticket)];
    },
  },
  A108: {
    goodTokens: 2,
    async run(world) {
      const ticket = await make(world, world.token);
      const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(world, ticket)));
      const lost = answers.filter(({ status }) => status !== 200);
      expect(lost).toHaveLength(19);
      return lost;
    },
  },
  A110: {
    goodTokens: 2,
    async run(world) {
      const ticket = await make(world, world.token);
      await redeem(world, ticket);
      // What a browser sends when it comes again by itself: the same URL, and where it was.
      const url = eventsUrl(world.dev, { ticket });
      const headers = { accept: 'text/event-stream', 'last-event-id': 'e-1-0-00000000', 'cache-control': 'no-cache' };
      return [await answerOf('EventSource again', await fetch(url, { headers }))];
    },
  },
  A111: {
    goodTokens: 3,
    async run(world) {
      const token = await devToken(world.dev, { sub: 'short', role: 'viewer', ttl: 2 });
      const [early, late] = [await make(world, token), await make(world, token)];
      // It says when it ends, and then it does.
      const stream = await fetch(eventsUrl(world.dev, { ticket: early }));
      const text = await stream.text();
      expect(text).toContain('TOKEN_EXPIRED');
      return [await redeem(world, late)];
    },
  },
};
