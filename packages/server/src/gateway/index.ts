export type { Decisions } from '@centrali-io/protocol';
