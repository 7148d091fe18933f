import type { Position } from '../broker/port.ts';
import { Audience } from './audience.ts';
import { CatchUp, type LiveSide } from './catch-up.ts';
import type { FrameList } from './frame-list.ts';
import type { EventFrame } from './frames.ts';
import { positionFrame } from './frames.ts';
import type { Selection } from './selection.ts';
import { SelectionIndex } from './selection-index.ts';
import type { Stream } from './stream.ts';

/** What the hub keeps for one workspace while it has streams. */
export class WorkspaceFeed {
  readonly workspace: string;
  readonly catchUp: CatchUp;
  readonly #hub: LiveSide;
  readonly #nothing: FrameList;
  readonly #audiences = new Map<string, Audience<Stream>>();
  readonly #index = new SelectionIndex<Audience<Stream>>();
  #position: { readonly at: Position; readonly frame: Buffer } | undefined;

  /** `nothing`: the empty list, from which all lists of the hub's turn grow. */
  constructor(workspace: string, hub: LiveSide, nothing: FrameList) {
    this.workspace = workspace;
    this.#hub = hub;
    this.#nothing = nothing;
    this.catchUp = new CatchUp(workspace, hub);
  }

  /** Whether no stream holds anything here. */
  get empty(): boolean {
    return this.#audiences.size === 0;
  }

  /** The one audience of this selection; whoever holds it has to release it. */
  hold(selection: Selection): Audience<Stream> {
    let audience = this.#audiences.get(selection.key);
    if (!audience) {
      audience = new Audience<Stream>(selection, this.#nothing, this.#hub.position);
      this.#audiences.set(selection.key, audience);
      this.#index.add(audience);
    }
    audience.holders++;
    return audience;
  }

  release(audience: Audience<Stream>): void {
    if (--audience.holders > 0) return;
    this.#audiences.delete(audience.selection.key);
    this.#index.remove(audience);
  }

  /** Calls `visit` for each audience that may want the event. */
  find(frame: EventFrame, visit: (audience: Audience<Stream>) => void): void {
    this.#index.find(frame, visit);
  }

  /** The `position` event for the hub's position, framed once. */
  positionFrame(): Buffer {
    const at = this.#hub.position;
    if (this.#position?.at !== at) {
      this.#position = { at, frame: positionFrame(this.#hub.broker.cursorAt(this.workspace, at)) };
    }
    return this.#position.frame;
  }
}
