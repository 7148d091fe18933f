import { DEV_CLIENT, OWN_PROVIDER, PERMISSIONS, type Permission } from '@centrali-io/protocol';
import { z } from 'zod';
import { Refusal } from '../../resource-server/index.ts';
import { whoRow } from '../audit/change-row.ts';
import { mustBeUser, putMember } from '../members/put-member.ts';
import type { IamServices } from '../services.ts';
import type { StoreTransaction } from '../store/port.ts';
import { type AdminApp, operation } from './app.ts';
import { authorityOf, grantsOf } from './authority.ts';
import type { Caller } from './caller.ts';
import { instant, provider, roleName, seconds, sub, workspaceParam } from './fields.ts';
import { instantOf } from './instant.ts';

/** Lifetime of a dev token when the request names none, in seconds. */
const DEFAULT_TTL = 3600;

/**
 * Claims that mean something to someone who verifies tokens: RFC 7519 section 4.1, RFC 9068 section 2.2,
 * RFC 8693, RFC 7800, OpenID Connect, and our own. They are set by IAM or not at all.
 */
const RESERVED_CLAIMS: ReadonlySet<string> = new Set(
  [
    'iss sub aud exp nbf iat jti',
    'client_id scope auth_time acr amr azp nonce at_hash c_hash s_hash sid events txn',
    'groups roles entitlements act may_act cnf authorization_details typ token_type',
    'workspaces cred provider permissions active username',
  ].flatMap((names) => names.split(' ')),
);

const claims = z
  .record(z.string(), z.json())
  .refine((value) => Object.keys(value).length <= 32, { error: 'must be at most 32 claims' })
  .refine((value) => Object.keys(value).every((name) => /^[A-Za-z0-9_:/.#-]{1,128}$/.test(name)), {
    error: 'must be named by 1 to 128 of A-Z a-z 0-9 _ : / . # -',
  })
  .refine((value) => Object.keys(value).every((name) => !RESERVED_CLAIMS.has(name) && !name.startsWith('ext_')), {
    error: 'must not name registered claims or those of this service',
  })
  .refine((value) => JSON.stringify(value).length <= 2048, { error: 'must be at most 2048 characters as JSON' })
  .describe('Further claims of the token; registered ones and those of this service are refused.');

const devTokenBody = z.strictObject({
  sub,
  provider: provider.optional(),
  role: roleName.optional().describe('Makes the principal a member with this role, beside those that it has.'),
  ttl: seconds(1, 86_400).optional().describe('Seconds until it expires: 1 to 86,400; 3,600 by default.'),
  claims: claims.optional(),
});

const devTokenAnswer = z.strictObject({
  token: z.string(),
  expiresAt: instant,
  revision: z.int().optional().describe('Present when `role` made or changed the member.'),
});

/** `dev-tokens`: a token for any user, to try things out. There only where the operator allows it. */
export function devTokenRoutes(app: AdminApp, services: IamServices): void {
  const { store, now } = services;
  app.post(
    '/dev-tokens',
    {
      schema: {
        ...operation({
          tag: 'Dev tokens',
          id: 'createDevToken',
          summary: 'A token for a user',
          answers: { 201: devTokenAnswer },
        }),
        params: z.strictObject(workspaceParam),
        body: devTokenBody,
      },
    },
    async ({ caller, body }, reply) => {
      if (caller.clientId === DEV_CLIENT) {
        throw new Refusal('FORBIDDEN', 'dev_token_makes_none', { message: 'A dev token never makes another.' });
      }
      if (body.provider !== undefined && body.provider !== OWN_PROVIDER) {
        throw new Refusal('BAD_REQUEST', 'provider_unsupported', {
          message: 'provider: dev tokens are issued by our own IAM, for its own users only.',
        });
      }
      mustBeUser(body.sub);
      const ttl = Math.min(body.ttl ?? DEFAULT_TTL, services.lifetimes.devMaximum);
      // First everything that can refuse; the token is signed last, and is only handed out once its row is written.
      const { revision, scope } = await store.transaction((tx) => prepare(tx, caller, body, now()));
      const { token, claims: issued } = await services.issueToken({
        sub: body.sub,
        clientId: DEV_CLIENT,
        workspaces: [caller.workspace],
        lifetimeSeconds: ttl,
        ...(scope === undefined ? {} : { scope }),
        ...(body.claims === undefined ? {} : { claims: body.claims }),
      });
      await store.transaction((tx) =>
        tx.audit.append([
          {
            ...whoRow(caller),
            at: now(),
            kind: 'token',
            action: 'dev-token.impersonate',
            target: body.sub,
            detail: {
              impersonated: { provider: OWN_PROVIDER, kind: 'user', sub: body.sub },
              issued: issued.jti,
              ttl,
              ...(body.role === undefined ? {} : { role: body.role }),
            },
          },
        ]),
      );
      const answer = { token, expiresAt: instantOf(issued.exp * 1000) };
      return reply.code(201).send(revision === undefined ? answer : { ...answer, revision });
    },
  );
}

/** Judges the request and makes the member. Nobody impersonates someone above their own permissions. */
async function prepare(
  tx: StoreTransaction,
  caller: Caller,
  { sub: who, role }: z.output<typeof devTokenBody>,
  at: number,
): Promise<{ readonly revision?: number; readonly scope?: string }> {
  const key = { workspace: caller.workspace, provider: OWN_PROVIDER, sub: who };
  const authority = await authorityOf(tx, caller);
  const present = await tx.members.get(key);
  const roles = present?.roles ?? [];
  await authority.mustCoverRoles(roles);
  if (role === undefined) return {};
  // A block is lifted by who means to: here it would happen by the way.
  if (present?.blocked) throw new Refusal('CONFLICT', 'member_blocked', { message: 'The member is blocked.' });
  const all = [...new Set([...roles, role])];
  const scope = await scopeNaming(tx, caller.workspace, all, role);
  if (present && roles.includes(role)) return scope;
  const change = { roles: all, blocked: false, at };
  return { revision: (await putMember(tx, caller, key, change)).revision, ...scope };
}

/**
 * `iam:manage` must be named in a scope, and only a role that was asked for by name brings it; the other
 * permissions are then named too, since a scope that names one limits the token to those it names.
 */
async function scopeNaming(
  tx: StoreTransaction,
  workspace: string,
  roles: readonly string[],
  asked: string,
): Promise<{ readonly scope?: string }> {
  const permissionsOf = async (names: readonly string[]): Promise<ReadonlySet<Permission>> =>
    new Set((await grantsOf(tx, workspace, names)).map(({ permission }) => permission));
  if (!(await permissionsOf([asked])).has('iam:manage')) return {};
  const held = await permissionsOf(roles);
  return { scope: PERMISSIONS.filter((name) => held.has(name)).join(' ') };
}
