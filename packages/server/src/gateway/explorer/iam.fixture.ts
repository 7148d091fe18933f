/** IAM over a network: a head, nodes that learn of its changes late, links that hold or lose what is on its way. */
import type {
  Change,
  CheckAnswer,
  CheckRequest,
  Decisions,
  FeedFrame,
  FeedPosition,
  ProviderRecord,
} from '@centrali-io/protocol';
import { answerOf, providerOf, type State } from './model.fixture.ts';
import type { Random } from './random.fixture.ts';
import type { Scheduler } from './scheduler.fixture.ts';

/** How late things are, in ms, at most. */
export interface Network {
  readonly latency: number;
  /** Between a change and a node that knows it. */
  readonly lag: number;
}

/** A period of IAM's life between two restores. */
interface Epoch {
  readonly name: string;
  readonly first: number;
  readonly states: State[];
  readonly changes: Change[];
  /** Changes up to this revision are not kept. */
  trimmed: number;
}

/** One reader of the feed. */
interface Feed {
  readonly channel: string;
  epoch: string;
  reached: number;
  readonly inbox: FeedFrame[];
  wake: () => void;
  closed: boolean;
  failed: boolean;
}

interface Node {
  readonly name: string;
  epoch: Epoch;
  revision: number;
  /** Neither takes nor gives anything: frozen, or behind a link that is cut. */
  held: boolean;
  waiting: { readonly go: () => void; readonly lose: () => void }[];
  readonly feeds: Set<Feed>;
}

/** Provider of a workspace as the feed tells of it. */
export function providerRecord(workspace: string, role: string): ProviderRecord {
  return {
    id: providerOf(workspace),
    name: providerOf(workspace),
    workspaces: [workspace],
    issuer: `https://${workspace}.example`,
    audiences: ['api'],
    typ: ['jwt'],
    algorithms: ['RS256'],
    jwksUri: `https://${workspace}.example/jwks`,
    mapping: { defaultRole: role },
    maxLifetimeSeconds: 86_400,
  };
}

export class SimulatedIam {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #network: Network;
  readonly #nodes: readonly Node[];
  #epoch: Epoch;
  #feeds = 0;
  /** Every state that was true, and since when. */
  readonly truth: { readonly at: number; readonly state: State }[] = [];

  constructor(scheduler: Scheduler, random: Random, network: Network, nodes: number, initial: State) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#network = network;
    this.#epoch = { name: 'e1', first: 1, states: [initial], changes: [], trimmed: 1 };
    this.truth.push({ at: 0, state: initial });
    this.#nodes = Array.from({ length: nodes }, (_, n) => ({
      name: `node ${n + 1}`,
      epoch: this.#epoch,
      revision: 1,
      held: false,
      waiting: [],
      feeds: new Set(),
    }));
  }

  get state(): State {
    const state = this.#epoch.states.at(-1);
    if (!state) throw new Error('There is always a state.');
    return state;
  }

  get revision(): number {
    return this.#epoch.first + this.#epoch.states.length - 1;
  }

  /** The states that were true at some moment of a time. */
  between(from: number, to: number): State[] {
    const last = this.truth.findLastIndex(({ at }) => at <= from);
    return this.truth.filter(({ at }, index) => index >= last && at <= to).map(({ state }) => state);
  }

  /** Makes a change; it is acknowledged when this returns. */
  commit(change: Change, next: State): void {
    const epoch = this.#epoch;
    epoch.states.push(next);
    epoch.changes.push(change);
    const { revision } = this;
    this.truth.push({ at: this.#scheduler.time, state: next });
    for (const node of this.#nodes)
      this.#scheduler.elsewhere(this.#random.int(0, this.#network.lag), () => this.#learn(node, epoch, revision));
  }

  /** Goes back to an earlier state, as after a restore from a backup: another epoch. */
  restore(): void {
    const { states, first, name } = this.#epoch;
    const back = this.#random.int(0, states.length - 1);
    const state = states[back] ?? this.state;
    this.#epoch = { name: `${name}'`, first: first + back, states: [state], changes: [], trimmed: first + back };
    this.truth.push({ at: this.#scheduler.time, state });
    for (const node of this.#nodes) this.#learn(node, this.#epoch, this.revision);
  }

  /** Forgets the changes that the feed could go on from. */
  trim(): void {
    this.#epoch.trimmed = this.revision;
  }

  /** Holds a node: frozen, or its link cut; until it is freed. */
  hold(which: number): void {
    const node = this.#nodes[which % this.#nodes.length];
    if (node) node.held = true;
  }

  /** Frees all nodes. What waited comes now, late, or is lost with its connection. */
  free(): void {
    for (const node of this.#nodes) {
      if (!node.held) continue;
      node.held = false;
      const lost = this.#random.chance(0.5);
      for (const { go, lose } of node.waiting.splice(0)) (lost ? lose : go)();
    }
  }

  /** Breaks off the feeds that are being read. */
  breakFeeds(): void {
    for (const node of this.#nodes) for (const feed of node.feeds) this.#close(node, feed, true);
  }

  #learn(node: Node, epoch: Epoch, revision: number): void {
    if (epoch !== this.#epoch) return;
    if (node.epoch !== epoch) {
      node.epoch = epoch;
      node.revision = revision;
    } else node.revision = Math.max(node.revision, revision);
    for (const feed of node.feeds) this.#passing(node, () => this.#pump(node, feed, false));
  }

  /** Does something at a node, or when it is freed. */
  #passing(node: Node, go: () => void, lose: () => void = () => {}): void {
    if (node.held) node.waiting.push({ go, lose });
    else go();
  }

  #pump(node: Node, feed: Feed, beat: boolean): void {
    if (feed.closed) return;
    const { epoch, revision } = node;
    const known = feed.epoch === epoch.name && feed.reached >= epoch.trimmed && feed.reached <= revision;
    const state = epoch.states[revision - epoch.first];
    if (!known && state) {
      this.#emit(node, feed, {
        type: 'snapshot',
        epoch: epoch.name,
        revision,
        providers: Object.entries(state.mapped).map(([workspace, role]) => providerRecord(workspace, role)),
        withdrawnKeys: state.withdrawn,
        revocations: state.revocations,
      });
      feed.epoch = epoch.name;
      feed.reached = revision;
    }
    while (feed.reached < revision) {
      const change = epoch.changes[feed.reached - epoch.first];
      feed.reached += 1;
      if (change) this.#emit(node, feed, { type: 'change', revision: feed.reached, change });
    }
    if (beat) this.#emit(node, feed, { type: 'heartbeat', epoch: epoch.name, revision: feed.reached });
  }

  #emit(node: Node, feed: Feed, frame: FeedFrame): void {
    const arrive = (): void => {
      if (feed.closed) return;
      feed.inbox.push(frame);
      feed.wake();
    };
    this.#scheduler.post(
      this.#latency(),
      () => this.#passing(node, arrive, () => this.#close(node, feed, true)),
      feed.channel,
    );
  }

  #close(node: Node, feed: Feed, failed: boolean): void {
    feed.closed = true;
    feed.failed ||= failed;
    node.feeds.delete(feed);
    feed.wake();
  }

  #latency(): number {
    return this.#random.int(0, this.#network.latency);
  }

  #node(): Node {
    return this.#random.pick(this.#nodes);
  }

  /** The port that the gateway asks. */
  readonly decisions: Pick<Decisions, 'check' | 'changes'> = {
    check: (requests) => this.#check(requests),
    changes: (position, signal) => this.#changes(position, signal),
  };

  #check(requests: readonly CheckRequest[]): Promise<readonly CheckAnswer[]> {
    const node = this.#node();
    return new Promise((resolve, reject) => {
      const lose = (): void => reject(new Error('The connection broke.'));
      const decide = (): void => {
        const { epoch, revision } = node;
        const state = epoch.states[revision - epoch.first];
        if (!state) return lose();
        const answers = requests.map((request) => answerOf(state, revision, request));
        this.#scheduler.post(this.#latency(), () => this.#passing(node, () => resolve(answers), lose));
      };
      this.#scheduler.elsewhere(this.#latency(), () => this.#passing(node, decide, lose));
    });
  }

  async *#changes(position: FeedPosition | undefined, signal: AbortSignal): AsyncGenerator<FeedFrame, void> {
    const node = this.#node();
    const feed: Feed = {
      channel: `feed ${++this.#feeds}`,
      epoch: position?.epoch ?? '',
      reached: position?.revision ?? -1,
      inbox: [],
      wake: () => {},
      closed: false,
      failed: false,
    };
    signal.addEventListener('abort', () => this.#close(node, feed, false));
    const beat = (): void => {
      if (feed.closed) return;
      this.#passing(node, () => this.#pump(node, feed, true));
      this.#scheduler.elsewhere(1000, beat);
    };
    const open = (): void => {
      if (feed.closed) return;
      node.feeds.add(feed);
      beat();
    };
    this.#scheduler.elsewhere(this.#latency(), () => this.#passing(node, open, () => this.#close(node, feed, true)));
    try {
      for (;;) {
        for (let frame = feed.inbox.shift(); frame; frame = feed.inbox.shift()) yield frame;
        if (feed.failed) throw new Error('The connection broke.');
        if (feed.closed) return;
        await new Promise<void>((resolve) => (feed.wake = resolve));
      }
    } finally {
      this.#close(node, feed, false);
    }
  }
}
