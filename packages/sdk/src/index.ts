export type { RealtimeEvent } from '@centrali-io/protocol';
export { RealtimeError } from '@centrali-io/protocol';
