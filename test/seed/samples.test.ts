// Each code sample of the authentication guide runs against the system, its text unaltered.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { admin, devToken, serviceToken } from '../support/api.ts';
import { type Child, runCommand, startProcess, temporaryFolder } from '../support/centrali.ts';
import { claimsOf } from '../support/forge.ts';
import { until } from '../support/wait.ts';
import { bundle, type Sample, sampleText } from './samples.ts';
import { type Seed, startSeed } from './setup.ts';

let seed: Seed;
/** The same, with tokens of service accounts that live for three seconds. */
let short: Seed;
const folder = temporaryFolder();
const running: Child[] = [];

beforeAll(async () => {
  [seed, short] = await Promise.all([
    startSeed(),
    startSeed({ env: { CENTRALI_TOKENS_SERVICE_LIFETIME_SECONDS: '3' } }),
  ]);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((child) => child.kill()));
});
afterAll(async () => {
  await Promise.all([seed?.stop(), short?.stop()]);
  folder.remove();
});

let files = 0;

/** A sample that runs in a process of its own. */
interface Running {
  readonly child: Child;
  /** Waits until the sample has said something; its value. */
  said(what: string): Promise<any>;
  /** Everything it has said so far under a name. */
  all(what: string): any[];
}

async function start(sample: Sample, env: Record<string, string> = {}, of: Seed = seed): Promise<Running> {
  const file = join(folder.path, `${sample}-${++files}.mjs`);
  writeFileSync(file, await bundle(sample));
  const child = startProcess(process.execPath, [file], { env: { SEED_SERVICE: of.dev.baseUrl, ...env } });
  running.push(child);
  const read = (line: string): { what: string; value: any } | undefined => {
    try {
      return JSON.parse(line);
    } catch {
      return undefined;
    }
  };
  const all = (what: string): any[] =>
    child
      .stdout()
      .split('\n')
      .map(read)
      .filter((said) => said?.what === what)
      .map((said) => said?.value);
  return {
    child,
    all,
    said: (what) =>
      child
        .line((line) => {
          const said = read(line);
          return said?.what === what ? { value: said.value } : undefined;
        }, 10_000)
        .then(({ value }) => value),
  };
}

/** Publishes until the sample has got an event that was published after this call. */
async function getsEvents({ child }: Running, of: Seed = seed): Promise<void> {
  const ids: string[] = [];
  const came = async (): Promise<boolean> => {
    if (ids.some((id) => child.stdout().includes(`"${id}"`))) return true;
    ids.push(await of.publishOne());
    return false;
  };
  await until('an event has come', came, 10_000).catch((error: unknown) => {
    throw new Error(`${child.stdout()}\n${child.stderr()}`, { cause: error });
  });
}

describe('user token', () => {
  it('opens the stream, and events reach handleEvent', async () => {
    const token = await devToken(seed.dev, { sub: 'ann', role: 'viewer' });
    const sample = await start('user-token', { SEED_TOKEN: token });
    await getsEvents(sample);
    const [request] = sample.all('request');
    expect(request).toMatchObject({ host: 'api.centrali.io', path: '/realtime/workspace/my-workspace/events' });
    expect(request.query).toContain('access_token');
    expect(sample.all('event')[0]).toMatchObject({ event: 'record_created', workspaceSlug: 'my-workspace' });
  });
});

describe('setToken', () => {
  it('lets a subscription go on whose token has expired', async () => {
    await devToken(seed.dev, { sub: 'ben', role: 'viewer' });
    const sample = await start('set-token', {
      SEED_TOKEN: await devToken(seed.dev, { sub: 'ben', ttl: 2 }),
      SEED_NEW_TOKEN: await devToken(seed.dev, { sub: 'ben', ttl: 600 }),
    });
    await sample.said('error');
    await getsEvents(sample);
    expect(sample.all('error')).toEqual(['TOKEN_EXPIRED']);
    expect(sample.all('connected').length).toBe(2);
  });
});

const credentials = ({ dev }: Seed): Record<string, string> => ({
  CENTRALI_CLIENT_ID: dev.clientId,
  CENTRALI_CLIENT_SECRET: dev.clientSecret,
});
const tokenRequests = (sample: Running): unknown[] =>
  sample.all('request').filter(({ path }) => path === '/oidc/token');

describe('service account', () => {
  it('fetches its token on first use, from the host for logins', async () => {
    const sample = await start('service-account', credentials(seed));
    await getsEvents(sample);
    expect(
      sample
        .all('request')
        .map(({ host, path }) => `${host}${path}`)
        .slice(0, 2),
    ).toEqual(['auth.centrali.io/oidc/token', 'api.centrali.io/realtime/workspace/my-workspace/events']);
  });

  it.each(['token-expired', 'service-account-refresh'] as const)(
    '%s goes on past the end of its token',
    async (name) => {
      const sample = await start(name, credentials(short), short);
      await getsEvents(sample, short);
      const before = tokenRequests(sample).length;
      // The handler fetches the new token; the SDK does not fetch another one beside it.
      await until('the handler has fetched a token', () => tokenRequests(sample).length > before);
      await getsEvents(sample, short);
      const streams = sample.all('request').filter(({ path }) => path.endsWith('/events')).length;
      expect(tokenRequests(sample).length).toBe(streams);
      expect(sample.child.stderr()).toBe('');
    },
  );
});

describe('the switch over all codes', () => {
  it('MISSING_TOKEN redirects to the login', async () => {
    const sample = await start('switch-over-codes');
    await sample.said('redirectToLogin');
    expect(sample.all('request').length).toBeLessThanOrEqual(1);
  });

  it('TOKEN_EXPIRED refreshes and reconnects, though the handler does not return its promise', async () => {
    await devToken(seed.dev, { sub: 'cem', role: 'viewer' });
    const sample = await start('switch-over-codes', {
      SEED_TOKEN: await devToken(seed.dev, { sub: 'cem', ttl: 2 }),
      SEED_REFRESHED_TOKEN: await devToken(seed.dev, { sub: 'cem', ttl: 600 }),
    });
    await sample.said('reconnect');
    await getsEvents(sample);
    expect(sample.all('refreshToken').length).toBe(1);
    expect(sample.all('request').length).toBe(2);
  });

  it.each([
    ['INVALID_TOKEN', 'Invalid token: ', (): Promise<string> => Promise.resolve('not-a-token')],
    [
      'WORKSPACE_MISMATCH',
      'Token not valid for this workspace',
      (): Promise<string> => devToken(seed.demo, { sub: 'u', role: 'viewer' }),
    ],
    ['FORBIDDEN', 'Permission denied', (): Promise<string> => devToken(seed.dev, { sub: 'nobody' })],
  ] as const)('%s prints what the sample says', async (_, text, token) => {
    const sample = await start('switch-over-codes', { SEED_TOKEN: await token() });
    await until(text, () => sample.child.stderr().includes(text));
    expect(sample.all('request').length, 'it is final').toBe(1);
  });
});

describe('decodeToken', () => {
  it('reads a hundred random tokens with claims that are not ASCII', async () => {
    // A generator of its own, so that a failure comes again.
    let state = 20261124;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const letters = Array.from('abc>?~<&é中😀ÿþ\u00ad\u2028"\\/ ');
    const text = (length: number): string => Array.from({ length }, () => letters[random(letters.length)]).join('');
    const tokens: string[] = [];
    const wanted: { sub: string; name: string }[] = [];
    while (tokens.length < 100) {
      const sub = `u${Array.from({ length: 12 }, () => Array.from('abc>?~é中😀ÿ')[random(10)]).join('')}`;
      const name = text(random(60));
      const { status, json } = await admin(seed.dev, 'POST', 'dev-tokens', { sub, claims: { display_name: name } });
      expect(status, JSON.stringify(json)).toBe(201);
      tokens.push(json.token);
      wanted.push({ sub, name });
    }
    // oxlint-disable-next-line typescript/no-implied-eval -- the sample's own text is what is tested
    const decode = new Function(
      'token',
      `${sampleText('decode-token').split('\n').slice(1, 5).join('\n').replace('token: string', 'token')}\nreturn decodeToken(token);`,
    ) as (token: string) => any;
    for (const [i, token] of tokens.entries()) {
      expect(token.split('.')[1]).toMatch(/^[A-Za-z0-9]+$/);
      const claims = decode(token);
      expect(claims).toEqual(claimsOf(token));
      expect({ sub: claims.sub, name: claims.display_name }).toEqual(wanted[i]);
    }
  });

  it('prints user, workspaces and expiry as the sample does', async () => {
    const token = await devToken(seed.dev, { sub: 'dora', role: 'viewer' });
    const { child } = await start('decode-token', { SEED_TOKEN: token });
    await child.line((line) => (line.startsWith('Expires:') ? line : undefined));
    const { exp } = claimsOf(token);
    expect(child.stdout()).toBe(
      `User ID: dora\nWorkspace: [ 'my-workspace' ]\nExpires: ${new Date(exp * 1000).toISOString()}\n`,
    );
  });

  it('reads the tokens of service accounts too', async () => {
    const claims = JSON.parse(atob((await serviceToken(seed.dev)).split('.')[1] ?? ''));
    expect(claims).toMatchObject({ sub: seed.dev.clientId, workspaces: ['my-workspace'] });
  });
});

describe('the connection test', () => {
  it('says that authentication was successful', async () => {
    const token = await devToken(seed.dev, { sub: 'eli', role: 'viewer' });
    const { child } = await start('test-connection', { SEED_TOKEN: token });
    await child.line((line) => (line === 'Authentication successful!' ? line : undefined));
    expect(child.stderr()).toBe('');
  });

  it('says why it failed', async () => {
    const { child } = await start('test-connection', { SEED_TOKEN: 'nonsense' });
    await until('it says why', () => child.stderr().includes('\n'));
    expect(child.stderr()).toMatch(/^Auth failed: INVALID_TOKEN \S/);
  });
});

it('the command line finds a workspace that was made on the store', async () => {
  const listed = await runCommand(['workspace', 'list', '--data', seed.dev.data, '--json']);
  expect(listed.stdout).toContain('my-workspace');
});
