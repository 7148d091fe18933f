import type { FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { createOutboundGet, ERROR_HEADERS, type OutboundGet, Refusal } from '../../resource-server/index.ts';
import { auditRoutes } from '../audit/routes.ts';
import { explainRoutes } from '../explain/routes.ts';
import { memberRoutes } from '../members/routes.ts';
import { boundedGet } from '../providers/bounded-get.ts';
import { providerRoutes } from '../providers/routes.ts';
import { roleRoutes } from '../roles/routes.ts';
import type { IamServices } from '../services.ts';
import { registerSignals } from '../signals/routes.ts';
import type { AdminApp } from './app.ts';
import { createAuthorizeAdmin } from './authorize-admin.ts';
import { takeJsonOnly } from './body.ts';
import type { AuthorizeAdmin } from './caller.ts';
import { devTokenRoutes } from './dev-tokens.ts';
import { refuseOtherMethods } from './methods.ts';
import { describeApi } from './openapi.ts';
import { createErrorHandler } from './refuse.ts';
import { revocationRoutes } from './revocations.ts';
import { serviceAccountRoutes } from './service-accounts.ts';
import { createTokenVerifier } from './verifier.ts';

/** What tests replace. */
export interface AdminOverrides {
  /** Who calls; by default steps 1 to 4 on the bearer of the request. */
  readonly authorize?: AuthorizeAdmin;
  /** How providers are fetched; by default under the rules of `createOutboundGet`. */
  readonly get?: OutboundGet;
}

/**
 * Registers the administration on IAM's public server: `/workspace/{ws}/api/v1/…` and its OpenAPI
 * description. The server sets `request.context` before any hook runs here.
 */
export async function registerAdmin(
  app: FastifyInstance,
  services: IamServices,
  overrides: AdminOverrides = {},
): Promise<void> {
  const get = overrides.get ?? createOutboundGet({ allowPrivateAddresses: services.allowPrivateAddresses });
  const verifier = createTokenVerifier(services, get);
  const authorize = overrides.authorize ?? createAuthorizeAdmin(services, verifier);

  await app.register(async (scope) => {
    scope.setValidatorCompiler(validatorCompiler);
    scope.setSerializerCompiler(serializerCompiler);
    scope.setErrorHandler(createErrorHandler(services));
    scope.addHook('onRequest', async (_request, reply) => {
      reply.headers(ERROR_HEADERS);
    });
    scope.addHook('onClose', async () => verifier.close());
    await describeApi(scope, services);
    await scope.register(
      async (plain) => {
        const admin: AdminApp = plain.withTypeProvider();
        plain.decorateRequest('caller');
        takeJsonOnly(plain);
        const methods = refuseOtherMethods(plain);
        plain.setNotFoundHandler(() => {
          throw new Refusal('NOT_FOUND', 'route_unknown');
        });
        plain.addHook('onRequest', async (request) => {
          if (request.is404) return;
          const { workspace } = request.params as { readonly workspace: string };
          request.caller = await authorize(request, workspace);
        });
        serviceAccountRoutes(admin, services);
        memberRoutes(admin, services);
        roleRoutes(admin, services);
        if (services.devTokens) devTokenRoutes(admin, services);
        revocationRoutes(admin, services);
        auditRoutes(admin, services);
        explainRoutes(admin, services, verifier);
        providerRoutes(admin, services, boundedGet(get));
        methods.close();
      },
      { prefix: '/workspace/:workspace/api/v1' },
    );
    await registerSignals(scope, services, verifier);
  });
}
