/** `centrali start`: production. */
import { readFileSync } from 'node:fs';
import { createLog, type ProcessLog, type TlsFiles } from '../listener/index.ts';
import { compose, type Service } from './compose.ts';
import { type Config, ConfigFaults, type Loaded } from './config/index.ts';
import { type Io, printJson } from './io.ts';
import { endOnFault, startFailure, untilSignal } from './serve.ts';

/** Runs the service until a signal ends it. */
export async function start({ config, internalCredential }: Loaded, json: boolean, io: Io): Promise<void> {
  const log = createLog(config.logLevel);
  const tls = readTls(config.tls);
  let service: Service;
  try {
    service = await compose({ config, internalCredential, log, tls });
  } catch (error) {
    throw startFailure(error, { port: config.port, internalPort: config.internal.port, again: '--port' });
  }
  endOnFault(log);
  const done = untilSignal(service, config.drainSeconds, log, io.signal);
  if (tls) process.on('SIGHUP', () => renew(service, config, log));
  const { baseUrl, listenUrl, internalUrl } = service;
  log.info({ baseUrl, listenUrl, internalUrl, role: config.role }, 'Listening');
  if (service.iam && (await service.iam.listWorkspaces()).length === 0) {
    log.warn({}, 'There is no workspace yet. Make one: centrali workspace create SLUG, with the same configuration');
  }
  if (json) printJson(io, { ready: true, baseUrl, listenUrl, internalUrl, role: config.role });
  await done;
}

/** Reads the certificate again; a bad one is said, and the present one stays. */
function renew(service: Service, config: Config, log: ProcessLog): void {
  try {
    const tls = readTls(config.tls);
    if (tls) service.renewCertificate(tls);
    log.info({}, 'The certificate was read again');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    log.error({ error: error instanceof ConfigFaults ? error.faults : code }, 'The certificate cannot be used');
  }
}

/** Reads certificate and key. Throws `ConfigFaults`. */
export function readTls({ certFile, keyFile }: Loaded['config']['tls']): TlsFiles | undefined {
  if (certFile === undefined || keyFile === undefined) return undefined;
  const faults: string[] = [];
  const read = (key: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      faults.push(`${key} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
      return Buffer.alloc(0);
    }
  };
  const tls = { cert: read('tls.certFile', certFile), key: read('tls.keyFile', keyFile) };
  if (faults.length > 0) throw new ConfigFaults(faults);
  return tls;
}
