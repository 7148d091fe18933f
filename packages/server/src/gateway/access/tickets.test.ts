import { describe, expect, it } from 'vitest';
import type { Subject } from './subject.ts';
import { Tickets } from './tickets.ts';

const subject = (jkt?: string): Subject => ({
  provider: 'centrali',
  sub: 'ann',
  token: {
    ...{ kid: 'k', iat: 0, expiresAt: 90_000, scope: [], mappedRoles: [], attributes: {}, claims: {} },
    ...(jkt === undefined ? {} : { jkt }),
  },
});
const never = (): Promise<never> => new Promise(() => {});

describe('Tickets', () => {
  it('says AUTH_ERROR when IAM fails or does not answer: nobody is told that a good ticket is bad', async () => {
    const failing = new Tickets({
      decisions: {
        putTicket: () => Promise.reject(new Error('down')),
        takeTicket: () => {
          throw new Error('down');
        },
      },
    });
    await expect(failing.make(subject(), 'acme', 0)).rejects.toMatchObject({
      code: 'AUTH_ERROR',
      reason: 'rpc_failed',
    });
    await expect(failing.take('t', 0)).rejects.toMatchObject({ code: 'AUTH_ERROR', reason: 'rpc_failed' });
    const hanging = new Tickets({ decisions: { putTicket: never, takeTicket: never }, deadlineMs: 5 });
    await expect(hanging.take('t', 0)).rejects.toMatchObject({ code: 'AUTH_ERROR', reason: 'rpc_timeout' });
  });

  it('makes none of a bound token, unless the operator allows it', async () => {
    const decisions = { putTicket: async () => true, takeTicket: async () => undefined };
    await expect(new Tickets({ decisions }).make(subject('thumb'), 'acme', 0)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      reason: 'ticket_of_bound_token',
    });
    const random = (): Buffer => Buffer.alloc(32, 1);
    const made = await new Tickets({ decisions, bound: true, random }).make(subject('thumb'), 'acme', 0);
    expect(made).toEqual({ ticket: Buffer.alloc(32, 1).toString('base64url'), expiresIn: 60 });
  });
});
