// From "revoked" to the last byte, with many streams open: a cause that ends 100, and one that ends 5,000.
// node bench/revocation.mjs [--streams 10000] [--few 100] [--many 5000]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { adminOk, devToken, serviceToken } from '../test/support/api.ts';
import { claimsOf, ownSigningKey, signToken } from '../test/support/forge.ts';
import { readMetrics } from '../test/support/metrics.ts';
import { until } from '../test/support/wait.ts';
import { readOptions } from './options.mjs';
import { load, quantile, residentMiB, startProbe, startServer } from './parts.mjs';

const options = readOptions('From revoked to the last byte', { streams: 10_000, few: 100, many: 5000, rate: 200 });
const LAG = 'centrali_revocation_lag_seconds';

const server = await startServer({
  CENTRALI_LIMITS_REQUESTS_PER_SECOND_PER_PRINCIPAL: '0',
  CENTRALI_LIMITS_CONNECTS_PER_SECOND_PER_ADDRESS: '0',
});
const { dev } = server;
const key = await ownSigningKey(dev.data, dev.baseUrl);
const reader = fork(fileURLToPath(new URL('./revocation/reader.mjs', import.meta.url)), [
  String(server.port),
  `${server.path}?structures=order`,
]);

/** Makes `count` of something, 16 at a time. */
async function many(count, make) {
  const made = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let n = next++; n < count; n = next++) made[n] = await make(n);
    }),
  );
  return made;
}

async function ask(message) {
  reader.send(message);
  const [answer] = await once(reader, 'message');
  if (answer.type === 'failed') throw new Error(answer.message);
  return answer;
}

/** The cumulative buckets of the server's own histogram. */
async function histogram() {
  const buckets = new Map();
  for (const [name, value] of await readMetrics(dev.internalUrl)) {
    const le = new RegExp(`^${LAG}_bucket\\{le="([^"]+)"`).exec(name)?.[1];
    if (le) buckets.set(le, value);
  }
  return buckets;
}

/** Tokens like this one, each with a name of its own: what the token endpoint would give, without its limits. */
function tokensLike(token, change = () => ({})) {
  const claims = claimsOf(token);
  return (n) => signToken(key, { ...claims, jti: crypto.randomUUID(), ...change(n) });
}

async function account() {
  const made = await adminOk(dev, 'POST', 'service-accounts', { name: crypto.randomUUID(), role: 'viewer' });
  const token = tokensLike(await serviceToken({ baseUrl: dev.baseUrl, ...made }));
  return { token, end: () => adminOk(dev, 'POST', 'revocations', { clientId: made.clientId }) };
}

/** Users of one role, each with a token. */
async function users() {
  const role = `r${crypto.randomUUID().slice(0, 8)}`;
  const put = (permission) => adminOk(dev, 'PUT', `roles/${role}`, { grants: [{ permission }] });
  await put('realtime:subscribe');
  const like = tokensLike(await devToken(dev, { sub: `${role}-first`, role, ttl: 3600 }), (n) => ({
    sub: `${role}-${n}`,
  }));
  const token = async (n) => {
    await adminOk(dev, 'PUT', `members/${role}-${n}`, { roles: [role] });
    return like(n);
  };
  return { token, end: () => put('realtime:publish') };
}

const rows = [];
try {
  const filler = await account();
  let others = 0;
  /** Opens so many others that all streams together are as many as meant. */
  const fill = async (count) => {
    const more = options.streams - count - others;
    others += more;
    if (more < 0) await ask({ type: 'close', tag: 'others', count: -more });
    else await ask({ type: 'open', tag: 'others', tokens: await many(more, filler.token) });
  };
  console.log(`opening ${options.streams} streams`);
  const probe = await startProbe(server, options.rate);
  for (const { what, make, code } of [
    { what: 'revocation of a client', make: account, code: 'INVALID_TOKEN' },
    { what: 'role of different users', make: users, code: 'FORBIDDEN' },
  ])
    for (const count of [options.few, options.many]) {
      const cause = await make();
      const tag = `${what} ${count}`;
      await fill(count);
      await ask({ type: 'open', tag, tokens: await many(count, cause.token) });
      const before = await histogram();
      probe.take();
      const sent = Number(process.hrtime.bigint());
      await cause.end();
      const acknowledged = Number(process.hrtime.bigint());
      const ends = [];
      const report = await until(
        `the end of ${count} streams`,
        async () => {
          const now = await ask({ type: 'report', tag });
          ends.push(...now.ended);
          return ends.length >= count && now;
        },
        20_000,
      );
      const probed = probe.take();
      const after = await histogram();
      const since = (from) => ends.map(([at]) => (at - from) / 1e6);
      const open = new Map(report.open);
      rows.push({
        cause: what,
        affected: count,
        'wrong code': ends.filter(([, other]) => other !== code).length,
        'open before': others + count,
        'others ended': others - open.get('others'),
        'answered ms': Math.round((acknowledged - sent) / 1e6),
        'p50 from request': Math.round(quantile(since(sent), 0.5)),
        'p99 from request': Math.round(quantile(since(sent), 0.99)),
        'last from answer': Math.round(Math.max(...since(acknowledged))),
        'probe p99': Math.round(quantile(probed, 0.99)),
      });
      const lag = [...after].map(([le, value]) => [le, value - (before.get(le) ?? 0)]);
      console.log(`${tag}: change to last write, in s: ${lag.map(([le, value]) => `<=${le}: ${value}`).join('  ')}`);
    }
  await probe.stop();
  console.log(`${options.streams} open, ms; server ${Math.round(residentMiB(dev.pid))} MiB; ${load()}`);
  console.table(rows);
} finally {
  reader.disconnect();
  await dev.stop();
}
