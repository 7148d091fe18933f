/**
 * The names that the guide's samples leave to their reader, for samples that run in a process of their own.
 * The test speaks to it by the environment, and hears from it by lines of JSON on stdout.
 */
import { CentraliSDK, type RealtimeEvent } from '@centrali-io/centrali-sdk';

const setting = (name: string): string => process.env[name] ?? '';

/** The service under test, in the place of the hosts that the page names. */
const service = setting('SEED_SERVICE');
const original = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  if (url.hostname === 'api.centrali.io' || url.hostname === 'auth.centrali.io') {
    say('request', { host: url.hostname, path: url.pathname, query: [...url.searchParams.keys()] });
    return original(service + url.pathname + url.search, init);
  }
  return original(input, init);
};

/** Tells the test something. */
function say(what: string, value: unknown = null): void {
  process.stdout.write(`${JSON.stringify({ what, value })}\n`);
}

// The process lives until it is killed, also when the SDK has stopped.
setInterval(() => {}, 60_000);

export const userJwtToken: string = setting('SEED_TOKEN');
export const yourToken: string = setting('SEED_TOKEN');
export const newToken: string = setting('SEED_NEW_TOKEN');

export const handleEvent = (event: RealtimeEvent): void => say('event', event);

const credentials = setting('CENTRALI_CLIENT_ID');
export const centrali: CentraliSDK = new CentraliSDK({
  baseUrl: 'https://api.centrali.io',
  workspaceId: 'my-workspace',
  ...(credentials === ''
    ? { token: setting('SEED_TOKEN') || null }
    : { clientId: credentials, clientSecret: setting('CENTRALI_CLIENT_SECRET') }),
});

/** For the sample about a new token: resolves when the old one has expired on an open subscription. */
export const expired: Promise<void> =
  newToken === ''
    ? Promise.resolve()
    : new Promise((resolve) => {
        centrali.realtime.subscribe({
          onEvent: handleEvent,
          onConnected: () => say('connected'),
          onError: ({ code }) => {
            say('error', code);
            if (code === 'TOKEN_EXPIRED') resolve();
          },
        });
      });

let refreshed = '';
export const redirectToLogin = (): void => say('redirectToLogin');
export const refreshToken = async (): Promise<void> => {
  refreshed = setting('SEED_REFRESHED_TOKEN');
  say('refreshToken');
};
export const reconnect = (): void => {
  say('reconnect');
  centrali.setToken(refreshed);
};
