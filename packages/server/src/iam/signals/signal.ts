/** What a provider tells us of its users' sessions, however it was sent. */

/** Error codes of the receiver of security events (RFC 8935 section 2.4). */
export type SignalErrorCode = 'invalid_request' | 'invalid_key' | 'invalid_issuer' | 'invalid_audience';

/** A signal that is not taken. `message` is a fixed sentence of ours: it never repeats input. */
export class SignalFault extends Error {
  override readonly name = 'SignalFault';
  readonly err: SignalErrorCode;
  /** The inner reason, for log and audit. */
  readonly reason: string;

  constructor(err: SignalErrorCode, reason: string, message: string) {
    super(message);
    this.err = err;
    this.reason = reason;
  }
}

/** Whom a signal is about: a user, one session of anybody, or one session of a user. */
export interface SignalSubject {
  readonly sub?: string;
  readonly sid?: string;
}

/** What is to end: the tokens of the subject that were issued up to a moment. */
export interface Ending {
  /** What happened, for the audit log. */
  readonly event: 'session-revoked' | 'credential-change' | 'backchannel-logout';
  readonly subject: SignalSubject;
  /** Seconds since 1970, inclusive. */
  readonly second: number;
}

/** A verified signal. */
export interface Signal {
  readonly jti: string;
  /** Milliseconds since 1970: a signal of this `jti` has no effect any more after it. */
  readonly jtiUntil: number;
  /** Empty when it tells of nothing that ends tokens here. */
  readonly endings: readonly Ending[];
}

/** Seconds that the provider's clock may be ahead. */
export const LEEWAY_SECONDS = 60;
