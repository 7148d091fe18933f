import type { Place } from '../broker/port.ts';
import type { FrameList } from './frame-list.ts';
import type { EventFrame } from './frames.ts';
import type { Selection, Term } from './selection.ts';
import type { Indexed } from './selection-index.ts';

/** What an audience needs of its members: the links of its list. */
export interface Linked<Member> {
  nextInAudience: Member | undefined;
  previousInAudience: Member | undefined;
}

/** The streams of one workspace that get the same frames: one selection, judged once for all of them. */
export class Audience<Member extends Linked<Member>> implements Indexed {
  readonly selection: Selection;
  foundFor: EventFrame | undefined;
  /** What waits for the flush of this turn. */
  pending: FrameList;
  /** The place up to which its live streams have everything, when it was last written to by itself. */
  writtenTo: Place;
  /** Streams that hold it, live or not yet; at 0 it is forgotten. */
  holders = 0;
  /** Live streams. */
  size = 0;
  /** The live streams, as a list through their own fields. */
  first: Member | undefined;

  constructor(selection: Selection, empty: FrameList, writtenTo: Place) {
    this.selection = selection;
    this.pending = empty;
    this.writtenTo = writtenTo;
  }

  get terms(): readonly Term[] {
    return this.selection.terms;
  }

  add(stream: Member): void {
    stream.nextInAudience = this.first;
    if (this.first) this.first.previousInAudience = stream;
    this.first = stream;
    this.size++;
  }

  remove(stream: Member): void {
    const { nextInAudience: next, previousInAudience: previous } = stream;
    if (next) next.previousInAudience = previous;
    if (previous) previous.nextInAudience = next;
    else this.first = next;
    stream.nextInAudience = undefined;
    stream.previousInAudience = undefined;
    this.size--;
  }
}
