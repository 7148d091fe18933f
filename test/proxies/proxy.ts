/** Runs the configurations of `deploy/` as they are, but for addresses, certificate and where the logs go. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { ROOT, startProcess, temporaryFolder } from '../support/centrali.ts';
import { commandPath, type Part } from '../support/parts.ts';
import { until } from '../support/wait.ts';

/** What a proxy needs to run here. */
interface Place {
  readonly folder: string;
  readonly port: number;
  readonly backend: number;
  readonly certificate: string;
  readonly key: string;
}

/** Replaces a text that must be there, or the test would prove another configuration than the documented one. */
function put(config: string, from: string | RegExp, to: string): string {
  const changed = config.replaceAll(typeof from === 'string' ? from : new RegExp(from, 'gm'), () => to);
  if (changed === config) throw new Error(`the configuration does not hold ${from}`);
  return changed;
}

/** Each proxy's arguments, after its configuration was written to the folder. */
const PROXIES = {
  nginx({ folder, port, backend, certificate, key }: Place): string[] {
    let site = readFileSync(join(ROOT, 'deploy/nginx/centrali.conf'), 'utf8');
    site = put(site, 'listen 443', `listen 127.0.0.1:${port}`);
    site = put(site, '127.0.0.1:8080', `127.0.0.1:${backend}`);
    site = put(site, '/etc/nginx/tls/fullchain.pem', join(folder, 'certificate.pem'));
    site = put(site, '/etc/nginx/tls/privkey.pem', join(folder, 'key.pem'));
    site = put(site, '/var/log/nginx', join(folder, 'logs'));
    writeFileSync(join(folder, 'certificate.pem'), certificate);
    writeFileSync(join(folder, 'key.pem'), key);
    writeFileSync(join(folder, 'site.conf'), site);
    mkdirSync(join(folder, 'temp'));
    // Beside the site, what Debian's nginx.conf has: among it the two default logs.
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log ${folder}/logs/error.log; events { worker_connections 256; }
      http { access_log ${folder}/logs/access.log; gzip on;
      ${temporary.map((name) => `${name}_temp_path ${folder}/temp/${name};`).join(' ')}
      include ${folder}/site.conf; }`,
    );
    return ['-p', folder, '-c', join(folder, 'nginx.conf')];
  },
  caddy({ folder, port, backend, certificate, key }: Place): string[] {
    writeFileSync(join(folder, 'certificate.pem'), certificate);
    writeFileSync(join(folder, 'key.pem'), key);
    let config = readFileSync(join(ROOT, 'deploy/caddy/Caddyfile'), 'utf8');
    config = put(config, /^\{$/, `{\n\tadmin off\n\tauto_https off`);
    config = put(
      config,
      'realtime.example.com {',
      `https://localhost:${port} {\n\tbind 127.0.0.1\n\ttls ${folder}/certificate.pem ${folder}/key.pem`,
    );
    config = put(config, '127.0.0.1:8080', `127.0.0.1:${backend}`);
    config = put(config, '/var/log/caddy', join(folder, 'logs'));
    writeFileSync(join(folder, 'Caddyfile'), config);
    return ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')];
  },
  haproxy({ folder, port, backend, certificate, key }: Place): string[] {
    let config = readFileSync(join(ROOT, 'deploy/haproxy/haproxy.cfg'), 'utf8');
    config = put(config, 'bind :443', `bind 127.0.0.1:${port}`);
    config = put(config, '127.0.0.1:8080', `127.0.0.1:${backend}`);
    config = put(config, '/etc/haproxy/tls/realtime.pem', join(folder, 'both.pem'));
    config = put(config, 'log /dev/log local0', 'log stdout format raw local0');
    writeFileSync(join(folder, 'both.pem'), certificate + key);
    writeFileSync(join(folder, 'haproxy.cfg'), config);
    return ['-db', '-f', join(folder, 'haproxy.cfg')];
  },
} as const satisfies Partial<Record<Part, (place: Place) => string[]>>;

/** The proxies that `deploy/` has configurations for. */
export type ProxyName = keyof typeof PROXIES;

/** A running proxy. */
export interface Proxy {
  readonly port: number;
  /** Everything that it logged or printed so far. */
  logged(): string;
  /** Stops it, returns all that it logged or printed, and removes its folder. */
  stop(): Promise<string>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false });
    socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => resolve(false)).once('secureConnect', () => socket.end());
  });
}

/** Starts a proxy in front of the server on `backend`. */
export async function startProxy(
  name: ProxyName,
  backend: number,
  pair: { readonly certificate: string; readonly key: string },
): Promise<Proxy> {
  const folder = temporaryFolder();
  mkdirSync(join(folder.path, 'logs'));
  const port = await freePort();
  const args = PROXIES[name]({ folder: folder.path, port, backend, ...pair });
  const child = startProcess(commandPath(name) ?? name, args, {
    env: { HOME: folder.path, XDG_DATA_HOME: folder.path, XDG_CONFIG_HOME: folder.path },
  });
  const logged = (): string => {
    const files = readdirSync(join(folder.path, 'logs'), { recursive: true, withFileTypes: true });
    const texts = files
      .filter((file) => file.isFile())
      .map((file) => readFileSync(join(file.parentPath, file.name), 'utf8'));
    return [...texts, child.stdout(), child.stderr()].join('\n');
  };
  let over = false;
  child.exited.then(
    () => (over = true),
    () => (over = true),
  );
  await until(`${name} accepts connections`, () => {
    if (over) throw new Error(`${name} ended: ${logged()}`);
    return answers(port);
  });
  return {
    port,
    logged,
    async stop() {
      await child.stop();
      const text = logged();
      folder.remove();
      return text;
    },
  };
}
