import type { CheckRequest, Permission } from '@centrali-io/protocol';
import { OWN_PROVIDER, scopeOf } from '@centrali-io/protocol';
import {
  checkWorkspace,
  createOutboundGet,
  type Issuer,
  IssuerDirectory,
  KeySet,
  type Mapped,
  mapClaims,
  type OutboundGet,
  OWN_ALGORITHMS,
  ownIssuer,
  passFormGate,
  UNMAPPED,
  type VerifiedToken,
} from '../../resource-server/index.ts';
import type { IamServices } from '../services.ts';

/** A token that is good for this workspace, and what its provider's mapping makes of it. */
export interface JudgedToken extends VerifiedToken {
  readonly mapped: Mapped;
}

/** Verifies bearer tokens inside IAM, by the same code as the gateway, on IAM's own state. */
export interface TokenVerifier {
  /** Step 2: form, issuer, signature, claims. Throws a `Refusal`. */
  verify(token: string, workspace: string): Promise<VerifiedToken>;
  /** Steps 2 and 3, and the mapping. Throws a `Refusal`. */
  judge(token: string, workspace: string): Promise<JudgedToken>;
  /** A provider as an issuer, with its keys; undefined when there is none of this id. */
  provider(id: string): Promise<Issuer | undefined>;
  /** Stops following the state. */
  close(): void;
}

/**
 * Makes the verifier. What it knows of keys and providers is read anew after each change of the state,
 * before the next token is judged: a withdrawn key or a removed provider is gone at once.
 */
export function createTokenVerifier(services: IamServices, get: OutboundGet = outboundOf(services)): TokenVerifier {
  const monotonic = (): number => performance.now();
  let withdrawn: ReadonlySet<string> = new Set();
  let current: Promise<void> | undefined;

  const own = ownIssuer({
    baseUrl: services.issuer,
    keys: new KeySet({ load: () => services.decisions.jwks(), algorithms: OWN_ALGORITHMS, monotonic }),
    lifetimes: {
      service: services.lifetimes.service,
      user: services.lifetimes.user,
      dev: services.lifetimes.devMaximum,
    },
    isWithdrawn: (kid) => withdrawn.has(kid),
  });
  const issuers = new IssuerDirectory({
    own,
    get,
    monotonic,
    onFailure: (provider, reason) =>
      services.log.warn({ provider, reason }, "a provider's key set could not be loaded"),
  });

  const refresh = async (): Promise<void> => {
    await services.store.read(async (view) => {
      const keys = await view.signingKeys.list();
      withdrawn = new Set(keys.filter(({ withdrawnAt }) => withdrawnAt !== null).map(({ kid }) => kid));
      issuers.replaceAll((await view.providers.all()).map(({ record }) => record));
    });
    // In memory, hence free: a key that has just begun to sign is known at once.
    issuers.expireKeys(OWN_PROVIDER);
  };
  const stop = services.store.onChange(() => {
    current = undefined;
  });
  const upToDate = (): Promise<void> => {
    const reading: Promise<void> = (current ??= refresh().catch((error: unknown) => {
      if (current === reading) current = undefined;
      throw error;
    }));
    return reading;
  };

  const verify = async (token: string, workspace: string): Promise<VerifiedToken> => {
    const gated = passFormGate(token);
    await upToDate();
    return issuers.verify(gated, workspace, services.now());
  };
  return {
    verify,
    async judge(token, workspace) {
      const verified = await verify(token, workspace);
      checkWorkspace(verified, workspace);
      const { mapping } = verified.issuer;
      return { ...verified, mapped: mapping ? mapClaims(mapping, verified.claims) : UNMAPPED };
    },
    async provider(id) {
      await upToDate();
      return issuers.get(id);
    },
    close: stop,
  };
}

function outboundOf({ allowPrivateAddresses }: IamServices): OutboundGet {
  return createOutboundGet({ allowPrivateAddresses });
}

/** Step 4's question about a token. */
export function checkOf(token: JudgedToken, workspace: string, permission: Permission): CheckRequest {
  const { claims, issuer, kid, mapped } = token;
  const { sub, client_id: clientId, jti, cred, sid, iat } = claims;
  return {
    workspace,
    permission,
    provider: issuer.provider,
    sub,
    ...(clientId === undefined ? {} : { clientId }),
    ...(jti === undefined ? {} : { jti }),
    ...(cred === undefined ? {} : { cred }),
    ...(sid === undefined ? {} : { sid }),
    iat,
    kid,
    scope: scopeOf(claims),
    mappedRoles: mapped.roles,
    attributes: mapped.attributes,
    atLeast: 0,
  };
}
