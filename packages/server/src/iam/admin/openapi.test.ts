import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, openAdmin } from './admin.fixture.ts';

interface Operation {
  readonly operationId?: string;
  readonly security?: unknown;
  readonly responses?: Record<string, unknown>;
}

let fixture: AdminFixture;
let document: { openapi: string; paths: Record<string, Record<string, Operation>> } & Record<string, unknown>;
beforeAll(async () => {
  fixture = await openAdmin();
  document = (await fixture.app.inject('/workspace/openapi.json')).json();
});
afterAll(() => fixture.close());

describe('/workspace/openapi.json', () => {
  it('is OpenAPI 3.1, open to everyone', async () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.servers).toEqual([{ url: 'https://rt.example' }]);
  });

  it('describes every route of the contract', () => {
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(
        (method) => `${method.toUpperCase()} ${path.replace('/workspace/{workspace}/api/v1/', '')}`,
      ),
    );
    expect(routes.sort()).toEqual(
      [
        'GET audit-log',
        'POST access/explain',
        'POST dev-tokens',
        ...['GET', 'POST'].map((method) => `${method} service-accounts`),
        ...['DELETE', 'GET'].map((method) => `${method} service-accounts/{id}`),
        ...['disable', 'enable', 'rotate'].map((verb) => `POST service-accounts/{id}/${verb}`),
        'PUT service-accounts/{id}/keys',
        'GET members',
        ...['DELETE', 'GET', 'PUT'].map((method) => `${method} members/{sub}`),
        'GET roles',
        ...['DELETE', 'GET', 'PUT'].map((method) => `${method} roles/{name}`),
        ...['GET', 'POST'].map((method) => `${method} revocations`),
        'DELETE revocations/{revision}',
        ...['GET', 'POST'].map((method) => `${method} external-auth-providers`),
        ...['DELETE', 'GET'].map((method) => `${method} external-auth-providers/{id}`),
        ...['backchannel-logout', 'refresh-keys', 'security-events', 'test'].map(
          (verb) => `POST external-auth-providers/{id}/${verb}`,
        ),
      ].sort(),
    );
  });

  it('gives each operation a name of its own, its security, and its errors', () => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { operationId, security, responses } of operations) {
      // What a provider sends is authenticated by its signature.
      const isSigned = ['receiveSecurityEvent', 'receiveLogoutToken'].includes(operationId ?? '');
      expect(security).toEqual(isSigned ? [] : [{ bearer: ['iam:manage'] }]);
      expect(Object.keys(responses ?? {})).toEqual(expect.arrayContaining(['4XX', '5XX']));
    }
  });

  it('refuses other methods', async () => {
    const response = await fixture.app.inject({ method: 'POST', url: '/workspace/openapi.json' });
    expect(response.statusCode).toBe(405);
    expect(response.headers.allow).toBe('GET, HEAD');
  });
});
