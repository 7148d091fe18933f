/** React for Centrali Realtime: a provider and a hook over the SDK. */
export type { CentraliProviderProps } from './provider.ts';
export { CentraliProvider, useCentrali } from './provider.ts';
export type { RealtimeStatus } from './subscription-store.ts';
export { useRealtime } from './use-realtime.ts';
