/** `centrali subscribe`: events as NDJSON on stdout, everything else on stderr. */
import { CentraliSDK, type RealtimeError } from '@centrali-io/centrali-sdk';
import type { Target } from '../client/target.ts';
import { CommandFailure, colours, type Io, printable } from '../io.ts';

/** What the flags of `subscribe` say. */
export interface SubscribeFlags {
  readonly structures?: readonly string[];
  readonly events?: readonly string[];
  readonly filter?: string;
  readonly jobId?: string;
  readonly triggerType?: string;
  readonly functionId?: string;
  readonly lastEventId?: string;
  readonly count?: number;
  readonly quiet?: boolean;
}

/** Subscribes until a signal, a final error, or `--count` events. */
export async function subscribe(target: Target, flags: SubscribeFlags, io: Io): Promise<void> {
  const { baseUrl, workspace, credentials } = target;
  const c = colours(io, io.stderr);
  const say = (text: string): void => {
    if (!flags.quiet) io.stderr.write(`${c.dim(printable(text))}\n`);
  };
  const sdk = new CentraliSDK({
    baseUrl,
    workspaceId: workspace,
    tokenDelivery: 'header',
    ...(credentials.kind === 'client'
      ? { clientId: credentials.clientId, clientSecret: credentials.clientSecret }
      : { token: credentials.token }),
  });
  const { count, quiet: _, ...selection } = flags;
  let received = 0;
  await new Promise<void>((resolve, reject) => {
    const finish = (error?: unknown): void => {
      subscription.unsubscribe();
      if (error === undefined) resolve();
      else reject(error);
    };
    const subscription = sdk.realtime.subscribe({
      ...selection,
      async onEvent(event, { id }) {
        if (count !== undefined && received >= count) return;
        received += 1;
        if (!io.stdout.write(`${JSON.stringify(Object.assign({ id }, event, { id }))}\n`)) {
          await new Promise<void>((drained) => io.stdout.once('drain', drained));
        }
        if (received === count) finish();
      },
      onConnected: ({ resumed }) =>
        say(`${resumed ? 'Connected again' : 'Connected'} to workspace ${workspace} at ${baseUrl}; Ctrl-C ends it`),
      onDisconnected: (reason) => say(`Disconnected (${reason})`),
      onGap: ({ reason, id }) => say(`Events may be missing before ${id} (${reason}): fetch the state again`),
      onError(error) {
        // What the SDK mends by itself is only told; a token that came as it is cannot be renewed here.
        const final = !error.recoverable || (error.code === 'TOKEN_EXPIRED' && credentials.kind === 'token');
        if (final) finish(error);
        else if (error.code !== 'TOKEN_EXPIRED') say(`${error.code}: ${error.message} Trying again.`);
      },
    });
    io.stdout.once('error', () => finish());
    io.signal.addEventListener('abort', () => finish(), { once: true });
  });
}

/** The failure that a `RealtimeError` is for the command. */
export function failureOf(error: RealtimeError): CommandFailure {
  const { code, message, remedy, requestId, recoverable } = error;
  return new CommandFailure(`${code}: ${message}${requestId ? ` (${requestId})` : ''}`, {
    remedy,
    body: { code, message, recoverable, ...(requestId ? { requestId } : {}) },
  });
}
