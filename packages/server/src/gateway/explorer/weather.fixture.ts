import type { Grant } from '@centrali-io/protocol';

/** What can happen. */
export type Act =
  | 'connect'
  | 'publish'
  | 'publishAs'
  | 'changeMember'
  | 'changeRole'
  | 'revoke'
  | 'lift'
  | 'suspend'
  | 'changeProvider'
  | 'withdrawKey'
  | 'renew'
  | 'leave'
  | 'stallClient'
  | 'stallGateway'
  | 'breakFeeds'
  | 'hold'
  | 'restore'
  | 'trim'
  | 'freeze';

/** What a schedule is like. */
export interface Weather {
  readonly name: 'calm' | 'race' | 'storm' | 'outage';
  /** Whether IAM is in reach all the time. */
  readonly isWell: boolean;
  /** How late messages are at most, and a node of IAM behind its head, in ms. */
  readonly latency: number;
  readonly lag: number;
  readonly nodes: number;
  /** How long it goes on, in ms. */
  readonly duration: number;
  /** How long the gateway's own loop stands still at most, in ms. */
  readonly stall: number;
  /** What the gateway promises, in ms: from the end of a right to the last byte by it. */
  readonly bound: number;
  readonly actions: number;
  /** Acts happen within so many ms around some moments, instead of at any time; 0: at any time. */
  readonly bursts: number;
  /** An event each so many ms to each workspace, beside what the acts bring; 0: none. */
  readonly pulse: number;
  readonly workspaces: readonly string[];
  readonly subs: readonly string[];
  /** How often each act is chosen. */
  readonly weights: Readonly<Partial<Record<Act, number>>>;
}

const USUAL = {
  connect: 14,
  publish: 14,
  publishAs: 4,
  changeMember: 8,
  changeRole: 4,
  revoke: 6,
  lift: 2,
  suspend: 1,
  changeProvider: 2,
  withdrawKey: 0.4,
  renew: 5,
  leave: 2,
  stallClient: 4,
  stallGateway: 2,
  breakFeeds: 2,
} as const;

/** IAM is well, and much happens at any time: a right that is gone is gone within a second. */
const CALM: Weather = {
  name: 'calm',
  isWell: true,
  latency: 15,
  lag: 60,
  nodes: 2,
  duration: 6000,
  stall: 200,
  bound: 1000,
  actions: 70,
  bursts: 0,
  pulse: 0,
  workspaces: ['a', 'b'],
  subs: ['u1', 'u2', 'u3'],
  weights: USUAL,
};

/** Everything happens at once to one user in one workspace; then nothing, so that what slipped through is seen. */
const RACE: Weather = {
  ...CALM,
  name: 'race',
  latency: 8,
  lag: 60,
  duration: 1500,
  stall: 40,
  bound: 600,
  actions: 24,
  bursts: 25,
  pulse: 60,
  workspaces: ['a'],
  subs: ['u1'],
  weights: {
    ...USUAL,
    connect: 16,
    publish: 6,
    renew: 12,
    changeMember: 10,
    revoke: 6,
    changeProvider: 4,
    breakFeeds: 6,
    trim: 1,
  },
};

/** IAM freezes, is cut off, restored: 5 s after the last proof, and what is on its way when the right goes. */
const STORM: Weather = {
  ...CALM,
  name: 'storm',
  isWell: false,
  latency: 150,
  lag: 400,
  duration: 20_000,
  stall: 1500,
  bound: 5700,
  actions: 110,
  weights: { ...USUAL, hold: 4, restore: 1, trim: 2, freeze: 1 },
};

/** IAM is away for longer than the bound, and rights go meanwhile. */
const OUTAGE: Weather = {
  ...STORM,
  name: 'outage',
  latency: 20,
  lag: 50,
  duration: 12_000,
  stall: 500,
  bound: 5200,
  actions: 50,
  pulse: 200,
  workspaces: ['a'],
  subs: ['u1', 'u2'],
  weights: { ...USUAL, changeMember: 12, hold: 6, restore: 1, trim: 1, stallGateway: 1 },
};

/** The kinds of schedules, each as often as the others. */
export const WEATHERS: readonly Weather[] = [CALM, RACE, STORM, OUTAGE];

export const SUBSCRIBE = 'realtime:subscribe';
export const SLUGS = ['order', 'invoice'] as const;
export const ROLES = ['all', 'orders', 'mine', 'publisher', 'none'] as const;

/** What roles grant in the beginning; changes give one what another has. */
export const GRANTS: Readonly<Record<string, readonly Grant[]>> = {
  all: [{ permission: SUBSCRIBE }],
  orders: [{ permission: SUBSCRIBE, structures: ['order'] }],
  mine: [{ permission: SUBSCRIBE, filter: 'data.owner:{sub}' }],
  publisher: [{ permission: SUBSCRIBE }, { permission: 'realtime:publish' }],
  none: [],
};
