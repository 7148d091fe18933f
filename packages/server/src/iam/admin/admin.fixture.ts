/** IAM in memory with its administration, and principals of every kind, for unit tests. */
import { type ErrorBody, OPERATOR_CLIENT } from '@centrali-io/protocol';
import fastify, { type FastifyInstance, type LightMyRequestResponse } from 'fastify';
import type { OutboundGet } from '../../resource-server/index.ts';
import { createIam, type Iam } from '../index.ts';
import { registerAdmin } from './plugin.ts';

export const ISSUER = 'https://rt.example';

/** What a test sends. */
export interface Sent {
  readonly token?: string | undefined;
  readonly body?: unknown;
  readonly workspace?: string;
  readonly headers?: Record<string, string>;
}

/** The administration under test. */
export interface AdminFixture {
  readonly iam: Iam;
  readonly app: FastifyInstance;
  /** Owner of `demo`. */
  readonly owner: string;
  /** Role admin in `demo`, hence below the owner. */
  readonly admin: string;
  /** Every line that was logged. */
  readonly logged: string[];
  /** Moves the clock. */
  advance(milliseconds: number): void;
  now(): number;
  /** A request to `/workspace/{ws}/api/v1{path}`. */
  send(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, sent?: Sent): Promise<LightMyRequestResponse>;
  /** A token of our own for a user. */
  userToken(sub: string, scope: string | undefined, workspaces?: readonly string[], clientId?: string): Promise<string>;
  /** A member with one role, and a token that names `iam:manage`. */
  memberWith(role: string, sub?: string, workspace?: string): Promise<string>;
  close(): Promise<void>;
}

/** What differs from test to test. */
export interface FixtureOptions {
  readonly devTokens?: boolean;
  readonly allowPrivateAddresses?: boolean;
  readonly get?: OutboundGet;
  readonly signalsPerMinutePerAddress?: number;
}

/** Makes workspaces `demo` and `other`. */
export async function openAdmin(options: FixtureOptions = {}): Promise<AdminFixture> {
  const { devTokens = true, allowPrivateAddresses = false, get, signalsPerMinutePerAddress = 0 } = options;
  let clock = Date.UTC(2026, 10, 1);
  const logged: string[] = [];
  const log = (fields: object, message: string): void => void logged.push(JSON.stringify({ ...fields, message }));
  const iam = await createIam({
    file: ':memory:',
    issuer: ISSUER,
    algorithm: 'ES256',
    devTokens,
    allowPrivateAddresses,
    signalsPerMinutePerAddress,
    now: () => clock,
    log: { info: log, warn: log, error: log },
  });
  await iam.ensureWorkspace('demo');
  await iam.ensureWorkspace('other');

  const app = fastify({ routerOptions: { maxParamLength: 3 * 255 } });
  let requests = 0;
  app.decorateRequest('context');
  app.addHook('onRequest', async (request) => {
    requests += 1;
    request.context = { id: `req_${requests}`, address: '192.0.2.1', secure: true };
  });
  await registerAdmin(app, iam.services, get ? { get } : {});

  const userToken: AdminFixture['userToken'] = async (
    sub,
    scope,
    workspaces = ['demo'],
    clientId = OPERATOR_CLIENT,
  ) => {
    const request = { sub, clientId, workspaces, lifetimeSeconds: 3600 };
    return (await iam.services.issueToken(scope === undefined ? request : { ...request, scope })).token;
  };
  const memberWith: AdminFixture['memberWith'] = async (role, sub = `${role}-user`, workspace = 'demo') => {
    await iam.putMember({ workspace, sub, role });
    return userToken(sub, 'iam:manage', [workspace]);
  };
  return {
    iam,
    app,
    logged,
    owner: await memberWith('owner', 'olga'),
    admin: await memberWith('admin', 'adam'),
    now: () => clock,
    advance(milliseconds) {
      clock += milliseconds;
    },
    async send(method, path, { token, body, workspace = 'demo', headers = {} } = {}) {
      return app.inject({
        method,
        url: `/workspace/${workspace}/api/v1${path}`,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
    },
    userToken,
    memberWith,
    async close() {
      await app.close();
      await iam.close();
    },
  };
}

/** Status, code and message of an error answer. */
export function errorOf(response: LightMyRequestResponse): string {
  const { code, message } = response.json<ErrorBody>();
  return `${response.statusCode} ${code}: ${message}`;
}
