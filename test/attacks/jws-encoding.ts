import { base64url, forge, header, signature } from '../support/forge.ts';
import { type Attacks, tokens } from './attack.ts';
import { EVENTS, rawGet, type Signer } from './world.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Signs an input as it stands: the parts may be encoded in any way. */
function signed(signer: Signer, head: string, payload: string): string {
  const input = `${head}.${payload}`;
  return `${input}.${base64url(signature(signer.key.alg, signer.key.privateKey, input))}`;
}

const parts = (signer: Signer): [string, string] => [
  base64url(JSON.stringify(signer.header())),
  base64url(JSON.stringify(signer.claims())),
];

/** A signer's token of exactly `length` characters. */
function ofLength(signer: Signer, length: number): string {
  for (let fill = Math.floor((length - signer.with({ fill: '' }).length) * 0.75); ; fill++) {
    const token = signer.with({ fill: 'x'.repeat(fill) });
    if (token.length >= length) return token;
  }
}

/** The same bytes with the unused bits of the last character set: decoders that are lax take it. */
function nonCanonical(part: string): string | undefined {
  if (part.length % 4 === 0) return undefined;
  const last = ALPHABET.indexOf(part.at(-1) ?? 'A');
  return part.slice(0, -1) + ALPHABET[last + 1];
}

/** Puts raw JSON in front of good claims. */
const prefixed = (signer: Signer, text: string): string =>
  signer.sign(`{${text},${JSON.stringify(signer.claims()).slice(1)}`);

/** Attacks by how the token is written down. */
export const jwsEncoding: Attacks = {
  A027: tokens(({ signers, token }) => {
    const [head, payload, sig] = token.split('.');
    return [
      `${head}.${payload}`,
      `${token}.${sig}`,
      `${token}.${sig}.${sig}`,
      `.${payload}.${sig}`,
      `${head}..${sig}`,
      `${head}.${payload}.`,
      '..',
      '.',
      '....',
      ...signers.map((signer) => signer.with({}).split('.').slice(1).join('.')),
    ];
  }),
  A029: tokens(({ signers, token }) => {
    const [head, payload, sig] = token.split('.');
    const lax = nonCanonical(sig ?? '');
    return [
      `${token}=`,
      `${token}==`,
      ...(lax === undefined ? [] : [`${head}.${payload}.${lax}`]),
      ...signers.flatMap((signer) => {
        const [h, p] = parts(signer);
        return [
          signed(signer, `${h}=`, p),
          signed(signer, h, `${p}==`),
          signed(signer, h, `${p.slice(0, 9)}=${p.slice(9)}`),
        ];
      }),
    ];
  }),
  A032: {
    async run({ ask, token }) {
      const answers = [];
      for (const sent of [
        token.replace('.', '\u2024'),
        token.replace('.', '\uFF0E'),
        `${token}\u200B`,
        `\uFEFF${token}`,
        token.replace('e', '\uFF45'),
        token.replace('e', '\u0435'),
        `${token}\0`,
        `${token}\n`,
        ` ${token}`,
      ]) {
        answers.push(await ask(sent, 'query'));
      }
      return answers;
    },
  },
  A033: tokens(({ signers }) =>
    signers.flatMap((signer) => {
      const text = JSON.stringify(signer.claims({ name: 'NAME' }));
      const [before = '', after = ''] = text.split('NAME');
      return [
        Buffer.concat([Buffer.from(before), Buffer.of(0xff, 0xc0, 0x80), Buffer.from(after)]),
        Buffer.concat([Buffer.from(before), Buffer.of(0xed, 0xa0, 0x80), Buffer.from(after)]),
        Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(text)]),
        `${text}x`,
        `${text}\0`,
        `${text}{}`,
        text.slice(0, -1),
        text.replace('{', '{,'),
        text.replace(/}$/, ',}'),
        text.replaceAll('"', "'"),
      ].map((payload) => forge(signer.header(), payload, signer.key.privateKey, signer.key.alg));
    }),
  ),
  A035: {
    async run({ ask, signers }) {
      const answers = [];
      for (const signer of signers) {
        for (const length of [8 * 1024 + 1, 12 * 1024]) {
          answers.push(await ask(ofLength(signer, length), 'query'), await ask(ofLength(signer, length), 'header'));
        }
      }
      return answers;
    },
  },
  A036: {
    async run({ raw }) {
      const token = 'x'.repeat(17 * 1024);
      const answers = [
        await raw(rawGet(`${EVENTS}?access_token=${token}`), { toClose: true }),
        await raw(rawGet(EVENTS, [`Authorization: Bearer ${token}`]), { toClose: true }),
      ];
      // The code may be there or not: the answer is given before any routing.
      return answers.map((answer) => ({ ...answer, code: null }));
    },
  },
  A037: tokens(
    ({ signers }) => signers.map((signer) => prefixed(signer, `"deep":${'['.repeat(2400)}${']'.repeat(2400)}`)),
    {
      why: '100,000 levels are over the cap of 8 KiB (A035); what fits into it is 2,400 levels',
      status: 401,
      code: 'INVALID_TOKEN',
    },
  ),
  A038: {
    decided: {
      why: '100,000 members are over the cap of 8 KiB (A035), so this is BAD_REQUEST before any JSON is read',
      status: [400, 431],
      code: ['BAD_REQUEST', null],
    },
    async run({ ask, own }) {
      const many = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [String(i), 0]));
      return [await ask(own.with(many))];
    },
  },
  A039: tokens(({ signers }) =>
    signers.flatMap((signer) =>
      ['[]', '"text"', '1', 'null', 'true', '', '[{"sub":"eve"}]'].map((payload) =>
        forge(header(signer.key), payload, signer.key.privateKey, signer.key.alg),
      ),
    ),
  ),
  A040: tokens(({ signers }) =>
    signers.flatMap((signer) => [
      prefixed(signer, '"__proto__":{"admin":true}'),
      prefixed(signer, '"constructor":{"prototype":{"admin":true}}'),
    ]),
  ),
  A041: tokens(({ signers }) =>
    signers.flatMap((signer) => [
      prefixed(signer, '"exp":1'),
      prefixed(signer, '"workspaces":["other"]'),
      prefixed(signer, '"iss":"http://evil"'),
      prefixed(signer, '"sub":"other"'),
      prefixed(signer, '"\\u0073ub":"other"'),
      prefixed(signer, '"x":{"a":1,"a":2}'),
    ]),
  ),
};
