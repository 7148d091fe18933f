import { PATHS } from '@centrali-io/protocol';
import fastifySwagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { IamServices } from '../services.ts';
import { refuseOtherMethods } from './methods.ts';

/** Describes every route made after it in this scope, as OpenAPI 3.1, and serves the description. */
export async function describeApi(scope: FastifyInstance, { issuer }: IamServices): Promise<void> {
  await scope.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Centrali Realtime administration',
        version: '1',
        description:
          'Service accounts, members, roles, providers, revocations and the audit log of one workspace. ' +
          'Needs an access token whose scope names `iam:manage`, in the Authorization header.',
      },
      servers: [{ url: issuer }],
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
    },
    transform: jsonSchemaTransform,
  });
  await scope.register(async (own) => {
    const methods = refuseOtherMethods(own);
    own.get(PATHS.openapi, { schema: { hide: true } }, async () => scope.swagger());
    methods.close();
  });
}
