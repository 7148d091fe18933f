/** The authentication guide's component, as printed: it must compile with the types of React 18. */
import { CentraliSDK, type RealtimeEvent } from '@centrali-io/centrali-sdk';
import { useEffect, useRef } from 'react';
import { expect, test } from 'vitest';

declare function useAuth(): { token: string | null; refreshToken: () => Promise<string> };
declare const handleEvent: (event: RealtimeEvent) => void;

export function MyComponent() {
  const { token, refreshToken } = useAuth();
  const centraliRef = useRef<CentraliSDK>();

  useEffect(() => {
    centraliRef.current = new CentraliSDK({
      baseUrl: 'https://api.centrali.io',
      workspaceId: 'my-workspace',
      token,
    });

    const subscription = centraliRef.current.realtime.subscribe({
      onEvent: handleEvent,
      onError: async (error) => {
        if (error.code === 'TOKEN_EXPIRED') {
          const newToken = await refreshToken();
          centraliRef.current?.setToken(newToken);
          // Reconnection will use new token
        }
      },
    });

    return () => subscription.unsubscribe();
  }, []);

  // Update token when it changes
  useEffect(() => {
    centraliRef.current?.setToken(token);
  }, [token]);
}

test('the sample compiles', () => {
  expect(MyComponent).toBeTypeOf('function');
});
