/** The authentication guide's samples, as printed: they must compile. `test/` runs them against the service. */
// The guide's own text stays as it is.
/* oxlint-disable promise/no-promise-in-callback, typescript/switch-exhaustiveness-check, typescript/no-floating-promises */
import { expect, test } from 'vitest';
import { CentraliSDK, type RealtimeEvent } from './index.ts';

declare const userJwtToken: string;
declare const newToken: string;
declare const handleEvent: (event: RealtimeEvent) => void;
declare const redirectToLogin: () => void;
declare const refreshToken: () => Promise<string>;
declare const reconnect: () => void;

export function userToken(): void {
  const centrali = new CentraliSDK({
    baseUrl: 'https://api.centrali.io',
    workspaceId: 'my-workspace',
    token: userJwtToken, // From your auth flow
  });
  // Token is automatically used for realtime
  centrali.realtime.subscribe({
    onEvent: handleEvent,
  });
  // Update token for subsequent requests
  centrali.setToken(newToken);
}

export function serviceAccount(): void {
  const centrali = new CentraliSDK({
    baseUrl: 'https://api.centrali.io',
    workspaceId: 'my-workspace',
    clientId: process.env.CENTRALI_CLIENT_ID,
    clientSecret: process.env.CENTRALI_CLIENT_SECRET,
  });
  centrali.realtime.subscribe({
    onEvent: handleEvent,
    onError: async (error) => {
      if (error.code === 'TOKEN_EXPIRED') {
        // Manually refresh the token
        const newToken = await centrali.fetchServiceAccountToken();
        centrali.setToken(newToken);
        // SDK will reconnect with new token
      }
    },
  });
}

export function errorCodes(centrali: CentraliSDK): void {
  centrali.realtime.subscribe({
    onEvent: handleEvent,
    onError: (error) => {
      switch (error.code) {
        case 'MISSING_TOKEN':
          redirectToLogin();
          break;
        case 'TOKEN_EXPIRED':
          refreshToken().then(() => reconnect());
          break;
        case 'INVALID_TOKEN':
          console.error('Invalid token:', error.message);
          break;
        case 'WORKSPACE_MISMATCH':
          console.error('Token not valid for this workspace');
          break;
        case 'FORBIDDEN':
          console.error('Permission denied');
          break;
      }
    },
  });
}

export function connectionTest(centrali: CentraliSDK): void {
  const subscription = centrali.realtime.subscribe({
    onConnected: () => {
      console.log('Authentication successful!');
    },
    onError: (error) => {
      console.error('Auth failed:', error.code, error.message);
    },
    onEvent: () => {}, // Required
  });
  subscription.unsubscribe();
}

test('the samples compile', () => {
  expect([userToken, serviceAccount, errorCodes, connectionTest]).toHaveLength(4);
});
