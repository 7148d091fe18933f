import { createHttpDecisions } from '../gateway/index.ts';
import { createIam } from '../iam/index.ts';
import { SILENT } from '../resource-server/index.ts';
import { decisionsContract } from './decisions.contract.ts';
import { createInternalListener } from './internal.ts';
import { createMetrics } from './metrics.ts';

const makeIam = async () => {
  const iam = await createIam({ file: ':memory:', issuer: 'https://centrali.example', algorithm: 'ES256' });
  await iam.ensureWorkspace('demo');
  return iam;
};

decisionsContract('IAM in memory', async () => {
  const iam = await makeIam();
  return { iam, decisions: iam.decisions, close: () => iam.close() };
});

decisionsContract('the internal listener', async () => {
  const iam = await makeIam();
  const credential = 'c'.repeat(32);
  const listener = createInternalListener({
    host: '127.0.0.1',
    port: 0,
    credential,
    log: SILENT,
    metrics: createMetrics(),
  });
  const { url } = await listener.listen();
  listener.mount({ iam, readiness: () => ({ ready: true }) });
  const decisions = createHttpDecisions({ url, credential });
  return {
    iam,
    decisions,
    async close() {
      decisions.close();
      await listener.close(0);
      await iam.close();
    },
  };
});
