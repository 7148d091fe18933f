import type { FastifyInstance } from 'fastify';
import type { IamServices } from '../services.ts';

/** Registers the administration on IAM's public server; the context of a request is `request.context`. */
export async function registerAdmin(_app: FastifyInstance, _services: IamServices): Promise<void> {}
