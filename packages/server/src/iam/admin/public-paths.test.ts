/** The administration behind IAM's own server: what only its settings decide. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIam, type Iam } from '../index.ts';

let iam: Iam;
let server: Server;
let token: string;
beforeAll(async () => {
  iam = await createIam({ file: ':memory:', issuer: 'https://rt.example', algorithm: 'ES256', devTokens: true });
  await iam.ensureWorkspace('demo');
  ({ token } = await iam.issueAdminToken({ workspace: 'demo' }));
  server = createServer((req, res) => iam.handlePublic(req, res, { id: 'req_1', address: '192.0.2.1', secure: true }));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await iam.close();
});

/** A request whose target is sent as it stands: `fetch` would mend it. */
const send = (
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> =>
  new Promise((fulfil, reject) => {
    const { port } = server.address() as AddressInfo;
    const headers = { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) };
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        fulfil({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
      });
    });
    sent.on('error', reject);
    sent.end(body ? JSON.stringify(body) : undefined);
  });
const API = '/workspace/demo/api/v1';

describe('paths', () => {
  it('hold a sub of 255 bytes, each percent-encoded', async () => {
    const path = `${API}/members/${'%C3%A4'.repeat(127)}%78`;
    const made = await send('PUT', path, { roles: ['viewer'] });
    expect(made).toMatchObject({ status: 200, body: { sub: `${'ä'.repeat(127)}x` } });
    expect((await send('DELETE', path)).status).toBe(200);
  });

  it.each(['%zz', '%', '%ff', '%c3%28', '%00', 'a%0d%0aX:%20y', ''])(
    'with %s are refused in our own words',
    async (sub) => {
      const answer = await send('PUT', `${API}/members/${sub}`, { roles: [] });
      expect(answer).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST', requestId: 'req_1' } });
    },
  );

  it.each(['/workspace', '/workspace/demo', API, `${API}/`, `${API}//roles`, `/x${API}/roles`])(
    'that there are not answer NOT_FOUND: %s',
    async (path) => {
      expect(await send('GET', path)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    },
  );

  it("that lead out of the workspace are not another workspace's", async () => {
    await iam.ensureWorkspace('other');
    for (const path of ['/workspace/demo/../other/api/v1/roles', '/workspace/demo%2f..%2fother/api/v1/roles']) {
      expect([403, 404]).toContain((await send('GET', path)).status);
    }
  });
});

describe("the operator's token", () => {
  it('makes dev tokens, which make none', async () => {
    const made = await send('POST', `${API}/dev-tokens`, { sub: 'ann', role: 'owner' });
    expect(made.status).toBe(201);
    token = String(made.body.token);
    expect((await send('GET', `${API}/roles`)).status).toBe(200);
    expect(await send('POST', `${API}/dev-tokens`, { sub: 'bob' })).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN' },
    });
  });
});
