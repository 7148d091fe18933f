/** What the attacks are run against: one `dev`, the service's own key, and login providers that serve it. */
import { createPublicKey } from 'node:crypto';
import { addProvider, bearer, devToken, eventsUrl, serviceToken } from '../support/api.ts';
import { type Dev, startDev } from '../support/centrali.ts';
import { goodClaims, header, makeKey, ownSigningKey, type Part, type SigningKey, signToken } from '../support/forge.ts';
import { type FakeIssuer, startIssuer } from '../support/issuer.ts';
import { iamChecks } from '../support/metrics.ts';
import { exchange, portOf, type RawAnswer } from '../support/raw-socket.ts';

/** An answer, however it was got. */
export interface Answer {
  /** What was sent, for the failure's message. */
  readonly what: string;
  readonly status: number;
  /** The body's `code`; `null` when it has none. */
  readonly code: string | null;
  readonly body: string;
  readonly headers: Headers;
}

/** Someone whose signature is trusted. */
export interface Signer {
  readonly name: string;
  readonly key: SigningKey;
  /** Good claims of this signer for a principal that may subscribe. */
  claims(extra?: Record<string, unknown>): Record<string, unknown>;
  /** Signs claims under a good header with `extra`. */
  sign(claims: Part, extra?: Record<string, unknown>): string;
  /** Signs good claims, changed. */
  with(extra: Record<string, unknown>): string;
  /** A good header, changed. */
  header(extra?: Record<string, unknown>): Record<string, unknown>;
  readonly publicPem: string;
}

/** Everything an attack needs. */
export interface World {
  readonly dev: Dev;
  /** Our own IAM's key, taken from the data folder. */
  readonly own: Signer;
  /** A provider that signs with RS256 and publishes more keys than that one. */
  readonly foreign: Signer;
  /** The same for ES256. */
  readonly elliptic: Signer;
  readonly signers: readonly Signer[];
  readonly issuer: FakeIssuer;
  /** A good token of the service account. */
  readonly token: string;
  /** Keys that the provider publishes and that must not verify: for encryption, and without `verify`. */
  readonly misused: readonly SigningKey[];
  /** Asks for the stream with a token in the header, or in the query. */
  ask(token: string, via?: 'header' | 'query', query?: Record<string, string>, workspace?: string): Promise<Answer>;
  /** Sends bytes to the public listener. */
  raw(
    bytes: string | readonly string[],
    options?: { timeoutMs?: number; toClose?: boolean },
  ): Promise<Answer & { raw: RawAnswer }>;
  /** How many questions IAM was asked. */
  checks(): Promise<number>;
  close(): Promise<void>;
}

/** Reads an answer. A stream is closed at once: its head says enough. */
export async function answerOf(what: string, response: Response): Promise<Answer> {
  const stream = response.headers.get('content-type') === 'text/event-stream';
  const body = stream ? '' : await response.text();
  if (stream) await response.body?.cancel();
  return { what, status: response.status, code: codeOf(body), body, headers: response.headers };
}

function codeOf(body: string): string | null {
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return typeof code === 'string' ? code : null;
  } catch {
    return null;
  }
}

function signer(
  name: string,
  key: SigningKey,
  of: { issuer: string; audience: string; sub: string },
  extra: Record<string, unknown> = {},
): Signer {
  const claims = (more: Record<string, unknown> = {}): Record<string, unknown> =>
    goodClaims({ ...of, workspace: 'demo' }, { ...extra, ...more });
  return {
    name,
    key,
    claims,
    sign: (part, head) => signToken(key, part, head),
    with: (more) => signToken(key, claims(more)),
    header: (more) => header(key, more),
    publicPem: createPublicKey(key.privateKey).export({ type: 'spki', format: 'pem' }) as string,
  };
}

/** Starts all of it. */
export async function createWorld(): Promise<World> {
  const [dev, issuer, second] = await Promise.all([
    startDev({ env: { CENTRALI_PROVIDERS_ALLOW_PRIVATE_ADDRESSES: 'true' } }),
    startIssuer(),
    startIssuer(),
  ]);
  second.key = makeKey('ES256');
  second.published = [second.key.publicJwk];
  const encryption = makeKey('RS256');
  const wrapping = makeKey('RS256');
  issuer.published = [
    issuer.key.publicJwk,
    { ...encryption.publicJwk, use: 'enc', alg: undefined },
    { ...wrapping.publicJwk, use: undefined, alg: undefined, key_ops: ['wrapKey'] },
  ];
  await addProvider(dev, { name: 'foreign', issuer: issuer.issuer, audiences: ['app'] });
  await addProvider(dev, { name: 'elliptic', issuer: second.issuer, audiences: ['app'], algorithms: ['ES256'] });
  await devToken(dev, { sub: 'eve', role: 'viewer' });
  const own = signer(
    'own',
    await ownSigningKey(dev.data, dev.baseUrl),
    { issuer: dev.baseUrl, audience: dev.baseUrl, sub: 'eve' },
    { client_id: 'centrali-dev' },
  );
  const foreign = signer('foreign', issuer.key, { issuer: issuer.issuer, audience: 'app', sub: 'eve' });
  const elliptic = signer('elliptic', second.key, { issuer: second.issuer, audience: 'app', sub: 'eve' });
  const token = await serviceToken(dev);
  return {
    dev,
    own,
    foreign,
    elliptic,
    signers: [own, foreign],
    issuer,
    token,
    misused: [encryption, wrapping],
    async ask(bearerToken, via = 'header', query = {}, workspace = 'demo') {
      const url = eventsUrl(
        { baseUrl: dev.baseUrl, workspace },
        via === 'query' ? { ...query, access_token: bearerToken } : query,
      );
      const response = await fetch(url, { redirect: 'manual', headers: via === 'header' ? bearer(bearerToken) : {} });
      return answerOf(`${via} ${bearerToken.slice(0, 300)}`, response);
    },
    async raw(bytes, options) {
      const answer = await exchange(portOf(dev.baseUrl), bytes, options);
      const body = /\{.*\}/s.exec(answer.body)?.[0] ?? answer.body;
      return {
        what: String(bytes).slice(0, 300),
        status: answer.status,
        code: codeOf(body),
        body,
        headers: new Headers(
          [...answer.headers].filter(([name, value]) => /^[\w-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value)),
        ),
        raw: answer,
      };
    },
    checks: () => iamChecks(dev.internalUrl),
    close: async () => {
      await Promise.all([dev.stop(), issuer.close(), second.close()]);
    },
  };
}

/** The head of a raw GET of the stream. */
export function rawGet(target: string, headers: readonly string[] = []): string {
  return [`GET ${target} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, '', ''].join('\r\n');
}

/** Path of the stream. */
export const EVENTS = '/realtime/workspace/demo/events';
