import { expect } from 'vitest';
import { type Attacks, tokens } from './attack.ts';
import { rawGet } from './world.ts';

/** Attacks on the claim `workspaces` and on the slug in the URL. */
export const workspace: Attacks = {
  A062: {
    async run({ ask, token, own }) {
      return [
        await ask(token, 'header', {}, 'other'),
        await ask(token, 'query', {}, 'other'),
        await ask(own.with({ workspaces: ['other'] })),
        await ask(own.with({ workspaces: [] })),
        // A workspace that does not exist answers just so.
        await ask(token, 'header', {}, 'does-not-exist'),
      ];
    },
  },
  A063: {
    decided: {
      why: 'the claim is an array of slugs (docs/realtime/authentication.md): a bare text refuses the whole token, for its own workspace too',
      status: 401,
      code: 'INVALID_TOKEN',
    },
    async run({ ask, own }) {
      const answers = [];
      for (const slug of ['de', 'd', 'demo-1', 'emo', 'demo'])
        answers.push(await ask(own.with({ workspaces: 'demo' }), 'header', {}, slug));
      return answers;
    },
  },
  A065: tokens(({ own }) =>
    [
      ['*'],
      ['de*'],
      [''],
      [null],
      [['demo']],
      ['demo', '*'],
      ['demo', ''],
      ['demo', null],
      ['demo', 1],
      { demo: true },
    ].map((workspaces) => own.with({ workspaces })),
  ),
  A066: tokens(({ own }) => [own.with({ workspaces: undefined })]),
  A067: {
    decided: {
      why: '100,000 entries are over the cap of 8 KiB (A035); 1,000 fit in and are over the cap on entries',
      status: 401,
      code: 'INVALID_TOKEN',
    },
    async run({ ask, own }) {
      return [await ask(own.with({ workspaces: ['demo', ...Array.from({ length: 1000 }, () => 'a')] }))];
    },
  },
  A068: tokens(
    ({ own }) =>
      ['Demo', 'DEMO', 'd\u0435mo', 'demo.', 'demo ', 'demo\u0301', '-demo', 'demo_', ' demo'].map((slug) =>
        own.with({ workspaces: [slug] }),
      ),
    {
      why: 'an entry that is no slug refuses the whole token, as A065 asks of every bad entry; in the URL such spellings are A070',
      status: 401,
      code: 'INVALID_TOKEN',
    },
  ),
  A070: {
    decided: {
      why: 'a path that is none of ours because of a further slash is NOT_FOUND (exact routes, A171)',
      status: [400, 404],
      code: ['BAD_REQUEST', 'NOT_FOUND'],
    },
    async run({ raw, token }) {
      const answers = [];
      for (const slug of [
        'demo%2F..%2Fother',
        '..%2fdemo',
        'demo;v=1',
        'demo%00',
        '%252e%252e',
        '%64emo',
        '..',
        '.',
        '%2e%2e/demo',
        'demo/../demo',
        'demo//',
        '',
        'x'.repeat(64),
        'demo%0d%0aX-Evil:1',
        'demo\\..\\other',
        'Demo',
        'demo.',
        'demo%20',
        '-demo',
        'd%D0%B5mo',
      ]) {
        const answer = await raw(rawGet(`/realtime/workspace/${slug}/events`, [`Authorization: Bearer ${token}`]));
        expect(answer.headers.get('x-evil')).toBeNull();
        expect(answer.headers.get('location')).toBeNull();
        answers.push(answer);
      }
      return answers;
    },
  },
  A072: {
    decided: {
      why: 'a workspace that does not exist answers as one the token does not name (docs/realtime/authentication.md)',
      status: 403,
      code: 'WORKSPACE_MISMATCH',
    },
    mayAskIam: true,
    async run({ ask, own, token }) {
      const named = await ask(own.with({ workspaces: ['ghost'] }), 'header', {}, 'ghost');
      const notNamed = await ask(token, 'header', {}, 'ghost');
      const body = (text: string): string => text.replace(/req_[\w-]+/, '');
      expect(body(named.body)).toBe(body(notNamed.body));
      expect(named.headers.get('www-authenticate')).toBe(notNamed.headers.get('www-authenticate'));
      return [named, notNamed];
    },
  },
};
