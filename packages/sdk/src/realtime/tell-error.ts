import { RealtimeError } from '@centrali-io/protocol';
import type { SubscribeOptions } from '../types.ts';

/** Prints an error that nobody handles, with what to do about it, and never with a token. */
function print({ code, message, remedy, requestId, cause }: RealtimeError): void {
  // What a handler threw is the application's own; without it nobody can mend the handler.
  const more = code === 'HANDLER_ERROR' ? String((cause as Error | undefined)?.stack ?? cause) : (requestId ?? '');
  console.error(`[centrali] ${code}: ${message} ${remedy} ${more}`.replace(/[\w-]+\.[\w-]{8,}\.[\w-]+/g, '[token]'));
}

/** Brings errors to `onError`. */
export interface Teller {
  /** Tells an error, and waits until it is handled. Never rejects. */
  tell(error: RealtimeError): Promise<void>;
  /** Tells what a handler threw. */
  blame(cause: unknown): Promise<void>;
  /** Calls a handler that nothing waits for. */
  call(handler: () => unknown): Promise<void>;
  /** The outage is over: the first error of the next one is printed again. */
  calm(): void;
}

/** Makes the teller of a subscription. Where nobody listens, it prints; an expiry that the SDK mends, not. */
export function createTeller(handlers: Pick<SubscribeOptions, 'onError'>, refreshes: boolean): Teller {
  let printed = false;
  const blame = (cause: unknown): Promise<void> => tell(new RealtimeError('HANDLER_ERROR', { cause }));

  async function tell(error: RealtimeError): Promise<void> {
    const { code, recoverable } = error;
    try {
      if (handlers.onError) return void (await handlers.onError(error));
    } catch (cause) {
      return print(new RealtimeError('HANDLER_ERROR', { cause }));
    }
    // What is final, and the beginning of an outage.
    const outage = recoverable && code !== 'HANDLER_ERROR';
    if (!outage || !(printed || (code === 'TOKEN_EXPIRED' && refreshes))) print(error);
    printed ||= outage;
  }

  return {
    tell,
    blame,
    async call(handler) {
      try {
        await handler();
      } catch (cause) {
        await blame(cause);
      }
    },
    calm() {
      printed = false;
    },
  };
}
