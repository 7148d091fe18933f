import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type AdminFixture, errorOf, openAdmin } from './admin.fixture.ts';

let fixture: AdminFixture;
beforeAll(async () => {
  fixture = await openAdmin();
});
afterAll(() => fixture.close());

it('lets no workspace fill the snapshot that all of them share', async () => {
  const { store } = fixture.iam.services;
  const transaction = store.transaction.bind(store);
  vi.spyOn(store, 'transaction').mockImplementationOnce((fn) =>
    transaction((tx) => fn({ ...tx, revocations: { ...tx.revocations, count: async () => 40_000 } })),
  );
  const revoke = () => fixture.send('POST', '/revocations', { token: fixture.owner, body: { jti: 'j' } });
  expect(errorOf(await revoke())).toContain('409 CONFLICT');
  expect((await revoke()).statusCode).toBe(201);
});
