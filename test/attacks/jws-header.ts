import { createPublicKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { base64url, forge, header, makeKey } from '../support/forge.ts';
import { type Attacks, tokens } from './attack.ts';
import type { Signer } from './world.ts';

const N256 = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');

/** A token without a signature. */
function unsigned(signer: Signer, alg: string, signature = ''): string {
  return `${base64url(JSON.stringify(signer.header({ alg })))}.${base64url(JSON.stringify(signer.claims()))}.${signature}`;
}

/** The same claims under a changed header, signed with the key that the service trusts. */
const changed = (signer: Signer, extra: Record<string, unknown>): string => signer.sign(signer.claims(), extra);

/** The DER form of an r||s signature. */
function der(raw: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    const value = bytes[0]! > 127 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
    return Buffer.concat([Buffer.of(2, value.length), value]);
  };
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
}

function resigned(token: string, change: (signature: Buffer) => Buffer): string {
  const [head, payload, signature] = token.split('.');
  return `${head}.${payload}.${base64url(change(Buffer.from(signature ?? '', 'base64url')))}`;
}

/** Attacks by the header of the token. */
export const jwsHeader: Attacks = {
  A001: tokens(({ signers }) => signers.map((signer) => unsigned(signer, 'none'))),
  A002: tokens(({ signers }) =>
    signers.flatMap((signer) => ['nOnE', 'NONE', 'None'].map((alg) => unsigned(signer, alg))),
  ),
  A003: tokens(({ signers }) => signers.map((signer) => unsigned(signer, 'none', signer.with({}).split('.')[2]))),
  A004: tokens(({ signers }) =>
    signers.flatMap((signer) => {
      const key = createPublicKey(signer.publicPem);
      const secrets = [
        signer.publicPem,
        signer.publicPem.trimEnd(),
        ` ${signer.publicPem}`,
        key.export({ type: 'spki', format: 'der' }),
        key.export({ type: 'pkcs1', format: 'pem' }),
        JSON.stringify(key.export({ format: 'jwk' })),
        JSON.stringify(signer.key.publicJwk),
      ];
      return secrets.map((secret) =>
        forge(signer.header({ alg: 'HS256' }), signer.claims(), secret as string, 'HS256'),
      );
    }),
  ),
  A005: tokens(({ signers }) =>
    signers.map((signer) => forge(signer.header({ alg: 'HS256' }), signer.claims(), '', 'HS256')),
  ),
  A006: tokens(({ signers }) =>
    signers.flatMap((signer) =>
      ['PS256', 'RS384', 'RS512'].map((alg) =>
        forge(signer.header({ alg }), signer.claims(), signer.key.privateKey, alg),
      ),
    ),
  ),
  A007: tokens(({ elliptic }) => {
    const token = elliptic.with({});
    return [
      resigned(token, der),
      resigned(token, () => Buffer.alloc(64)),
      resigned(token, () => Buffer.concat([N256, N256])),
      resigned(token, (raw) => Buffer.concat([N256, raw.subarray(32)])),
      resigned(token, (raw) => Buffer.concat([raw.subarray(0, 32), N256])),
      resigned(token, (raw) => Buffer.concat([raw, Buffer.of(0)])),
    ];
  }),
  A009: tokens(({ signers }) => {
    const attacker = makeKey('RS256');
    return signers.flatMap((signer) => [
      forge({ ...header(attacker), jwk: attacker.publicJwk }, signer.claims(), attacker.privateKey, 'RS256'),
      forge({ ...signer.header(), jwk: attacker.publicJwk }, signer.claims(), attacker.privateKey, 'RS256'),
      changed(signer, { jwk: signer.key.publicJwk }),
    ]);
  }),
  A010: {
    async run({ ask, signers }) {
      const attacker = makeKey('RS256');
      let requests = 0;
      const server = createServer((_, response) => {
        requests++;
        response.end(JSON.stringify({ keys: [attacker.publicJwk] }));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
      const answers = [];
      for (const signer of signers) {
        for (const name of ['jku', 'x5u']) {
          for (const target of [url, 'http://169.254.169.254/latest/meta-data']) {
            answers.push(
              await ask(forge({ ...header(attacker), [name]: target }, signer.claims(), attacker.privateKey, 'RS256')),
            );
            answers.push(await ask(changed(signer, { [name]: target })));
          }
        }
      }
      expect(requests, 'nothing was fetched').toBe(0);
      server.close();
      return answers;
    },
  },
  A011: tokens(({ signers }) => {
    const attacker = makeKey('RS256');
    const x5c = [Buffer.from('self-signed').toString('base64')];
    return signers.flatMap((signer) => [
      forge({ ...signer.header(), x5c }, signer.claims(), attacker.privateKey, 'RS256'),
      changed(signer, { x5c }),
    ]);
  }),
  A013: tokens(({ signers }) =>
    signers.flatMap((signer) =>
      // 64 KiB do not pass the cap on a token's length (see A035): 257 and 5,000 characters do.
      [1, ['a'], { a: 1 }, true, null, '', 'k'.repeat(257), 'k'.repeat(4000)].map((kid) => changed(signer, { kid })),
    ),
  ),
  A014: tokens(({ signers, elliptic }) => [...signers, elliptic].map((signer) => changed(signer, { kid: undefined }))),
  A016: tokens(({ foreign, misused }) =>
    misused.map((key) => forge(header(key), foreign.claims(), key.privateKey, 'RS256')),
  ),
  A018: tokens(({ signers }) =>
    signers.flatMap((signer) =>
      [[], 'exp', ['unknown'], ['exp', 'exp'], {}].map((crit) => changed(signer, { crit, exp: 1 })),
    ),
  ),
  A019: tokens(({ signers }) =>
    signers.flatMap((signer) => [changed(signer, { b64: false, crit: ['b64'] }), changed(signer, { b64: false })]),
  ),
  A021: tokens(({ signers }) => signers.map((signer) => changed(signer, { zip: 'DEF' }))),
  A022: tokens(({ own }) => {
    const part = base64url('x'.repeat(32));
    const jwe = (head: Record<string, unknown>): string =>
      [base64url(JSON.stringify(head)), part, part, part, part].join('.');
    return [
      jwe({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: own.key.kid }),
      jwe({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' }),
      jwe({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31, p2s: 'AAAA' }),
    ];
  }),
  A023: tokens(({ signers }) =>
    signers.flatMap((signer) => [signer.sign(signer.with({}), { cty: 'JWT' }), changed(signer, { cty: 'JWT' })]),
  ),
  A024: tokens(({ own, foreign }) => [
    ...[
      'JWT',
      undefined,
      'dpop+jwt',
      'secevent+jwt',
      'client-authentication+jwt',
      'logout+jwt',
      'at+jwt; x',
      ' at+jwt',
      '',
      1,
    ].map((typ) => changed(own, { typ })),
    ...['dpop+jwt', 'secevent+jwt', 'logout+jwt', 'client-authentication+jwt'].map((typ) => changed(foreign, { typ })),
  ]),
  A025: tokens(({ signers }) =>
    signers.flatMap((signer) => {
      const { alg, kid } = signer.key;
      return [
        `{"alg":"none","alg":"${alg}","typ":"at+jwt","kid":"${kid}"}`,
        `{"alg":"${alg}","typ":"at+jwt","kid":"${kid}","kid":"${kid}"}`,
        `{"alg":"none","\\u0061lg":"${alg}","typ":"at+jwt","kid":"${kid}"}`,
      ].map((text) => forge(text, signer.claims(), signer.key.privateKey, alg));
    }),
  ),
};
