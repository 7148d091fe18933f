export { RealtimeError } from '@centrali-io/centrali-sdk';
