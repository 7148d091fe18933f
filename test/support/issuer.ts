/**
 * A fake login provider: discovery document and key set over http on loopback, with modes for every way in
 * which a key set can fail, and counts of what was asked.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { goodClaims, makeKey, type Part, type SigningKey, signToken } from './forge.ts';

/** How the key set answers. */
export type KeySetMode =
  | 'ok'
  | 'error'
  | 'hang'
  | 'redirect'
  | 'huge'
  | 'endless'
  | 'gzip-bomb'
  | 'empty'
  | 'html'
  | 'same-kid'
  | 'too-many';

/** A running provider. */
export interface FakeIssuer {
  /** Its issuer identifier: `http://127.0.0.1:port`, as `host` says. */
  readonly issuer: string;
  readonly jwksUri: string;
  /** The key that `token` signs with; set another one to rotate. */
  key: SigningKey;
  /** The keys that are published. */
  published: Readonly<Record<string, unknown>>[];
  mode: KeySetMode;
  /** Requests by path since the start. */
  readonly requests: ReadonlyMap<string, number>;
  /** How often the key set was asked for. */
  fetches(): number;
  /** A token of this issuer for an audience. */
  token(of: { audience: string; workspace: string; sub: string }, extra?: Record<string, unknown>): string;
  /** Signs any claims with the present key. */
  sign(claims: Part, header?: Record<string, unknown>): string;
  close(): Promise<void>;
}

/** Starts one. `host` is the name that its URLs carry; it listens on 127.0.0.1. */
export async function startIssuer({ host = '127.0.0.1' }: { host?: string } = {}): Promise<FakeIssuer> {
  const requests = new Map<string, number>();
  const hanging = new Set<ServerResponse>();
  const key = makeKey();
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    requests.set(path, (requests.get(path) ?? 0) + 1);
    const json = (value: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(200, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(value));
    };
    if (path === '/.well-known/openid-configuration' || path === '/.well-known/oauth-authorization-server') {
      json({
        issuer: fake.issuer,
        jwks_uri: fake.jwksUri,
        token_endpoint: `${fake.issuer}/token`,
        authorization_endpoint: `${fake.issuer}/authorize`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      });
      return;
    }
    if (path !== '/jwks') {
      response.writeHead(404).end();
      return;
    }
    switch (fake.mode) {
      case 'ok':
        json({ keys: fake.published });
        return;
      case 'error':
        response.writeHead(500).end('no');
        return;
      case 'hang':
        hanging.add(response);
        return;
      case 'redirect':
        response.writeHead(302, { location: `${fake.issuer}/other-jwks` }).end();
        return;
      case 'huge':
        json({ keys: fake.published, padding: 'x'.repeat(8 * 1024 * 1024) });
        return;
      case 'endless': {
        response.writeHead(200, { 'content-type': 'application/json' });
        const more = (): void => {
          while (!response.destroyed && response.write(' '.repeat(64 * 1024)));
        };
        response.on('drain', more);
        more();
        return;
      }
      case 'gzip-bomb': {
        // 16 MiB of spaces around a key set, 16 KiB on the wire.
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
        void import('node:zlib').then(({ gzipSync }) =>
          response.end(gzipSync(JSON.stringify({ keys: fake.published }) + ' '.repeat(16 * 1024 * 1024))),
        );
        return;
      }
      case 'empty':
        json({ keys: [] });
        return;
      case 'html':
        response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>maintenance</h1>');
        return;
      case 'same-kid':
        json({ keys: [...fake.published, { ...makeKey('RS256', fake.key.kid).publicJwk }] });
        return;
      case 'too-many':
        json({
          keys: [...fake.published, ...Array.from({ length: 100 }, (_, i) => ({ ...key.publicJwk, kid: `k${i}` }))],
        });
        return;
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`;
  const fake: FakeIssuer = {
    issuer,
    jwksUri: `${issuer}/jwks`,
    key,
    published: [key.publicJwk],
    mode: 'ok',
    requests,
    fetches: () => requests.get('/jwks') ?? 0,
    token: (of, extra) => signToken(fake.key, goodClaims({ issuer, ...of }, extra)),
    sign: (claims, extra) => signToken(fake.key, claims, extra),
    close: () =>
      new Promise((resolve) => {
        for (const response of hanging) response.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}
