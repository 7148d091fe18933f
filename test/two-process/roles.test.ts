// Gateway and IAM as two processes that share nothing but the internal listener and its credential.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminOk, bearer, devToken, eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Child, runCommand, startCommand, temporaryFolder } from '../support/centrali.ts';
import { expectError } from '../support/error-answer.ts';
import { openStream } from '../support/event-stream.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/wait.ts';

const folder = temporaryFolder();
const credential = randomBytes(24).toString('hex');
// What both name as the public URL, here the gateway's: in production a proxy sends each path to its process.
const [gatewayPort, iamPort, strangerPort] = await Promise.all([freePort(), freePort(), freePort()]);
const PUBLIC = `http://127.0.0.1:${gatewayPort}`;

interface Role {
  readonly child: Child;
  readonly internalUrl: string;
}

async function startRole(role: 'gateway' | 'iam', env: Record<string, string>): Promise<Role> {
  const child = startCommand(['start', '--role', role, '--json'], {
    env: {
      CENTRALI_PUBLIC_URL: PUBLIC,
      CENTRALI_PORT: '0',
      CENTRALI_INTERNAL_PORT: '0',
      CENTRALI_INTERNAL_CREDENTIAL: credential,
      CENTRALI_DATA: join(folder.path, role),
      CENTRALI_DEV_TOKENS: 'true',
      CENTRALI_DRAIN_SECONDS: '1',
      CENTRALI_LIMITS_CONNECTS_PER_SECOND_PER_ADDRESS: '0',
      CENTRALI_LOG_LEVEL: 'warn',
      ...env,
    },
  });
  const ready = await child.line((line) => (line.startsWith('{"ready"') ? JSON.parse(line) : undefined));
  expect(ready).toMatchObject({ ready: true, role });
  return { child, internalUrl: ready.internalUrl };
}

const portOf = (url: string): string => new URL(url).port;

let iam: Role;
let gateway: Role;
/** The workspace as IAM's process has it. */
let owner: { baseUrl: string; workspace: string; clientId: string; clientSecret: string; adminToken: string };
let token: string;

beforeAll(async () => {
  const made = await runCommand(['workspace', 'create', 'acme', '--json', '--data', join(folder.path, 'iam')]);
  expect(made.code, made.stderr).toBe(0);
  iam = await startRole('iam', { CENTRALI_PORT: String(iamPort) });
  gateway = await startRole('gateway', { CENTRALI_PORT: String(gatewayPort), CENTRALI_IAM_URL: iam.internalUrl });
  const account = { baseUrl: `http://127.0.0.1:${iamPort}`, workspace: 'acme', ...JSON.parse(made.stdout) };
  owner = { ...account, adminToken: await serviceToken(account, { scope: 'iam:manage' }) };
  token = await serviceToken(owner);
});
afterAll(async () => {
  await Promise.all([gateway?.child.stop(), iam?.child.stop()]);
  folder.remove();
});

const at = (): { baseUrl: string; workspace: string } => ({ baseUrl: PUBLIC, workspace: 'acme' });

describe('gateway and IAM', () => {
  it('carry an event from a publisher to a subscriber, the decision being IAM’s', async () => {
    const stream = await openStream(eventsUrl(at()), { headers: bearer(token) });
    await stream.system('connected');
    const [id] = await publish(at(), token, order('1'));
    expect((await stream.message()).id).toBe(id);
    stream.close();
    const nobody = await devToken(owner, { sub: 'nobody' });
    await expectError(await fetch(eventsUrl(at()), { headers: bearer(nobody) }), 'FORBIDDEN');
    await adminOk(owner, 'PUT', 'members/nobody', { roles: ['viewer'] });
    const now = await openStream(eventsUrl(at()), { headers: bearer(nobody) });
    await now.system('connected');
    now.close();
  });

  it('each serve their own part alone', async () => {
    expect((await fetch(`${PUBLIC}/oidc/jwks`)).status).toBe(404);
    expect((await fetch(`${owner.baseUrl}/realtime/workspace/acme/events`)).status).toBe(404);
    expect((await fetch(`${PUBLIC}/readyz`)).status).toBe(200);
    expect((await fetch(`${owner.baseUrl}/readyz`)).status).toBe(200);
  });

  it.each([
    ['none', {}],
    ['a wrong one', bearer('x'.repeat(48))],
    ['one that begins right', bearer(credential.slice(0, -1))],
    ['a bearer token', 'token'],
    ['another scheme', { authorization: `Basic ${credential}` }],
  ] as const)('the RPC answers 401 to %s as credential', async (_, headers) => {
    const sent = headers === 'token' ? bearer(token) : (headers as Record<string, string>);
    for (const path of ['/internal/check', '/internal/audit']) {
      const response = await fetch(iam.internalUrl + path, {
        method: 'POST',
        headers: { ...sent, 'content-type': 'application/json' },
        body: '[]',
      });
      expect(response.status, path).toBe(401);
    }
    for (const path of ['/internal/changes?after=0', '/internal/jwks']) {
      expect((await fetch(iam.internalUrl + path, { headers: sent })).status, path).toBe(401);
    }
  });

  it('with it, the RPC answers, and refuses what it does not understand', async () => {
    const headers = { ...bearer(credential), 'content-type': 'application/json' };
    expect((await fetch(`${iam.internalUrl}/internal/jwks`, { headers })).status).toBe(200);
    for (const body of ['[]', '{}', '[{}]', 'nonsense']) {
      const response = await fetch(`${iam.internalUrl}/internal/check`, { method: 'POST', headers, body });
      expect(response.status, body).toBe(400);
    }
  });

  it('with IAM stopped new streams get AUTH_ERROR, nobody is let in, and it mends itself', async () => {
    await iam.child.kill();
    for (const url of [eventsUrl(at()), eventsUrl(at(), { access_token: token })]) {
      const headers = url.includes('access_token') ? {} : bearer(token);
      await expectError(await fetch(url, { headers }), 'AUTH_ERROR');
    }
    const response = await fetch(eventsUrl(at()), {
      method: 'POST',
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: JSON.stringify(order('1')),
    });
    await expectError(response, 'AUTH_ERROR');
    // What needs no IAM is still refused for what it is.
    await expectError(await fetch(eventsUrl(at()), { headers: bearer('nonsense') }), 'INVALID_TOKEN');
    expect((await fetch(`${PUBLIC}/healthz`)).status).toBe(200);
    iam = await startRole('iam', { CENTRALI_PORT: String(iamPort), CENTRALI_INTERNAL_PORT: portOf(iam.internalUrl) });
    await until('streams open again', async () => {
      const stream = await openStream(eventsUrl(at()), { headers: bearer(token) });
      stream.close();
      return stream.response.status === 200;
    });
  });

  it('a gateway without the right credential lets nobody in', async () => {
    const stranger = await startRole('gateway', {
      CENTRALI_IAM_URL: iam.internalUrl,
      CENTRALI_INTERNAL_CREDENTIAL: 'y'.repeat(48),
      CENTRALI_DATA: join(folder.path, 'stranger'),
      CENTRALI_PORT: String(strangerPort),
    });
    try {
      const response = await fetch(eventsUrl({ ...at(), baseUrl: `http://127.0.0.1:${strangerPort}` }), {
        headers: bearer(token),
      });
      await expectError(response, 'AUTH_ERROR');
    } finally {
      await stranger.child.stop();
    }
  });
});
