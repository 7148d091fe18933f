import { randomBytes as nodeRandomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isWorkspaceSlug, OPERATOR_CLIENT, OWN_PROVIDER, PERMISSIONS } from '@centrali-io/protocol';
import { Refusal, SILENT } from '../resource-server/index.ts';
import { createAccountService } from './accounts/account-service.ts';
import { registerAdmin } from './admin/plugin.ts';
import { auditOf, OPERATOR } from './audit/actor.ts';
import { AuditSpool } from './audit/spool.ts';
import { createChangeFeed } from './changes/change-feed.ts';
import { handleInternal } from './changes/internal.ts';
import { createDecisions } from './decisions/decisions.ts';
import { endExpiredCredentials, prune } from './housekeeping.ts';
import type { Iam, IamOptions } from './iam.ts';
import { SIGNING_ALGORITHMS } from './keys/algorithm.ts';
import { openKeyRing } from './keys/key-ring.ts';
import { issueToken } from './oauth/issue-token.ts';
import { OAuthLimits } from './oauth/limits.ts';
import { createOwnTokenVerifier, ownIssuerOf } from './oauth/own-token.ts';
import { registerOAuth } from './oauth/routes.ts';
import { createTokenState } from './oauth/token-state.ts';
import { openPublicServer } from './public.ts';
import type { IamServices } from './services.ts';
import { openSqliteStore } from './store/sqlite.ts';

/** The longest lifetime of any token of ours, in seconds: a dev token's. */
const LONGEST_LIFETIME_SECONDS = 86_400;

/** Opens the state, makes what is missing (epoch, pepper, first key) and starts IAM. */
export async function createIam(options: IamOptions): Promise<Iam> {
  const {
    issuer,
    algorithm = 'RS256',
    serviceLifetimeSeconds = 25_200,
    userLifetimeSeconds = 3_600,
    now = Date.now,
    monotonic = () => performance.now(),
    randomBytes = nodeRandomBytes,
    log = SILENT,
  } = options;
  checkOptions(options);
  const store = await openSqliteStore({ file: options.file, randomBytes });
  const keys = await openKeyRing({ store, algorithm, longestLifetimeSeconds: LONGEST_LIFETIME_SECONDS, now });
  const audit = new AuditSpool({ store, log });
  const decisions = createDecisions({ store, keys, audit, now, feed: createChangeFeed({ store, now }) });
  const lifetimes = {
    service: serviceLifetimeSeconds,
    user: userLifetimeSeconds,
    devMaximum: LONGEST_LIFETIME_SECONDS,
  };
  const limits = new OAuthLimits({
    requestsPerMinutePerAddress: options.tokenRequestsPerMinutePerAddress ?? 1_200,
    failuresPerMinutePerClient: options.tokenFailuresPerMinutePerClient ?? 30,
    failuresPerMinutePerAddress: options.tokenFailuresPerMinutePerAddress ?? 120,
    randomBytes,
  });
  const state = createTokenState(store, now);
  const services: IamServices = {
    issuer,
    store,
    accounts: createAccountService({ store, now, randomBytes }),
    decisions,
    audit,
    issueToken: (request) =>
      issueToken(request, {
        ...{ issuer, keys, now, randomBytes },
        revocations: state.revocations,
        sleep: (milliseconds) => sleep(Math.max(1, milliseconds)),
      }),
    lifetimes,
    devTokens: options.devTokens ?? false,
    allowPrivateAddresses: options.allowPrivateAddresses ?? false,
    fetch: options.fetch ?? fetch,
    now,
    randomBytes,
    log,
  };
  const ownTokens = ownIssuerOf(
    issuer,
    keys,
    { service: lifetimes.service, user: lifetimes.user, dev: lifetimes.devMaximum },
    monotonic,
  );
  const server = await openPublicServer({
    baseUrl: issuer,
    log,
    routes: [
      (app) =>
        registerOAuth(app, {
          ...{ issuer, store, limits, now, keys, algorithm, audit, state },
          lifetimeSeconds: lifetimes.service,
          issueToken: services.issueToken,
          permissionsOf: state.permissionsOf,
          verify: createOwnTokenVerifier({ issuer: ownTokens, now }),
          onFailure: ({ id, address }, reason, workspace) =>
            audit.sum({ workspace, at: now(), kind: 'token', code: 'invalid_client', reason, address, requestId: id }),
        }),
      (app) => registerAdmin(app, services),
    ],
  });

  const every = (milliseconds: number, what: string, task: () => Promise<unknown>): NodeJS.Timeout => {
    let running = false;
    const timer = setInterval(() => {
      if (running) return;
      running = true;
      void task()
        .catch((error: unknown) => log.error({ error: String(error) }, what))
        .finally(() => {
          running = false;
        });
    }, milliseconds);
    return timer.unref();
  };
  const timers = [
    every(1_000, 'Expired credentials could not be ended', () => endExpiredCredentials({ store, now })),
    every(60_000, 'Housekeeping failed', () =>
      prune({ store, keys, audit, now, feedRows: options.feedRows ?? 100_000 }),
    ),
  ];

  const putMember: Iam['putMember'] = ({ workspace, sub, role }) =>
    store.transaction(async (tx) => {
      const at = now();
      await mustBeActive(await tx.workspaces.get(workspace));
      await tx.members.put({
        ...{ workspace, provider: OWN_PROVIDER, sub, roles: [role] },
        ...{ blocked: false, createdAt: at, updatedAt: at },
      });
      const revision = await tx.recordChange(
        { kind: 'member', workspace, provider: OWN_PROVIDER, sub },
        { ...auditOf(OPERATOR, at), workspace, action: 'member.put', target: sub, detail: { roles: [role] } },
      );
      return { revision };
    });

  return {
    decisions,
    services,
    handlePublic: server.handle,
    handleInternal: (request) => handleInternal(request, decisions),
    ensureWorkspace(slug) {
      if (!isWorkspaceSlug(slug)) throw new TypeError('The slug of a workspace is 1 to 63 of a-z, 0-9 and -.');
      return store.transaction(async (tx) => {
        const present = await tx.workspaces.get(slug);
        if (present?.state === 'deleted')
          throw new Refusal('CONFLICT', 'workspace_deleted', { message: 'A slug is never used twice.' });
        if (present) return false;
        const at = now();
        await tx.workspaces.insert({ slug, state: 'active', createdAt: at });
        await tx.recordChange(
          { kind: 'workspace', workspace: slug },
          { ...auditOf(OPERATOR, at), workspace: slug, action: 'workspace.create', target: slug },
        );
        return true;
      });
    },
    listWorkspaces: () => store.read((view) => view.workspaces.list()),
    setWorkspaceState: (slug, to) =>
      store.transaction(async (tx) => {
        const present = await tx.workspaces.get(slug);
        if (!present) return undefined;
        if (present.state === 'deleted')
          throw new Refusal('CONFLICT', 'workspace_deleted', { message: 'The workspace is deleted for good.' });
        await tx.workspaces.setState(slug, to);
        const action = `workspace.${to === 'active' ? 'resume' : to === 'suspended' ? 'suspend' : 'delete'}`;
        const revision = await tx.recordChange(
          { kind: 'workspace', workspace: slug },
          { ...auditOf(OPERATOR, now()), workspace: slug, action, target: slug },
        );
        return { revision };
      }),
    createAccount: ({ workspace, name, description, role }) =>
      services.accounts.create(
        {
          ...{ workspace, name, roles: role === undefined ? [] : [role] },
          ...(description === undefined ? {} : { description }),
        },
        OPERATOR,
        async (tx) => mustBeActive(await tx.workspaces.get(workspace)),
      ),
    putMember,
    async issueAdminToken({ workspace, sub = 'operator', lifetimeSeconds = 43_200 }) {
      await putMember({ workspace, sub, role: 'owner' });
      const { token, claims } = await services.issueToken({
        ...{ sub, clientId: OPERATOR_CLIENT, workspaces: [workspace], lifetimeSeconds },
        scope: PERMISSIONS.join(' '),
      });
      return { token, expiresAt: claims.exp * 1_000 };
    },
    listKeys: async () => keys.list(),
    rotateKeys: () => keys.rotate(OPERATOR),
    withdrawKey: (kid) => keys.withdraw(kid, OPERATOR),
    async close() {
      for (const timer of timers) clearInterval(timer);
      await server.close();
      keys.close();
      await audit.flush();
      await store.close();
    },
  };
}

function mustBeActive(workspace: { readonly state: string } | undefined): void {
  if (!workspace) throw new Refusal('NOT_FOUND', 'workspace_unknown', { message: 'There is no such workspace.' });
  if (workspace.state !== 'active')
    throw new Refusal('CONFLICT', 'workspace_inactive', { message: 'The workspace is suspended or deleted.' });
}

/** Faults of the program or of the configuration that reached it. */
function checkOptions(options: IamOptions): void {
  const { issuer, algorithm = 'RS256', serviceLifetimeSeconds = 1, userLifetimeSeconds = 1 } = options;
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (!url || issuer.endsWith('/') || url.search || url.hash || !/^https?:$/.test(url.protocol))
    throw new TypeError('issuer must be an http or https URL without a trailing slash, query or fragment.');
  if (!SIGNING_ALGORITHMS.includes(algorithm)) throw new TypeError('algorithm must be RS256, ES256 or EdDSA.');
  for (const seconds of [serviceLifetimeSeconds, userLifetimeSeconds])
    if (!Number.isSafeInteger(seconds) || seconds < 1 || seconds > LONGEST_LIFETIME_SECONDS)
      throw new TypeError(`Lifetimes are whole seconds, at most ${LONGEST_LIFETIME_SECONDS}.`);
}
