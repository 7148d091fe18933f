import type { Subject } from './subject.ts';

/** What is known of a request while it goes through the flow; for the audit of how it ended. */
export interface Attempt {
  /** Whose token it is, once signature and workspace have been checked. */
  subject?: Subject;
  /** The provider whose token it says it is, as far as the workspace knows it. */
  provider?: string;
}
