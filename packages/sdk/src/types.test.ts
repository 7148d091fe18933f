// What is wrong here is wrong on purpose.
/* oxlint-disable eslint/no-new, typescript/switch-exhaustiveness-check, typescript/consistent-return */
import { expect, expectTypeOf, test } from 'vitest';
import {
  type AuthErrorCode,
  CentraliSDK,
  type CentraliSDKOptions,
  type ErrorCode,
  type RealtimeError,
  type RealtimeEvent,
  type RealtimeRecordEvent,
  type RealtimeSubscription,
  type SubscribeOptions,
} from './index.ts';

interface Order {
  readonly status: 'open' | 'paid';
}

/** What the table of the authentication guide says, as code that only compiles when it is complete. */
function actionFor(code: AuthErrorCode): string {
  switch (code) {
    case 'MISSING_TOKEN':
      return 'login';
    case 'TOKEN_EXPIRED':
      return 'refresh';
    case 'INVALID_TOKEN':
      return 'authenticate';
    case 'WORKSPACE_MISMATCH':
      return 'workspace';
    case 'FORBIDDEN':
      return 'request access';
    case 'AUTH_ERROR':
      return 'wait';
  }
}

// @ts-expect-error a code is missing: the function could end without a value
function incomplete(code: AuthErrorCode): string {
  switch (code) {
    case 'MISSING_TOKEN':
    case 'TOKEN_EXPIRED':
    case 'INVALID_TOKEN':
    case 'WORKSPACE_MISMATCH':
    case 'FORBIDDEN':
      return code;
  }
}

function typo(error: RealtimeError): void {
  switch (error.code) {
    // @ts-expect-error no such code
    case 'TOKEN_EXPIERD':
      break;
    default:
  }
}

// Never run: what compiles is what is tested.
async function samples(centrali: CentraliSDK): Promise<void> {
  const options = { baseUrl: 'https://api.centrali.io', workspaceId: 'my-workspace' };
  const env = process.env;
  new CentraliSDK({ ...options, clientId: env.CENTRALI_CLIENT_ID, clientSecret: env.CENTRALI_CLIENT_SECRET });
  new CentraliSDK({ ...options, token: null, getToken: async () => undefined });
  // @ts-expect-error a choice
  new CentraliSDK({ ...options, tokenRefresh: 'always' });
  // @ts-expect-error onEvent is required
  centrali.realtime.subscribe({});
  const list: string[] = [];
  const subscription: RealtimeSubscription = centrali.realtime.subscribe({
    events: ['record_updated'],
    onEvent(event, { id }) {
      expectTypeOf(event.data.after).toEqualTypeOf<Record<string, unknown>>();
      // A value that nobody looks at does no harm.
      return list.push(id);
    },
    onDisconnected: (reason) => {
      expectTypeOf(reason).toExtend<string>();
    },
  });
  subscription.unsubscribe();
  centrali.realtime.subscribe<Order>({
    onEvent: (event) => expectTypeOf(event).toEqualTypeOf<RealtimeEvent<Order>>(),
  });
  centrali.realtime.subscribe<Order, 'record_created' | 'record_deleted'>({
    onEvent: (event) => expectTypeOf(event.data.status).toEqualTypeOf<'open' | 'paid'>(),
  });
  centrali.realtime.subscribe({
    events: ['function_run_completed'],
    onEvent: ({ event, data }) => {
      expectTypeOf(event).toEqualTypeOf<'function_run_completed'>();
      expectTypeOf(data.jobId).toEqualTypeOf<string>();
    },
  });
  // A handler made for record events may be given to any stream, as documented samples do.
  const handleEvent = (event: RealtimeRecordEvent): void => void event.recordId;
  centrali.realtime.subscribe({ onEvent: handleEvent });
  for await (const event of centrali.realtime.events({ events: ['record_created'] })) {
    expectTypeOf(event.recordSlug).toEqualTypeOf<string>();
  }
  await centrali.realtime.publish([{ event: 'order_paid', data: 1 }], { idempotencyKey: 'k' });
  centrali.setToken(undefined);
  expectTypeOf(centrali.getToken()).toEqualTypeOf<string | null>();
  expectTypeOf(centrali.fetchServiceAccountToken()).toEqualTypeOf<Promise<string>>();
}

test('each code of the guide has its action', () => {
  expect((['MISSING_TOKEN', 'AUTH_ERROR'] as const).map(actionFor)).toEqual(['login', 'wait']);
  expect([incomplete, typo, samples].every((compiled) => typeof compiled === 'function')).toBe(true);
  expectTypeOf<AuthErrorCode>().toExtend<ErrorCode>();
  expectTypeOf<CentraliSDKOptions['baseUrl']>().toEqualTypeOf<string>();
  expectTypeOf<SubscribeOptions['structures']>().toEqualTypeOf<readonly string[] | undefined>();
});
