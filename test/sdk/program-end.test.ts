/** A program ends by itself once its last subscription is over: nothing of the SDK holds it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Dev, ROOT, startDev, startProcess } from '../support/centrali.ts';

let dev: Dev;
beforeAll(async () => {
  dev = await startDev();
});
afterAll(() => dev?.stop());

const PROGRAM = `
  import { CentraliSDK } from '@centrali-io/centrali-sdk';
  const { BASE: baseUrl, ID: clientId, SECRET: clientSecret } = process.env;
  const centrali = new CentraliSDK({ baseUrl, workspaceId: 'demo', clientId, clientSecret });
  const subscription = centrali.realtime.subscribe({
    onEvent() {},
    onConnected() {
      subscription.unsubscribe();
      const over = performance.now();
      process.once('exit', () => console.log(Math.round(performance.now() - over)));
    },
  });
`;

test('a program that unsubscribes ends at once', async () => {
  const child = startProcess(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    cwd: ROOT,
    env: { BASE: dev.baseUrl, ID: dev.clientId, SECRET: dev.clientSecret },
  });
  expect((await child.exited).code, child.stderr()).toBe(0);
  // The SDK looks every 5 s whether a stream is alive; that look alone must not hold the program.
  expect(Number(child.stdout())).toBeLessThan(2000);
});
