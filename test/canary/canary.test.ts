// Marked tokens, tickets and secrets go through every path; then they are looked for in everything that the
// system writes: stdout, stderr, metrics, databases, audit rows, error bodies.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  addProvider,
  admin,
  adminOk,
  basic,
  bearer,
  devToken,
  eventsUrl,
  form,
  order,
  publish,
  publishRaw,
  serviceToken,
} from '../support/api.ts';
import { type Dev, runCommand, startDev, temporaryFolder } from '../support/centrali.ts';
import { openStream } from '../support/event-stream.ts';
import { forge, goodClaims, header, makeKey, now, ownSigningKey, signToken } from '../support/forge.ts';
import { type FakeIssuer, startIssuer } from '../support/issuer.ts';
import { exchange, portOf } from '../support/raw-socket.ts';
import { until } from '../support/wait.ts';

const folder = temporaryFolder();
const data = join(folder.path, 'data');
let dev: Dev;
let issuer: FakeIssuer;

/** What must be found nowhere, by what it is. */
const canaries = new Map<string, string>();
/** Every error body that was answered. */
const bodies: string[] = [];

/**
 * Remembers a secret. Of a token the signature alone is looked for: whoever has it has the token, while header
 * and claims (a kid, a sub) may stand in an audit row.
 */
function mark(what: string, secret: string): string {
  const parts = secret.split('.');
  canaries.set(what, parts.length === 3 && (parts[2] ?? '').length >= 20 ? (parts[2] ?? '') : secret);
  return secret;
}

async function seen(response: Response): Promise<Response> {
  if (response.headers.get('content-type') === 'text/event-stream') await response.body?.cancel();
  else bodies.push(`${JSON.stringify([...response.headers])}\n${await response.text()}`);
  return response;
}

beforeAll(async () => {
  [dev, issuer] = await Promise.all([
    startDev({ data, env: { CENTRALI_PROVIDERS_ALLOW_PRIVATE_ADDRESSES: 'true', CENTRALI_LOG_LEVEL: 'debug' } }),
    startIssuer(),
  ]);
});
afterAll(async () => {
  await dev?.stop();
  await issuer?.close();
  folder.remove();
});

/** Sends a token to every place that could take one. */
async function everywhere(token: string): Promise<void> {
  const port = portOf(dev.baseUrl);
  const url = eventsUrl(dev);
  await seen(await fetch(`${url}?access_token=${token}`));
  await seen(await fetch(`${url}?access_token=${token}&errors=stream`));
  await seen(await fetch(`${url}?access%5Ftoken=${token}`));
  await seen(await fetch(`${url}?Access_Token=${token}`));
  await seen(await fetch(`${url}?access_token=${token}&access_token=${token}`));
  await seen(await fetch(`${url}?access_token=${token}&colour=${token}`));
  await seen(await fetch(`${url}?ticket=${token}`));
  await seen(await fetch(`${url}?filter=${token}`, { headers: bearer(token) }));
  await seen(await fetch(`${url}?last_event_id=${token}`, { headers: bearer(token) }));
  await seen(
    await fetch(url, {
      headers: { ...bearer(token), origin: 'https://evil.example', referer: `https://x/?t=${token}` },
    }),
  );
  await seen(
    await fetch(url, {
      headers: { cookie: `__Host-centrali-token=${token}`, 'user-agent': token, 'x-request-id': token },
    }),
  );
  await seen(await fetch(url, { method: 'PATCH', headers: bearer(token) }));
  await seen(await fetch(`${dev.baseUrl}/realtime/workspace/other/events?access_token=${token}`));
  await seen(await fetch(`${dev.baseUrl}/realtime/workspace/${token}/events`));
  await seen(await fetch(`${dev.baseUrl}/${token}?x=${token}`));
  await seen(await publishRaw(dev, token, JSON.stringify({ event: token.toLowerCase(), recordId: token })));
  await seen(await publishRaw(dev, token, token));
  await seen(await publishRaw(dev, token, JSON.stringify(order('1')), { 'idempotency-key': token.slice(0, 200) }));
  await seen(await fetch(url.replace('/events', '/tickets'), { method: 'POST', headers: bearer(token) }));
  await seen(await fetch(url.replace('/events', '/connections'), { headers: bearer(token) }));
  await seen(await fetch(url.replace('/events', '/connections/x/token'), { method: 'POST', headers: bearer(token) }));
  for (const path of ['members', 'audit-log', `members/${token.slice(0, 200)}`, `roles/${token}`]) {
    await seen(await fetch(`${dev.baseUrl}/workspace/demo/api/v1/${path}`, { headers: bearer(token) }));
    await seen(await fetch(`${dev.baseUrl}/workspace/demo/api/v1/${path}?access_token=${token}`));
  }
  for (const path of ['/oidc/introspect', '/oidc/revoke', '/oidc/token']) {
    const { body, headers } = form({ token, grant_type: token, client_id: token, client_secret: token });
    await seen(await fetch(dev.baseUrl + path, { method: 'POST', body, headers }));
    await seen(await fetch(`${dev.baseUrl}${path}?token=${token}`, { method: 'POST', body, headers }));
  }
  await seen(
    await fetch(`${dev.internalUrl}/internal/check`, {
      method: 'POST',
      headers: bearer(token),
      body: JSON.stringify([token]),
    }),
  );
  for (const bytes of [
    `GET /realtime/workspace/demo/events?access_token=${token} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
    `GET http://${token}/ HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /?access_token=${token} HTTP/9.9\r\n\r\n`,
    `GET /realtime/workspace/demo/events?access_token=${token}${'x'.repeat(17_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `${token}\r\n\r\n`,
  ]) {
    bodies.push((await exchange(port, bytes, { timeoutMs: 2000 })).text);
  }
}

/** All rows of the audit log, page by page. */
async function readAudit(filter = ''): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (let after = ''; ; ) {
    const { items, next } = await adminOk(dev, 'GET', `audit-log?limit=100${after}${filter}`);
    rows.push(...items);
    if (next === null) return rows;
    after = `&after=${encodeURIComponent(next)}`;
  }
}

it('no token, ticket or secret is found in anything that the system writes', async () => {
  // Tokens of every kind, good and bad.
  mark("dev's administrator token", dev.adminToken);
  const service = mark('a token of a service account', await serviceToken(dev));
  const user = mark('a token of a user', await devToken(dev, { sub: 'canary-user', role: 'developer' }));
  const nobody = mark('a token without a role', await devToken(dev, { sub: 'canary-nobody' }));
  await addProvider(dev, { name: 'canary', issuer: issuer.issuer, audiences: ['app'] });
  const foreign = mark('a token of a provider', issuer.token({ audience: 'app', workspace: 'demo', sub: 'canary' }));
  const own = await ownSigningKey(data, dev.baseUrl);
  const claims = goodClaims({ issuer: dev.baseUrl, audience: dev.baseUrl, workspace: 'demo', sub: 'canary-user' });
  const stranger = makeKey('RS256');
  const bad = {
    expired: signToken(own, { ...claims, iat: now() - 900, exp: now() - 300 }),
    'with another audience': signToken(own, { ...claims, aud: 'x' }),
    'with an unknown kid': forge(header(stranger), claims, stranger.privateKey, 'RS256'),
    'of another workspace': signToken(own, { ...claims, workspaces: ['other'] }),
    'that is none': `canary${'x'.repeat(40)}`,
  };
  for (const [what, token] of Object.entries(bad)) mark(`a token ${what}`, token);
  for (const token of [service, user, nobody, foreign, dev.adminToken, ...Object.values(bad)]) await everywhere(token);

  // Streams that live, with the token in the query, until it dies.
  const short = mark('a token that ended a stream', await devToken(dev, { sub: 'canary-user', ttl: 2 }));
  const stream = await openStream(eventsUrl(dev, { access_token: short }));
  await publish(dev, service, order('1'));
  await stream.system('error');
  await stream.end();

  // Accounts: made, rotated, authenticated in every way, wrong ones too.
  const account = await adminOk(dev, 'POST', 'service-accounts', { name: 'canary', role: 'viewer' });
  mark("an account's secret", account.clientSecret);
  const rotated = await adminOk(dev, 'POST', `service-accounts/${account.id}/rotate`, { graceSeconds: 60 });
  mark('a rotated secret', rotated.clientSecret);
  mark("dev's secret", dev.clientSecret);
  const wrong = mark('a wrong secret', `sk_${'0123456789abcdef'.repeat(4)}`);
  const grant = form({ grant_type: 'client_credentials' });
  for (const secret of [account.clientSecret, rotated.clientSecret, wrong]) {
    await fetch(`${dev.baseUrl}/oidc/token`, {
      method: 'POST',
      body: grant.body,
      headers: { ...grant.headers, ...basic(account.clientId, secret) },
    });
    const post = form({ grant_type: 'client_credentials', client_id: account.clientId, client_secret: secret });
    await fetch(`${dev.baseUrl}/oidc/token`, { method: 'POST', ...post });
    await seen(
      await fetch(`${dev.baseUrl}/oidc/token?client_secret=${secret}`, { method: 'POST', ...post }).then((r) =>
        r.ok ? new Response('') : r,
      ),
    );
    await seen(
      await fetch(`${dev.baseUrl}/oidc/token`, {
        method: 'POST',
        body: `client_secret=${secret}`,
        headers: { 'content-type': 'text/plain' },
      }),
    );
  }
  await adminOk(dev, 'POST', 'access/explain', { token: user });
  bodies.push(JSON.stringify((await admin(dev, 'POST', 'access/explain', { token: bad.expired })).json));
  const introspected = form({ token: user });
  await fetch(`${dev.baseUrl}/oidc/introspect`, {
    method: 'POST',
    body: introspected.body,
    headers: { ...introspected.headers, ...basic(dev.clientId, dev.clientSecret) },
  });

  // The command: secrets in its environment, and one that is wrong.
  const commands = [
    await runCommand(['publish', '--event', 'canary', '--url', dev.baseUrl, '--workspace', 'demo'], {
      env: { CENTRALI_CLIENT_ID: dev.clientId, CENTRALI_CLIENT_SECRET: dev.clientSecret },
    }),
    await runCommand(['publish', '--event', 'canary', '--url', dev.baseUrl, '--workspace', 'demo'], {
      env: { CENTRALI_CLIENT_ID: account.clientId, CENTRALI_CLIENT_SECRET: wrong },
    }),
    await runCommand(['explain', '--url', dev.baseUrl, '--workspace', 'demo', '--dev-data', data], { input: user }),
    await runCommand(['start', '--json'], {
      env: {
        CENTRALI_INTERNAL_CREDENTIAL: mark('a faulty internal credential', 'short canary'),
        CENTRALI_PORT: 'x',
        CENTRALI_DATA: join(folder.path, 'y'),
      },
    }),
  ];

  // A ticket, if there are tickets.
  const ticket = await fetch(eventsUrl(dev).replace('/events', '/tickets'), {
    method: 'POST',
    headers: bearer(service),
  });
  if (ticket.status === 201) {
    const { ticket: value } = (await ticket.json()) as { ticket: string };
    mark('a ticket', value);
    for (let i = 0; i < 2; i++) await seen(await fetch(eventsUrl(dev, { ticket: value })));
  }

  // Audit rows are written in groups: wait until this user's refusals are in.
  await until('the last rows', async () => (await readAudit('&sub=canary-nobody')).length > 0);
  const audit = JSON.stringify(await readAudit());
  const metrics = await (await fetch(`${dev.internalUrl}/metrics`)).text();
  const port = portOf(dev.baseUrl);
  const { stdout, stderr } = { stdout: dev.stdout().split('\n').slice(1).join('\n'), stderr: dev.stderr() };
  expect(dev.stdout().split('\n')[0], 'the ready line is the one place for secrets').toContain('"ready":true');
  await dev.stop();

  const outputs = new Map<string, Buffer>([
    ['stdout after the ready line', Buffer.from(stdout)],
    ['stderr', Buffer.from(stderr)],
    ['metrics', Buffer.from(metrics)],
    ['audit log', Buffer.from(audit)],
    ['error bodies and headers', Buffer.from(bodies.join('\n'))],
    ['output of commands', Buffer.from(commands.map((run) => run.stdout + run.stderr).join('\n'))],
  ]);
  const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of files) outputs.set(`file ${entry.name}`, readFileSync(join(entry.parentPath, entry.name)));
  expect([...outputs.keys()]).toEqual(expect.arrayContaining(['file state.db', 'file log.db']));

  // The search works: what may be there is found.
  expect(outputs.get('audit log')?.includes('canary-nobody')).toBe(true);
  expect(outputs.get('file state.db')?.includes('canary-user')).toBe(true);
  expect(bodies.length).toBeGreaterThan(200);
  expect(port).toBeGreaterThan(0);

  const found: string[] = [];
  for (const [what, secret] of canaries) {
    expect(secret.length, what).toBeGreaterThan(11);
    const forms = [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret).toString('hex'),
    ];
    for (const [where, bytes] of outputs) {
      // `dev` keeps its account's secret there, for the commands beside it.
      if (where === 'file dev.json' && (what === "dev's secret" || what === "dev's administrator token")) continue;
      // A published event is what its publisher says, also when that is a token.
      if (where === 'file log.db' || where === 'file log.db-wal') {
        if (forms.slice(0, 1).some((text) => bytes.includes(`"recordId":"${text}`))) continue;
      }
      if (forms.some((text) => bytes.includes(text))) found.push(`${what} in ${where}`);
    }
  }
  expect(found).toEqual([]);
});
