/** What must hold in every schedule. Each breach is a sentence. */
import type { Grant } from '@centrali-io/protocol';
import type { Got, SimulatedClient } from './client.fixture.ts';
import { covers, type EventModel, trueGrants } from './model.fixture.ts';
import type { World } from './world.fixture.ts';

/** The wheel looks each 50 ms; a socket that was stalled may be let go within that time. */
const TICK = 60;

/** All breaches of a schedule that has run. */
export function judge(world: World): string[] {
  const breaches = world.clients.flatMap((client) => [
    ...judgeOpening(world, client),
    ...judgeEvents(world, client),
    ...judgeEnd(world, client),
    ...judgeCompleteness(world, client),
  ]);
  return [...breaches, ...judgePublishing(world), ...judgeRest(world)];
}

const coversAny = (all: readonly (readonly Grant[])[], event: EventModel, sub: string): boolean =>
  all.some((grants) => covers(grants, event, sub));

/** Nobody is let in who had no right within the bound, nor refused who had one all the time. */
function judgeOpening(world: World, client: SimulatedClient): string[] {
  const { weather } = world;
  const { name, refused, connectedAt, startedAt } = client;
  if (connectedAt !== undefined) {
    const grants = world.grantsWithin(client, connectedAt - weather.bound, connectedAt);
    if (!grants.some(({ length }) => length > 0)) return [`${name} was let in at ${connectedAt} without a right`];
  }
  if (!refused) return [];
  if (refused.code === 'TOKEN_EXPIRED') {
    return refused.at + world.epoch < client.token.exp * 1000 ? [`${name} was refused as expired before it was`] : [];
  }
  if (refused.code === 'AUTH_ERROR') {
    // A provider that has changed meanwhile sends its users back once; one that is unknown may be new.
    const provider = refused.reason === 'provider_changed' || refused.reason === 'feed_lost';
    const starting = refused.reason === 'feed_starting';
    // Where changes come faster than IAM's nodes learn of them, nobody can say what holds.
    const busy = refused.reason === 'decision_stale' && weather.bursts > 0;
    const excused = !weather.isWell || provider || starting || busy;
    return excused ? [] : [`${name} was refused with AUTH_ERROR (${refused.reason}) though IAM was well`];
  }
  if (refused.code !== 'INVALID_TOKEN' && refused.code !== 'FORBIDDEN' && refused.code !== 'WORKSPACE_MISMATCH')
    return [`${name} was refused with ${refused.code} (${refused.reason})`];
  // A key that a restore has taken back into use is dead until the feed tells of it.
  if (!weather.isWell && refused.reason === 'key_withdrawn') return [];
  const grants = world.grantsWithin(client, startedAt - weather.bound, refused.at);
  return grants.every(({ length }) => length > 0)
    ? [`${name} was refused with ${refused.code} (${refused.reason}) at ${refused.at} though it had the right`]
    : [];
}

/** Of its own workspace, by a right within the bound, in order, once, and never by a dead token. */
function judgeEvents(world: World, client: SimulatedClient): string[] {
  const { bound } = world.weather;
  const breaches: string[] = [];
  let last = -1;
  for (const got of client.got) {
    const event = eventOf(world, got);
    if (!event) continue;
    if (event.workspace !== client.workspace)
      breaches.push(`${client.name} got event ${event.n}, which is of ${event.workspace}`);
    const { at } = world.placeOf(event.n);
    if (at <= last) breaches.push(`${client.name} got event ${event.n} twice or too late`);
    last = at;
    const grants = world.grantsWithin(client, got.at - bound, got.at);
    if (!coversAny(grants, event, client.token.sub))
      breaches.push(`${client.name} got event ${event.n} at ${got.at} without a right`);
    const exp = Math.max(...world.tokensAt(client, got.at).map((token) => token.exp));
    if (got.at + world.epoch >= exp * 1000 + (client.wasBlocked ? TICK : 0))
      breaches.push(`${client.name} got event ${event.n} at ${got.at} by a token that was dead`);
    if (client.narrowed && event.slug !== 'order') breaches.push(`${client.name} got event ${event.n} unasked`);
  }
  return breaches;
}

function eventOf(world: World, { name, data }: Got): EventModel | undefined {
  return name === 'message' ? world.events[(data.data as { n: number }).n - 1] : undefined;
}

/** An end has the code of its reason, and a reason. */
function judgeEnd(world: World, client: SimulatedClient): string[] {
  const { weather } = world;
  const said = client.got.find(({ data }) => data.type === 'error');
  if (!said) return [];
  const { wroteAt: at, data } = said;
  const after = client.got.slice(client.got.indexOf(said) + 1);
  if (after.length > 0) return [`${client.name} got something after its error`];
  // What IAM said and took back may come late when it is out of reach.
  const grants = world.grantsWithin(client, at - weather.bound * (weather.isWell ? 1 : 3), at);
  switch (data.code) {
    case 'TOKEN_EXPIRED':
      return at + world.epoch < client.token.exp * 1000 ? [`${client.name} was ended as expired before it was`] : [];
    case 'AUTH_ERROR':
      return weather.isWell ? [`${client.name} was ended with AUTH_ERROR though IAM was well`] : [];
    case 'INVALID_TOKEN':
    case 'FORBIDDEN':
      return grants.every(({ length }) => length > 0)
        ? [`${client.name} was ended with ${data.code} at ${at} though it had the right`]
        : [];
    default:
      return [`${client.name} was ended with ${String(data.code)}`];
  }
}

/** What a stream had the right to all around an event's commit, while it was open, it has got. */
function judgeCompleteness(world: World, client: SimulatedClient): string[] {
  const { bound } = world.weather;
  const { connectedAt } = client;
  if (connectedAt === undefined || client.got.some(({ data }) => data.type === 'gap')) return [];
  const until = client.closed?.at ?? world.endedAt;
  const numbers = new Set(client.got.flatMap((got) => eventOf(world, got)?.n ?? []));
  const from = client.cursor === undefined ? undefined : Number(/-(\d+)-(\d+)-/.exec(client.cursor)?.[1]);
  return world.events.flatMap((event) => {
    if (event.workspace !== client.workspace || numbers.has(event.n)) return [];
    if (client.narrowed && event.slug !== 'order') return [];
    const replayed = from !== undefined && world.placeOf(event.n).seq > from;
    // Before the stream went live nothing is promised without a cursor.
    const dispatchedAt = world.dispatchedAt.get(event.n) ?? world.endedAt;
    if (!replayed && event.committedAt <= connectedAt + 1) return [];
    const since = Math.max(event.committedAt, replayed ? connectedAt : 0);
    const to = Math.max(dispatchedAt, connectedAt) + stalledAfter(world, dispatchedAt);
    const exp = Math.min(...world.tokensAt(client, since - bound).map((token) => token.exp));
    if (to + bound >= Math.min(until, exp * 1000 - world.epoch) || (client.wasBlocked && client.closed)) return [];
    const all = world.grantsWithin(client, since - bound, to + bound);
    if (!all.every((grants) => covers(grants, event, client.token.sub))) return [];
    return [`${client.name} did not get event ${event.n}, committed at ${event.committedAt}`];
  });
}

/** How long the gateway stood still after a moment, as far as that may have to do with it. */
function stalledAfter(world: World, from: number): number {
  return world.stalls
    .filter(({ at, milliseconds }) => at + milliseconds >= from && at <= from + 10_000)
    .reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}

/** What was published was published by somebody who might, within the bound. */
function judgePublishing(world: World): string[] {
  return world.published.flatMap(({ at, token, workspace }) => {
    const lives = { workspace, token, jtis: new Set([token.jti]) };
    const states = world.iam.between(at - world.weather.bound, at);
    const might = states.some((state) => trueGrants(state, lives, 'realtime:publish').length > 0);
    return might ? [] : [`${token.sub} published in ${workspace} at ${at} without a right`];
  });
}

/** When all has been well for a while, those are open who may be, and nothing is left over. */
function judgeRest(world: World): string[] {
  const breaches: string[] = [];
  const open = world.clients.filter((client) => client.connectedAt !== undefined && !client.closed);
  for (const client of open) {
    const grants = world.grantsWithin(client, world.endedAt, world.endedAt);
    if (!grants.some(({ length }) => length > 0)) breaches.push(`${client.name} is still open, without a right`);
  }
  if (world.left.bound !== world.left.streams)
    breaches.push(`${world.left.bound} streams are bound to reasons, ${world.left.streams} are open`);
  if (world.left.inDoubt > 0) breaches.push(`${world.left.inDoubt} streams are still in doubt`);
  return breaches;
}
