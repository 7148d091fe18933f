import type { CheckAnswer, CheckRequest } from '@centrali-io/protocol';

/** A check without the gateway's place in the feed, which is added when it is sent. */
export type Question = Omit<CheckRequest, 'atLeast'>;

/** The answer that lets in. */
export type Allowed = Extract<CheckAnswer, { decision: 'allowed' }>;

/** An answer of IAM, and of when it is. */
export interface Decided<Answer extends CheckAnswer = CheckAnswer> {
  readonly answer: Answer;
  /** The generation of the change feed, within which revisions can be compared. */
  readonly generation: number;
  /** When IAM was asked, monotonic ms. */
  readonly askedAt: number;
}
