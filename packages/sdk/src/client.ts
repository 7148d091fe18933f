import type { CentraliSDKOptions, Realtime } from './types.ts';

/** A client of one workspace. */
export class CentraliSDK {
  /** Subscribe and publish. */
  readonly realtime: Realtime;

  constructor(_options: CentraliSDKOptions) {
    const missing = (): never => {
      throw new Error('not built yet');
    };
    this.realtime = { subscribe: missing, events: missing, publish: missing };
  }

  /** Replaces the token; `null` signs out. */
  setToken(_token: string | null | undefined): void {}

  /** The present token. */
  getToken(): string | null {
    return null;
  }

  /** Asks the token endpoint for a new token; does not set it. */
  async fetchServiceAccountToken(): Promise<string> {
    throw new Error('not built yet');
  }
}
