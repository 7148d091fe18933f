import { systemEnvironment } from './environment.ts';
import { checkOptions } from './options.ts';
import { createRealtime } from './realtime/realtime.ts';
import { createTokenSource, type TokenSource } from './token-source.ts';
import type { CentraliSDKOptions, Realtime } from './types.ts';

/**
 * A client of one workspace. Makes no request until it is used.
 *
 * Throws a `TypeError` for options that only a programmer can mend: two kinds of credential, half a
 * pair, plain http beyond loopback, a bad URL or slug. A missing token is told later, as MISSING_TOKEN.
 */
export class CentraliSDK {
  /** Subscribe and publish. */
  readonly realtime: Realtime;
  readonly #source: TokenSource;

  constructor(options: CentraliSDKOptions) {
    const context = { config: checkOptions(options), env: systemEnvironment };
    this.#source = createTokenSource(context);
    this.realtime = createRealtime({ ...context, source: this.#source });
  }

  /**
   * Replaces the token. The same one again does nothing. Open streams are renewed in place, or use it
   * at their next reconnect; those that wait for a token, or were stopped by an error, connect. With a
   * token of another principal, open streams are closed at once and begin anew. `null` signs out: they
   * stop with MISSING_TOKEN.
   */
  setToken(token: string | null | undefined): void {
    if (token != null && typeof token !== 'string') throw new TypeError('token: must be a string');
    this.#source.set(token || null);
  }

  /** The present token; `null` when there is none (yet). */
  getToken(): string | null {
    return this.#source.current();
  }

  /**
   * Asks the token endpoint for a new token of the service account and resolves with it; does not set
   * it. Calls at the same time share one request. Rejects with a `TypeError` when this client has no
   * client credentials, else with a `RealtimeError` such as INVALID_CLIENT.
   */
  fetchServiceAccountToken(): Promise<string> {
    return this.#source.grant();
  }
}
