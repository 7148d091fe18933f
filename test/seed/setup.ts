/** The system of the guide's page: workspace `my-workspace`, a service account, users. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { adminOk, publish, serviceToken } from '../support/api.ts';
import { type Dev, type DevOptions, runCommand, startDev, temporaryFolder } from '../support/centrali.ts';

/** The system, running. */
export interface Seed {
  /** `dev`, with its workspace, credentials and administrator being those of `my-workspace`. */
  readonly dev: Dev;
  /** The same process as its own workspace, `demo`, has it. */
  readonly demo: Dev;
  /** Publishes one event; its record's id. */
  publishOne(structure?: string): Promise<string>;
  stop(): Promise<void>;
}

let published = 0;

/** Starts `dev` and makes the page's workspace beside its own. */
export async function startSeed(options: DevOptions = {}): Promise<Seed> {
  const folder = temporaryFolder();
  const data = join(folder.path, 'data');
  // The first start makes the data folder; the workspace is made on the store while nobody uses it.
  await (await startDev({ ...options, data })).stop();
  const made = await runCommand(['workspace', 'create', 'my-workspace', '--data', data, '--json']);
  expect(made.code, made.stderr).toBe(0);
  const owner = JSON.parse(made.stdout.trim().split('\n').at(-1) ?? '') as { clientId: string; clientSecret: string };
  const running = await startDev({ ...options, data });
  const target = { ...running, workspace: 'my-workspace', ...owner };
  // `iam:manage` is only in a token whose scope names it.
  const adminToken = await serviceToken(target, { scope: 'iam:manage' });
  const account = await adminOk({ ...target, adminToken }, 'POST', 'service-accounts', {
    name: 'app',
    role: 'developer',
  });
  const dev: Dev = { ...target, adminToken, clientId: account.clientId, clientSecret: account.clientSecret };
  return {
    dev,
    demo: running,
    async publishOne(structure = 'order') {
      const recordId = `record-${++published}`;
      const token = await serviceToken(dev);
      await publish(dev, token, { event: 'record_created', recordSlug: structure, recordId, data: {} });
      return recordId;
    },
    async stop() {
      await running.stop();
      folder.remove();
    },
  };
}
