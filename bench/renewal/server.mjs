// What the soak runs against: `dev` alone, `dev` behind a proxy that cuts connections, or IAM and gateway as two
// processes of which IAM is frozen now and then.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../packages/server/bin/centrali.js', import.meta.url));
const CREDENTIAL = 'soak'.repeat(10);

/** Starts `centrali …`; resolves with the first line of JSON on stdout. */
async function start(args, env) {
  const child = spawn(process.execPath, [COMMAND, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Reader and writer are one principal and one address here, at the rate of their limits.
    env: {
      ...process.env,
      CENTRALI_DRAIN_SECONDS: '1',
      CENTRALI_LIMITS_REQUESTS_PER_SECOND_PER_PRINCIPAL: '0',
      CENTRALI_LIMITS_CONNECTS_PER_SECOND_PER_ADDRESS: '0',
      CENTRALI_LOG_LEVEL: 'error',
      ...env,
    },
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const line = await new Promise((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`centrali ${args[0]} ended with ${code}`)));
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    await once(child, 'exit');
  };
  return { child, ready: JSON.parse(line), stop };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A proxy that cuts one of its connections, any, each 0.5 to 2.5 s. */
async function startCuttingProxy(port) {
  const open = new Set();
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = createConnection(port, '127.0.0.1');
    open.add(client);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      one.on('error', () => {});
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = new AbortController();
  const cutting = (async () => {
    for (;;) {
      await pause(500 + Math.random() * 2000, undefined, { signal: stop.signal });
      const victims = [...open];
      victims[Math.floor(Math.random() * victims.length)]?.resetAndDestroy();
      cuts += victims.length > 0 ? 1 : 0;
    }
  })().catch(() => {});
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    count: () => cuts,
    /** No more cuts; what is open stays. */
    calm: () => stop.abort(),
    async stop() {
      stop.abort();
      await cutting;
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

/** Everything that the soak needs to know, and how to end it. */
export async function startServer(trouble, folder, tokenSeconds) {
  const lifetime = { CENTRALI_TOKENS_SERVICE_LIFETIME_SECONDS: tokenSeconds };
  if (trouble !== 'outages') {
    const { ready, stop } = await start(['dev', '--port', '0', '--data', join(folder, 'data')], lifetime);
    const proxy = trouble === 'cuts' ? await startCuttingProxy(Number(new URL(ready.baseUrl).port)) : undefined;
    return {
      ...ready,
      baseUrl: proxy?.url ?? ready.baseUrl,
      troubles: () => proxy?.count() ?? 0,
      calm: () => proxy?.calm(),
      async stop() {
        await proxy?.stop();
        await stop();
      },
    };
  }
  const [gatewayPort, iamPort] = [await freePort(), await freePort()];
  const publicUrl = `http://127.0.0.1:${gatewayPort}`;
  const common = { ...lifetime, CENTRALI_PUBLIC_URL: publicUrl, CENTRALI_INTERNAL_CREDENTIAL: CREDENTIAL };
  const data = (role) => ({ CENTRALI_DATA: join(folder, role), CENTRALI_INTERNAL_PORT: '0' });
  const made = await start(['workspace', 'create', 'soak', '--data', join(folder, 'iam')], {});
  const role = (name, env) => start(['start', '--role', name], { ...common, ...data(name), ...env });
  const iam = await role('iam', { CENTRALI_PORT: String(iamPort) });
  const gateway = await role('gateway', {
    CENTRALI_PORT: String(gatewayPort),
    CENTRALI_IAM_URL: iam.ready.internalUrl,
  });
  const { clientId, clientSecret } = made.ready;
  const stop = new AbortController();
  let outages = 0;
  const freezing = (async () => {
    for (;;) {
      await pause(15_000, undefined, { signal: stop.signal });
      iam.child.kill('SIGSTOP');
      outages += 1;
      await pause(20_000, undefined, { signal: stop.signal }).finally(() => iam.child.kill('SIGCONT'));
    }
  })().catch(() => {});
  return {
    baseUrl: publicUrl,
    authUrl: `http://127.0.0.1:${iamPort}`,
    internalUrl: gateway.ready.internalUrl,
    workspace: 'soak',
    clientId,
    clientSecret,
    troubles: () => outages,
    calm: () => stop.abort(),
    async stop() {
      stop.abort();
      await freezing;
      await gateway.stop();
      await iam.stop();
    },
  };
}
