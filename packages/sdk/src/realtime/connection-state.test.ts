import { ERROR_CODES, type ErrorCode, RealtimeError } from '@centrali-io/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DisconnectReason, SubscriptionState, TokenRefresh } from '../types.ts';
import type { ConnectionState, Effect, SignalName, Signals } from './connection-signals.ts';
import { initialState, step } from './connection-state.ts';

/** A world around one machine: it does what the effects say, and breaks when an invariant does. */
class World {
  state: ConnectionState;
  now = 0;
  /** The client's present token. */
  token: string | null = 'a1';
  readonly dead = new Set<string>();
  owner: string | null = null;
  /** Tokens of the streams that are open and being opened. */
  current: string | undefined;
  opening: string | undefined;
  acquiring = false;
  waiting = false;
  renewing: string | undefined;
  told: string | null = null;
  readonly effects: Effect[] = [];

  constructor(refresh: TokenRefresh = 'manual', refreshes = false) {
    this.state = initialState(refresh, refreshes);
    this.waiting = true;
  }

  offer(token = this.token): Signals['token'] {
    return {
      token,
      dead: token !== null && this.dead.has(token),
      same: token === null || this.owner === null || this.owner[0] === token[0],
    };
  }

  send<S extends SignalName>(name: S, signal: Signals[S]): readonly Effect[] {
    const before = this.state;
    const [state, effects] = step(before, name, signal, this.now);
    this.state = state;
    this.effects.push(...effects);
    if (before.phase === 'closed') expect(effects).toEqual([]);
    if (state.phase !== before.phase) this.waiting = this.acquiring = false;
    for (const effect of effects) this.#perform(effect);
    this.#check();
    return effects;
  }

  #perform([type, argument]: Effect): void {
    switch (type) {
      case 'acquire':
        expect(this.acquiring, 'one question at a time').toBe(false);
        this.acquiring = true;
        break;
      case 'open':
        expect(this.dead.has(argument), 'a dead token is never sent').toBe(false);
        expect(this.opening, 'one opening at a time').toBeUndefined();
        this.opening = argument;
        break;
      case 'adopt':
        expect(this.opening).toBeDefined();
        this.current = this.opening;
        this.owner = this.opening ?? null;
        this.opening = undefined;
        break;
      case 'abort':
        this.current = this.opening = this.renewing = undefined;
        break;
      case 'wait':
        this.waiting = true;
        break;
      case 'report':
        // From a source that failed it is no expiry of a token in use.
        if (argument.code === 'TOKEN_EXPIRED' && this.state.phase === 'waiting_for_token') {
          expect(this.told, 'an expiry is told once').not.toBe(this.state.token);
          this.told = this.state.token;
        }
        break;
      case 'bury':
        this.dead.add(argument);
        break;
      case 'renew':
        expect(this.dead.has(argument), 'a dead token is never sent').toBe(false);
        expect(argument, 'the token in use is not put in its own place').not.toBe(this.state.token);
        this.opening = undefined;
        this.acquiring = false;
        this.renewing = argument;
        break;
      case 'drop':
        if (argument) this.owner = null;
        break;
      case 'plan':
        break;
    }
  }

  #check(): void {
    const { phase, refreshes } = this.state;
    const { current, opening } = this;
    if (phase !== 'open') expect(current, 'a stream only when open').toBeUndefined();
    if (phase === 'open') {
      expect(current, 'open means a stream').toBeDefined();
      if (opening) expect(this.state.refresh, 'two streams only while handing over').toBe('beforeExpiry');
      const busy = this.acquiring || this.renewing !== undefined || opening !== undefined;
      expect(this.state.renewing, 'a renewal never hangs').toBe(busy);
    } else if (phase !== 'connecting') expect(opening, 'an opening only when connecting').toBeUndefined();
    else expect(opening, 'connecting means an opening').toBeDefined();
    if (phase === 'authenticating') expect(this.acquiring, 'a question is under way').toBe(true);
    if (phase === 'backing_off' || phase === 'offline') expect(this.waiting, 'a wait has an end').toBe(true);
    if (phase === 'waiting_for_token' && refreshes) expect(this.waiting, 'who can ask, asks again').toBe(true);
  }
}

const errorOf = (code: ErrorCode): RealtimeError => new RealtimeError(code, { retryAfterMs: 2_000 });
const codes = Object.keys(ERROR_CODES).filter((code) => code !== 'HANDLER_ERROR') as ErrorCode[];
const reasons: DisconnectReason[] = ['lifetime', 'drain', 'slow_consumer', 'replaced', 'closed', 'network'];

/** Things that can happen in the world, each only when it can. */
type Happening = (world: World) => void;
const tokens = fc.constantFrom<string | null>('a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'b1', 'b2', null);
const code = fc.oneof(
  fc.constant<ErrorCode>('TOKEN_EXPIRED'),
  fc.constant<ErrorCode>('NOT_FOUND'),
  fc.constantFrom(...codes),
);
const happenings: fc.Arbitrary<Happening> = fc.oneof(
  fc.nat(20_000).map(
    (ms): Happening =>
      (world) => {
        world.now += ms;
      },
  ),
  fc.constant<Happening>((world) => {
    if (world.waiting) {
      world.waiting = false;
      world.send('timer', {});
    }
  }),
  tokens.map(
    (token): Happening =>
      (world) => {
        if (token === world.token) return;
        world.token = token;
        world.send('set_token', world.offer());
      },
  ),
  tokens.map(
    (token): Happening =>
      (world) => {
        if (!world.acquiring) return;
        // A source that asks sets what it got, and all are told, before its own answer comes.
        if (token !== null && world.state.refreshes && token !== world.token) {
          world.token = token;
          world.send('set_token', world.offer());
        }
        if (world.acquiring) {
          world.acquiring = false;
          world.send('token', world.offer(world.state.refreshes ? token : world.token));
        }
      },
  ),
  code.map(
    (code): Happening =>
      (world) => {
        if (world.acquiring) {
          world.acquiring = false;
          world.send('token_failed', { error: errorOf(code) });
        }
      },
  ),
  ...['often', 'more often'].map(() =>
    fc.constant<Happening>((world) => {
      if (world.opening) world.send('connected', {});
    }),
  ),
  code.map(
    (code): Happening =>
      (world) => {
        if (!world.opening) return;
        world.opening = undefined;
        world.send('refused', { error: errorOf(code) });
      },
  ),
  fc.constantFrom(...reasons).map(
    (reason): Happening =>
      (world) => {
        if (world.current) world.send('ended', { reason });
      },
  ),
  code.map(
    (code): Happening =>
      (world) => {
        if (world.current) world.send('ended', { reason: 'error', error: errorOf(code) });
      },
  ),
  fc.constant<Happening>((world) => {
    // By plan, or because the service says so at any time.
    if (world.current) world.send('renew_due', {});
  }),
  fc.constant<Happening>((world) => {
    if (world.renewing) {
      world.renewing = undefined;
      world.send('renewed', {});
    }
  }),
  code.map(
    (code): Happening =>
      (world) => {
        if (world.renewing) {
          world.renewing = undefined;
          world.send('token_failed', { error: errorOf(code) });
        }
      },
  ),
  fc.constantFrom('offline', 'online', 'online', 'online').map(
    (name): Happening =>
      (world) =>
        void world.send(name as 'online', {}),
  ),
);

test.each<[TokenRefresh, boolean]>([
  ['manual', false],
  ['onExpiry', true],
  ['beforeExpiry', true],
])('whatever happens, the invariants hold: %s', (refresh, refreshes) => {
  fc.assert(
    fc.property(fc.array(happenings, { minLength: 60, maxLength: 120 }), (all) => {
      const world = new World(refresh, refreshes);
      for (const happen of all) happen(world);
      world.send('unsubscribe', {});
      expect(world.state.phase).toBe('closed');
      for (const happen of all) happen(world);
      expect(world.current ?? world.opening).toBeUndefined();
    }),
    { numRuns: 1_000 },
  );
});

/** A world in which a stream with the token a1 is open. */
function openWorld(refresh: TokenRefresh = 'manual', refreshes = false): World {
  const world = new World(refresh, refreshes);
  world.send('timer', {});
  world.acquiring = false;
  world.send('token', world.offer());
  world.send('connected', {});
  expect(world.state.phase).toBe('open');
  return world;
}

/** Sets a token, as an application does. */
function setToken(world: World, token: string | null): readonly Effect[] {
  world.token = token;
  return world.send('set_token', world.offer());
}

const names = (effects: readonly Effect[]): string[] => effects.map(([name]) => name);

test('no token at all stops with MISSING_TOKEN, and a token starts again', () => {
  const world = new World();
  world.token = null;
  world.send('timer', {});
  const effects = world.send('token', world.offer());
  expect(world.state.phase).toBe('stopped');
  expect(effects).toContainEqual(['report', expect.objectContaining({ code: 'MISSING_TOKEN' })]);
  expect(setToken(world, 'a1')).toContainEqual(['open', 'a1']);
});

describe.each(codes)('%s', (code) => {
  const { action } = ERROR_CODES[code];
  const phase: SubscriptionState =
    action === 'stop' ? 'stopped' : action === 'retry' ? 'backing_off' : 'waiting_for_token';

  test.each(['refused', 'ended'] as const)(`when it comes as %s: ${phase}, after one report`, (name) => {
    const world = openWorld();
    if (name === 'refused') {
      world.send('ended', { reason: 'network' });
      world.send('timer', {});
      world.send('token', world.offer());
      world.opening = undefined;
    }
    const error = errorOf(code);
    const effects = name === 'ended' ? world.send(name, { reason: 'error', error }) : world.send(name, { error });
    expect(world.state.phase).toBe(phase);
    expect(effects.filter(([type]) => type === 'report')).toEqual([['report', error]]);
    if (action === 'retry') expect(effects).toContainEqual(['wait', expect.any(Number), 2_000]);
  });
});

test('an expired token is told once, and only a different one connects', () => {
  const world = openWorld();
  expect(names(world.send('ended', { reason: 'expired', error: errorOf('TOKEN_EXPIRED') }))).toEqual([
    'abort',
    'bury',
    'report',
    'wait',
  ]);
  // The handler is done and has brought nothing.
  world.send('timer', {});
  expect(names(world.send('token', world.offer()))).toEqual(['abort']);
  expect(world.state.phase).toBe('waiting_for_token');
  expect(setToken(world, 'a2')).toContainEqual(['open', 'a2']);
});

test('a token that comes while onError is busy is used at once', () => {
  const world = openWorld();
  world.send('ended', { reason: 'expired', error: errorOf('TOKEN_EXPIRED') });
  expect(setToken(world, 'a2')).toContainEqual(['open', 'a2']);
});

test('tokens that expire one after the other are slowed down', () => {
  const world = openWorld();
  const waits: number[] = [];
  for (let turn = 2; turn < 9; turn++) {
    const effects = [
      ...(world.current
        ? world.send('ended', { reason: 'expired', error: errorOf('TOKEN_EXPIRED') })
        : ((world.opening = undefined), world.send('refused', { error: errorOf('TOKEN_EXPIRED') }))),
    ];
    effects.push(...setToken(world, `a${turn}`));
    if (world.state.phase === 'backing_off') {
      waits.push(...effects.flatMap((effect) => (effect[0] === 'wait' && effect[1] > 1 ? [effect[1]] : [])));
      world.send('timer', {});
      world.send('token', world.offer());
    }
    expect(world.state.phase).toBe('connecting');
  }
  expect(waits.at(-1)).toBeGreaterThan(4);
});

test('a healthy stream forgets the failures before it', () => {
  const world = openWorld();
  const fall = (after: number): number => {
    world.now += after;
    const effects = world.send('ended', { reason: 'network' });
    world.send('timer', {});
    world.send('token', world.offer());
    world.send('connected', {});
    return (effects.find(([name]) => name === 'wait') as Extract<Effect, readonly ['wait', ...unknown[]]>)[1];
  };
  expect([fall(0), fall(10), fall(10), fall(60_000), fall(0)]).toEqual([1, 2, 3, 1, 2]);
});

test('signing out closes the stream, drops what is queued and says MISSING_TOKEN', () => {
  const world = openWorld();
  expect(setToken(world, null)).toEqual([
    ['abort', 'error'],
    ['drop', false],
    ['report', expect.objectContaining({ code: 'MISSING_TOKEN' })],
  ]);
});

test('another principal closes the stream at once and forgets the cursor', () => {
  const world = openWorld();
  expect(setToken(world, 'b1')).toEqual([
    ['abort', 'closed'],
    ['drop', true],
    ['open', 'b1'],
  ]);
});

test('another token of the same principal is put in place; what it replaced is not sent again', () => {
  const world = openWorld();
  expect(setToken(world, 'a2')).toEqual([['renew', 'a2']]);
  world.renewing = undefined;
  world.send('renewed', {});
  expect(world.state.token).toBe('a2');
});

test.each<ErrorCode>(['NOT_FOUND', 'METHOD_NOT_ALLOWED'])(
  '%s at renewal: the new stream, then the old one goes',
  (code) => {
    const world = openWorld('beforeExpiry', true);
    world.send('renew_due', {});
    world.acquiring = false;
    world.send('token', world.offer('a2'));
    world.renewing = undefined;
    expect(world.send('token_failed', { error: errorOf(code) })).toEqual([['open', 'a2']]);
    expect(world.state.phase).toBe('open');
    expect(world.current).toBe('a1');
    expect(world.send('connected', {})).toEqual([['adopt'], ['plan', 0]]);
    expect(world.current).toBe('a2');
    expect(world.state.token).toBe('a2');
  },
);

test('NOT_FOUND at renewal, without beforeExpiry: the token is used at the next reconnect', () => {
  const world = openWorld();
  setToken(world, 'a2');
  world.renewing = undefined;
  expect(names(world.send('token_failed', { error: errorOf('NOT_FOUND') }))).toEqual(['plan']);
  world.send('ended', { reason: 'lifetime' });
  world.send('timer', {});
  expect(world.send('token', world.offer())).toContainEqual(['open', 'a2']);
});

test('online comes back at once, but not before Retry-After', () => {
  const world = openWorld();
  world.send('ended', { reason: 'error', error: errorOf('RATE_LIMIT_EXCEEDED') });
  expect(world.send('online', {})).toEqual([]);
  world.now += 2_000;
  expect(names(world.send('online', {}))).toContain('acquire');
});
