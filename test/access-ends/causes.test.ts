// Each way in which access ends, on streams that are open: the affected ones end with the right code within the
// bound, the others do not notice, and nobody comes back whose access has ended.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addProvider, admin, adminOk, basic, devToken, form, serviceToken } from '../support/api.ts';
import { type Dev, runCommand, startDev } from '../support/centrali.ts';
import { claimsOf, now } from '../support/forge.ts';
import { type FakeIssuer, startIssuer } from '../support/issuer.ts';
import { connect, expectEnded, expectUnnoticed, openAll } from './streams.ts';

/** Streams of each half; `CENTRALI_TEST_HALF=500` for a thousand. */
const HALF = Number(process.env.CENTRALI_TEST_HALF ?? 20);
/** From the acknowledgement to the last byte, in one process. The operator's command is another process: 1 s more. */
const BOUND_MS = 1000;

let dev: Dev;
let issuer: FakeIssuer;
let publisher: string;
beforeAll(async () => {
  issuer = await startIssuer();
  dev = await startDev({
    env: {
      CENTRALI_PROVIDERS_ALLOW_PRIVATE_ADDRESSES: 'true',
      CENTRALI_LIMITS_CONNECTS_PER_SECOND_PER_ADDRESS: '0',
      CENTRALI_LIMITS_CONNECTIONS_PER_PRINCIPAL: '0',
      CENTRALI_LIMITS_REQUESTS_PER_SECOND_PER_PRINCIPAL: '0',
    },
  });
  publisher = await serviceToken(dev);
});
afterAll(async () => {
  await dev?.stop();
  await issuer?.close();
});

const name = (): string => `x${randomUUID().slice(0, 8)}`;
const times = <T>(make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: HALF }, (_, n) => make(n)));
/** Tokens of one user each. */
const users = (role = 'viewer', prefix = name()): Promise<string[]> =>
  times((n) => devToken(dev, { sub: `${prefix}-${n}`, role }));
const jtiOf = (token: string): string => claimsOf(token).jti;
const subOf = (token: string): string => claimsOf(token).sub;

interface Account {
  readonly id: number;
  readonly clientId: string;
  readonly clientSecret: string;
}
const account = (): Promise<Account> => adminOk(dev, 'POST', 'service-accounts', { name: name(), role: 'viewer' });
const tokenOf = ({ clientId, clientSecret }: Account): Promise<string> =>
  serviceToken({ baseUrl: dev.baseUrl, clientId, clientSecret });
const each = <T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<unknown> =>
  Promise.all(items.map(act));

/** Half of the streams affected by a cause; how it comes, and the code that it has. */
interface Halves {
  readonly affected: readonly string[];
  readonly others: readonly string[];
  readonly cause: () => Promise<unknown>;
}

async function run({ affected, others, cause }: Halves, code: string, bound = BOUND_MS): Promise<void> {
  const [ending, going] = [await openAll(dev, affected), await openAll(dev, others)];
  await cause();
  await expectEnded(ending, code, bound);
  await expectUnnoticed(going, dev, publisher);
  for (const token of affected.slice(0, 20)) expect(await connect(dev, token)).toBe(code);
  expect(await connect(dev, others[0] ?? '')).toBe('open');
  for (const stream of going) stream.close();
}

describe('revocations end streams with INVALID_TOKEN', () => {
  test('of tokens by their names', async () => {
    const [affected, others] = [await users(), await users()];
    await run(
      {
        affected,
        others,
        cause: () => each(affected, (token) => adminOk(dev, 'POST', 'revocations', { jti: jtiOf(token) })),
      },
      'INVALID_TOKEN',
    );
  });

  test('of users', async () => {
    const [affected, others] = [await users(), await users()];
    const cause = () => each(affected, (token) => adminOk(dev, 'POST', 'revocations', { sub: subOf(token) }));
    await run({ affected, others, cause }, 'INVALID_TOKEN');
  });

  test('of a client, in one go', async () => {
    const made = await account();
    const [affected, others] = [await times(() => tokenOf(made)), await users()];
    const cause = () => adminOk(dev, 'POST', 'revocations', { clientId: made.clientId });
    await run({ affected, others, cause }, 'INVALID_TOKEN');
  });

  test('of a token by its own client (RFC 7009)', async () => {
    const made = await account();
    const [affected, others] = [await times(() => tokenOf(made)), await times(() => tokenOf(made))];
    const cause = () =>
      each(affected, async (token) => {
        const { body, headers } = form({ token });
        const response = await fetch(`${dev.baseUrl}/oidc/revoke`, {
          method: 'POST',
          body,
          headers: { ...headers, ...basic(made.clientId, made.clientSecret) },
        });
        expect(response.status).toBe(200);
      });
    await run({ affected, others, cause }, 'INVALID_TOKEN');
  });
});

describe('service accounts', () => {
  test('that are disabled, and let in again when they are enabled', async () => {
    const [made, other] = [await account(), await account()];
    const [affected, others] = [await times(() => tokenOf(made)), await times(() => tokenOf(other))];
    const path = `service-accounts/${made.id}`;
    await run({ affected, others, cause: () => adminOk(dev, 'POST', `${path}/disable`) }, 'INVALID_TOKEN');
    await adminOk(dev, 'POST', `${path}/enable`);
    expect(await connect(dev, affected[0] ?? '')).toBe('open');
  });

  test('that are deleted', async () => {
    const [made, other] = [await account(), await account()];
    const [affected, others] = [await times(() => tokenOf(made)), await times(() => tokenOf(other))];
    await run(
      { affected, others, cause: () => adminOk(dev, 'DELETE', `service-accounts/${made.id}`) },
      'INVALID_TOKEN',
    );
  });

  test('whose secret is rotated without a grace: what the old one obtained', async () => {
    const [made, other] = [await account(), await account()];
    const [affected, others] = [await times(() => tokenOf(made)), await times(() => tokenOf(other))];
    let clientSecret = '';
    const cause = async () => {
      ({ clientSecret } = await adminOk(dev, 'POST', `service-accounts/${made.id}/rotate`, { graceSeconds: 0 }));
    };
    await run({ affected, others, cause }, 'INVALID_TOKEN');
    expect(await connect(dev, await tokenOf({ ...made, clientSecret }))).toBe('open');
  });

  test('whose secret was rotated: what the old one obtained ends with its grace, what the new one did goes on', async () => {
    const made = await account();
    const affected = await times(() => tokenOf(made));
    const { clientSecret } = await adminOk(dev, 'POST', `service-accounts/${made.id}/rotate`, { graceSeconds: 1 });
    const others = await times(() => tokenOf({ ...made, clientSecret }));
    await run({ affected, others, cause: async () => {} }, 'INVALID_TOKEN', 1000 + 1000 + BOUND_MS);
  });
});

describe('rights end streams with FORBIDDEN', () => {
  test('of members who are blocked', async () => {
    const [affected, others] = [await users(), await users()];
    const cause = () =>
      each(affected, (token) => adminOk(dev, 'PUT', `members/${subOf(token)}`, { roles: ['viewer'], blocked: true }));
    await run({ affected, others, cause }, 'FORBIDDEN');
  });

  test('of members who are removed', async () => {
    const [affected, others] = [await users(), await users()];
    await run(
      { affected, others, cause: () => each(affected, (token) => adminOk(dev, 'DELETE', `members/${subOf(token)}`)) },
      'FORBIDDEN',
    );
  });

  test('of everybody in a role that no longer grants it, and not of those in another', async () => {
    const [role, kept] = [name(), name()];
    for (const made of [role, kept])
      await adminOk(dev, 'PUT', `roles/${made}`, { grants: [{ permission: 'realtime:subscribe' }] });
    const [affected, others] = [await users(role), await users(kept)];
    const cause = () => adminOk(dev, 'PUT', `roles/${role}`, { grants: [{ permission: 'realtime:publish' }] });
    await run({ affected, others, cause }, 'FORBIDDEN');
    await adminOk(dev, 'PUT', `roles/${role}`, { grants: [{ permission: 'realtime:subscribe' }] });
    expect(await connect(dev, affected[0] ?? '')).toBe('open');
  });

  test('of everybody in a role that is deleted', async () => {
    const role = name();
    await adminOk(dev, 'PUT', `roles/${role}`, { grants: [{ permission: 'realtime:subscribe' }] });
    const [affected, others] = [await users(role), await users()];
    await run({ affected, others, cause: () => adminOk(dev, 'DELETE', `roles/${role}`) }, 'FORBIDDEN');
  });

  test('but a role that grants something else lets them go on, by the new grants', async () => {
    const role = name();
    const grants = (structure: string) => ({
      grants: [{ permission: 'realtime:subscribe', structures: [structure] }],
    });
    await adminOk(dev, 'PUT', `roles/${role}`, grants('invoice'));
    const streams = await openAll(dev, await users(role));
    await adminOk(dev, 'PUT', `roles/${role}`, grants('order'));
    // Until the change is in, the event is nobody's; from then on it is everybody's.
    const over = new AbortController();
    const publishing = (async () => {
      while (!over.signal.aborted) await expectUnnoticed([], dev, publisher);
    })();
    await Promise.all(streams.map(async (stream) => expect((await stream.message()).json.recordSlug).toBe('order')));
    over.abort();
    await publishing;
    for (const stream of streams) stream.close();
  });
});

describe('providers', () => {
  const external = (id: string, extra: Record<string, unknown> = {}): Promise<string[]> =>
    times(async (n) =>
      issuer.token({ audience: id, workspace: dev.workspace, sub: `${id}-${n}` }, { iat: now() - 5, ...extra }),
    );
  const provider = (audience: string): Promise<string> =>
    addProvider(dev, { name: audience, issuer: issuer.issuer, audiences: [audience] });

  test('that are removed: INVALID_TOKEN', async () => {
    const audience = name();
    const id = await provider(audience);
    const [affected, others] = [await external(audience), await users()];
    await run(
      { affected, others, cause: () => adminOk(dev, 'DELETE', `external-auth-providers/${id}`) },
      'INVALID_TOKEN',
    );
  });

  test('that tell of a session that was revoked, or of a user who logged out: INVALID_TOKEN', async () => {
    const audience = name();
    const id = await provider(audience);
    const [affected, others] = [await external(audience, { sid: 's1' }), await external(audience, { sid: 's2' })];
    const cause = async () => {
      const logout = issuer.sign(
        {
          iss: issuer.issuer,
          aud: audience,
          iat: now(),
          exp: now() + 60,
          jti: randomUUID(),
          sid: 's1',
          events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        },
        { typ: 'logout+jwt' },
      );
      const url = `${dev.baseUrl}/workspace/${dev.workspace}/api/v1/external-auth-providers/${id}/backchannel-logout`;
      const response = await fetch(url, { method: 'POST', ...form({ logout_token: logout }) });
      expect(response.status, await response.text()).toBe(200);
    };
    await run({ affected, others, cause }, 'INVALID_TOKEN');
    await adminOk(dev, 'DELETE', `external-auth-providers/${id}`);
  });
});

describe('what the operator does with the command', () => {
  const command = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand([...args, '--data', dev.data]);
    expect(code, stderr).toBe(0);
    return stdout;
  };

  test('a suspended workspace: FORBIDDEN, until it is resumed', async () => {
    const slug = name();
    const made = JSON.parse(await command('workspace', 'create', slug, '--json'));
    const there = { baseUrl: dev.baseUrl, workspace: slug };
    const tokens = await times(() => serviceToken({ ...there, ...made }));
    const [ending, going] = [await openAll(there, tokens), await openAll(dev, await users())];
    await command('workspace', 'suspend', slug);
    await expectEnded(ending, 'FORBIDDEN', 1000 + BOUND_MS);
    await expectUnnoticed(going, dev, publisher);
    expect(await connect(there, tokens[0] ?? '')).toBe('FORBIDDEN');
    await command('workspace', 'resume', slug);
    const again = await openAll(there, tokens);
    await command('workspace', 'delete', slug);
    await expectEnded(again, 'FORBIDDEN', 1000 + BOUND_MS);
    expect(await connect(there, tokens[0] ?? '')).toBe('WORKSPACE_MISMATCH');
    for (const stream of going) stream.close();
  });

  test('all tokens up to a moment, in one go, but not those of a provider', async () => {
    const audience = name();
    await addProvider(dev, { name: audience, issuer: issuer.issuer, audiences: [audience] });
    const affected = await users();
    const others = await times(async (n) =>
      issuer.token({ audience, workspace: dev.workspace, sub: `u${n}` }, { iat: now() - 5 }),
    );
    const [ending, going] = [await openAll(dev, affected), await openAll(dev, others)];
    const { status } = await admin(dev, 'POST', 'revocations', { notBefore: now() });
    expect(status).toBe(201);
    await expectEnded(ending, 'INVALID_TOKEN', BOUND_MS);
    for (const token of affected) expect(await connect(dev, token)).toBe('INVALID_TOKEN');
    // The administrator's own token and the publisher's are among them.
    expect((await admin(dev, 'GET', 'members')).status).toBe(401);
    await expect.poll(async () => connect(dev, await serviceToken(dev)), { timeout: 5000, interval: 200 }).toBe('open');
    publisher = await serviceToken(dev);
    await expectUnnoticed(going, dev, publisher);
    for (const stream of going) stream.close();
  });

  test('a withdrawn key: INVALID_TOKEN for all that it signed', async () => {
    const affected = await times(() => serviceToken(dev));
    const ending = await openAll(dev, affected);
    const { keys } = (await (await fetch(`${dev.baseUrl}/oidc/jwks`)).json()) as { keys: { kid: string }[] };
    for (const { kid } of keys) await command('keys', 'revoke', kid);
    await expectEnded(ending, 'INVALID_TOKEN', 1000 + BOUND_MS);
    for (const token of affected) expect(await connect(dev, token)).toBe('INVALID_TOKEN');
    // The next key signs at once.
    await expect.poll(async () => connect(dev, await serviceToken(dev)), { timeout: 5000, interval: 200 }).toBe('open');
  });
});
