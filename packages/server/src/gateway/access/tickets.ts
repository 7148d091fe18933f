import { createHash, randomBytes } from 'node:crypto';
import { type Decisions, OWN_PROVIDER, type Scalar, TICKET_SECONDS, type TicketRecord } from '@centrali-io/protocol';
import { Refusal } from '../../resource-server/index.ts';
import type { Subject } from './subject.ts';

/** What `Tickets` is made from. */
export interface TicketsOptions {
  readonly decisions: Pick<Decisions, 'putTicket' | 'takeTicket'>;
  /** Whether a token that is bound to a key (RFC 9449) may be changed for a ticket, which is not. `false` by default. */
  readonly bound?: boolean;
  /** A call that takes longer has failed. Default 2,000 ms. */
  readonly deadlineMs?: number;
  /** 32 random bytes; the system's by default. */
  readonly random?: () => Buffer;
}

/** A ticket that was made. */
export interface MadeTicket {
  readonly ticket: string;
  /** Seconds. */
  readonly expiresIn: number;
}

/** The form of a ticket: 256 bits in base64url. */
const TICKET = /^[A-Za-z0-9_-]{43}$/;

/**
 * Tickets: a credential for one connect, for those who can send nothing but a URL (native EventSource).
 * IAM keeps the SHA-256 of a ticket beside what its token said, and gives it out once; neither the token
 * nor the ticket is kept anywhere.
 */
export class Tickets {
  readonly #options: TicketsOptions;

  constructor(options: TicketsOptions) {
    this.#options = options;
  }

  /**
   * Makes a ticket for a token that was found good.
   *
   * @throws Refusal `FORBIDDEN` for a bound token, `RATE_LIMIT_EXCEEDED` when too many wait, `AUTH_ERROR`
   */
  async make(subject: Subject, workspace: string, now: number): Promise<MadeTicket> {
    const { bound = false, random = () => randomBytes(32), decisions } = this.#options;
    if (subject.token.jkt !== undefined && !bound) {
      throw new Refusal('FORBIDDEN', 'ticket_of_bound_token', {
        message: 'A token that is bound to a key gets no ticket here.',
        scope: 'realtime:subscribe',
      });
    }
    const ticket = random().toString('base64url');
    const record = ticketOf(subject, workspace);
    const kept = await this.#call((signal) => decisions.putTicket(hashOf(ticket), record, signal));
    if (!kept) throw new Refusal('RATE_LIMIT_EXCEEDED', 'tickets_full', { retryAfter: TICKET_SECONDS / 2 });
    return { ticket, expiresIn: Math.max(0, Math.min(TICKET_SECONDS, Math.floor((record.expiresAt - now) / 1000))) };
  }

  /** Whether a text could be a ticket at all; nobody is asked about anything else. */
  static hasForm(ticket: string): boolean {
    return TICKET.test(ticket);
  }

  /**
   * Takes what a ticket stands for. It is spent then, whatever comes of it.
   *
   * @throws Refusal `INVALID_TOKEN`, the same one for a ticket that is unknown, spent or too old; `AUTH_ERROR`
   */
  async take(ticket: string, now: number): Promise<TicketRecord> {
    const { decisions } = this.#options;
    const record = await this.#call((signal) => decisions.takeTicket(hashOf(ticket), signal));
    if (!record || record.expiresAt <= now) throw spent();
    return record;
  }

  async #call<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { deadlineMs = 2000 } = this.#options;
    const signal = AbortSignal.timeout(deadlineMs);
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(new Refusal('AUTH_ERROR', 'rpc_timeout')), { once: true });
    });
    try {
      // In a function of its own, so that a synchronous throw of an adapter is a failure like any other.
      return await Promise.race([(async () => work(signal))(), late]);
    } catch (error) {
      if (error instanceof Refusal && error.code === 'AUTH_ERROR') throw error;
      throw new Refusal('AUTH_ERROR', 'rpc_failed', { cause: error });
    }
  }
}

/** The refusal of a ticket that is none, none any more, or was never one. */
export function spent(): Refusal {
  return new Refusal('INVALID_TOKEN', 'ticket_unknown');
}

function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}

/** What is kept of a token. */
function ticketOf({ provider, sub, token }: Subject, workspace: string): TicketRecord {
  const { kid, iat, expiresAt, scope, mappedRoles, attributes, claims, jti, clientId, cred, sid, jkt } = token;
  return {
    workspace,
    provider,
    sub,
    kid,
    iat,
    expiresAt,
    scope,
    mappedRoles,
    attributes,
    claims: provider === OWN_PROVIDER ? scalarsOf(claims) : {},
    ...(jti === undefined ? {} : { jti }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(cred === undefined ? {} : { cred }),
    ...(sid === undefined ? {} : { sid }),
    ...(jkt === undefined ? {} : { jkt }),
  };
}

function scalarsOf(claims: Readonly<Record<string, unknown>>): Record<string, Scalar> {
  const scalars = Object.entries(claims).filter((entry): entry is [string, Scalar] =>
    ['string', 'number', 'boolean'].includes(typeof entry[1]),
  );
  return Object.fromEntries(scalars);
}

/** Whose token a ticket was made of: the subject, as if the token itself had come. */
export function subjectOfTicket(record: TicketRecord): Subject {
  const { workspace: _, provider, sub, ...token } = record;
  return { provider, sub, token };
}
