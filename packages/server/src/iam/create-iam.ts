import { randomBytes as nodeRandomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_SET_KEYS, ProofMemory, SILENT } from '../resource-server/index.ts';
import { createAccountService } from './accounts/account-service.ts';
import { registerAdmin } from './admin/plugin.ts';
import { AuditSpool } from './audit/spool.ts';
import { verifyAudit } from './audit/verify.ts';
import { createChangeFeed } from './changes/change-feed.ts';
import { handleInternal } from './changes/internal.ts';
import { createDecisions } from './decisions/decisions.ts';
import { startHousekeeping } from './housekeeping.ts';
import type { Iam, IamOptions } from './iam.ts';
import { SIGNING_ALGORITHMS } from './keys/algorithm.ts';
import { openKeyRing } from './keys/key-ring.ts';
import { issueToken } from './oauth/issue-token.ts';
import { OAuthLimits } from './oauth/limits.ts';
import { createOwnTokenVerifier, ownIssuerOf } from './oauth/own-token.ts';
import { registerOAuth } from './oauth/routes.ts';
import { createTokenState } from './oauth/token-state.ts';
import { operatorActions } from './operator.ts';
import { openPublicServer } from './public.ts';
import type { IamServices } from './services.ts';
import type { Store } from './store/port.ts';
import { openSqliteStore } from './store/sqlite.ts';

/** The longest lifetime of any token of ours, in seconds: a dev token's. */
const LONGEST_LIFETIME_SECONDS = 86_400;

/** Opens the state, makes what is missing (epoch, pepper, first key) and starts IAM. */
export async function createIam(options: IamOptions): Promise<Iam> {
  checkOptions(options);
  const store = await openSqliteStore({ file: options.file, randomBytes: options.randomBytes ?? nodeRandomBytes });
  try {
    return await startIam(options, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Puts IAM together over a store that is open. */
async function startIam(options: IamOptions, store: Store): Promise<Iam> {
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
  const keys = await openKeyRing({
    store,
    algorithm,
    longestLifetimeSeconds: LONGEST_LIFETIME_SECONDS,
    now,
    ...(options.keyPublishLeadSeconds === undefined ? {} : { publishLeadSeconds: options.keyPublishLeadSeconds }),
    ...(options.maxPublishedKeys === undefined ? {} : { maxPublished: options.maxPublishedKeys }),
  });
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
        issuer,
        keys,
        now,
        randomBytes,
        revocations: state.revocations,
        sleep: (milliseconds) => sleep(Math.max(1, milliseconds)),
      }),
    revocations: state.revocations,
    signalsPerMinutePerAddress: options.signalsPerMinutePerAddress ?? 1_200,
    lifetimes,
    devTokens: options.devTokens ?? false,
    allowPrivateAddresses: options.allowPrivateAddresses ?? false,
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
          issuer,
          store,
          limits,
          proofs: new ProofMemory(monotonic),
          now,
          keys,
          algorithm,
          audit,
          state,
          lifetimeSeconds: lifetimes.service,
          issueToken: services.issueToken,
          permissionsOf: state.permissionsOf,
          verify: createOwnTokenVerifier({
            issuer: ownTokens,
            now,
          }),
          onFailure: ({ id, address }, reason, workspace) =>
            audit.sum({
              workspace,
              at: now(),
              kind: 'token',
              code: 'invalid_client',
              reason,
              address,
              requestId: id,
            }),
        }),
      (app) => registerAdmin(app, services),
    ],
  });

  const stopHousekeeping = startHousekeeping({
    store,
    keys,
    audit,
    feedRows: options.feedRows ?? 100_000,
    auditMaxAgeSeconds: options.auditMaxAgeSeconds ?? 31_536_000,
    now,
    log,
  });

  return {
    decisions,
    services,
    handlePublic: server.handle,
    handleInternal: (request) => handleInternal(request, decisions),
    ...operatorActions(services, keys),
    async verifyAudit(verification) {
      await audit.flush();
      return verifyAudit(store, verification);
    },
    async close() {
      stopHousekeeping();
      await server.close();
      keys.close();
      await audit.flush();
      await store.close();
    },
  };
}

/** Faults of the program or of the configuration that reached it. */
function checkOptions(options: IamOptions): void {
  const { issuer, algorithm = 'RS256', serviceLifetimeSeconds = 1, userLifetimeSeconds = 1 } = options;
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  if (!url || issuer.endsWith('/') || url.search || url.hash || !/^https?:$/.test(url.protocol))
    throw new TypeError('issuer must be an http or https URL without a trailing slash, query or fragment.');
  if (!SIGNING_ALGORITHMS.includes(algorithm)) throw new TypeError('algorithm must be RS256, ES256 or EdDSA.');
  const { keyPublishLeadSeconds: lead = 1, maxPublishedKeys: keys = 2 } = options;
  if (!Number.isSafeInteger(lead) || lead < 1 || lead > LONGEST_LIFETIME_SECONDS)
    throw new TypeError(`keyPublishLeadSeconds must be a whole number from 1 to ${LONGEST_LIFETIME_SECONDS}.`);
  if (!Number.isSafeInteger(keys) || keys < 2 || keys > MAX_SET_KEYS)
    throw new TypeError(`maxPublishedKeys must be a whole number from 2 to ${MAX_SET_KEYS}.`);
  for (const seconds of [serviceLifetimeSeconds, userLifetimeSeconds])
    if (!Number.isSafeInteger(seconds) || seconds < 1 || seconds > LONGEST_LIFETIME_SECONDS)
      throw new TypeError(`Lifetimes are whole seconds, at most ${LONGEST_LIFETIME_SECONDS}.`);
}
