/** What clients and publishers do. */
import { Refusal } from '../../resource-server/index.ts';
import type { FakeBroker } from '../delivery/fixtures/fake-broker.ts';
import { publish as publishBy } from '../publish.ts';
import { renew as renewBy } from '../renew.ts';
import { subscribe } from '../subscribe.ts';
import { SimulatedClient } from './client.fixture.ts';
import { type EventModel, providerOf, type TokenModel } from './model.fixture.ts';
import { SLUGS } from './weather.fixture.ts';
import { numberOf, type World } from './world.fixture.ts';

export function connect(world: World): void {
  const workspace = world.random.pick(world.weather.workspaces);
  const known = world.tokens.filter(({ provider }) => provider === 'centrali' || provider === providerOf(workspace));
  const good = known.filter(({ workspaces, kid }) => workspaces.includes(workspace) && kid !== `k${world.kid - 1}`);
  const from = good.length > 0 && world.random.chance(0.9) ? good : known;
  const token = from.length > 0 && world.random.chance(0.5) ? world.random.pick(from) : world.mint(workspace);
  const ids = world.clients.flatMap(({ workspace: of, got }) =>
    of === workspace ? got.flatMap(({ id, name }) => (id === undefined || name !== 'message' ? [] : [id])) : [],
  );
  const cursor = ids.length > 0 && world.random.chance(0.7) ? world.random.pick(ids) : undefined;
  const client = new SimulatedClient(`client ${world.clients.length + 1}`, workspace, token, cursor, world.scheduler);
  world.clients.push(client);
  world.note(
    `${client.name} connects to ${workspace} as ${token.provider} ${token.sub} by ${token.jti}, iat ${token.iat % 100_000}, exp ${token.exp % 100_000}${cursor ? ` from ${cursor}` : ''}`,
  );
  client.onGot = ({ name, data, at }) => {
    if (name === 'system' && data.type === 'connected') {
      client.connectedAt = at;
      client.connectionId = String(data.connectionId);
    }
    world.note(
      `${client.name} gets ${name === 'message' ? `event ${(data.data as { n: number }).n}` : JSON.stringify(data).slice(0, 90)}`,
    );
  };
  const query = new URLSearchParams(world.random.chance(0.2) ? { structures: 'order' } : {});
  client.narrowed = query.has('structures');
  const request = world.request(token, workspace, { query }, cursor ? ['Last-Event-ID', cursor] : []);
  subscribe({ authority: world.authority, delivery: world.delivery, queryTokens: 'deny' }, request, workspace, {}).then(
    (reply) => {
      if (!('attach' in reply)) throw new TypeError('No stream.');
      // The head is written first; the client may be gone by then.
      world.scheduler.post(world.random.int(0, 5), () => {
        if (client.closed) reply.abandon();
        else reply.attach(client);
      });
    },
    (error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      client.refused = { at: world.scheduler.time, code: error.code, reason: error.reason };
      world.note(`${client.name} is refused: ${error.code} ${error.reason}`);
    },
  );
}

export function openOf(world: World): SimulatedClient[] {
  return world.clients.filter((client) => client.isOpen);
}

export function renew(world: World): void {
  const open = openOf(world);
  if (open.length === 0) return;
  const client = world.random.pick(open);
  const token = world.mint(client.workspace, client.token);
  world.note(`${client.name} renews with ${token.jti}, exp ${token.exp % 100_000}`);
  const request = world.request(token, client.workspace, { method: 'POST' });
  const place = { workspace: client.workspace, connectionId: client.connectionId };
  // From now on it may live on either.
  client.renewing.add(token);
  renewBy({ authority: world.authority, delivery: world.delivery }, request, place, {}).then(
    () => renewed(world, client, token),
    (error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      client.renewing.delete(token);
      world.note(`${client.name} is not renewed: ${error.code} ${error.reason}`);
    },
  );
}

export function renewed(world: World, client: SimulatedClient, token: TokenModel): void {
  client.renewing.delete(token);
  client.formerly.push({ token: client.token, until: world.scheduler.time });
  client.jtis.add(token.jti);
  client.token = token;
  world.note(`${client.name} lives on ${token.jti}`);
}

export function leave(world: World): void {
  const open = openOf(world);
  if (open.length === 0) return;
  const client = world.random.pick(open);
  world.note(`${client.name} leaves`);
  client.leave();
}

export function stallClient(world: World): void {
  const open = openOf(world).filter(({ blocked }) => !blocked);
  if (open.length === 0) return;
  const client = world.random.pick(open);
  world.note(`${client.name} takes nothing`);
  client.block();
  world.scheduler.post(world.random.int(1, world.weather.duration), () => {
    world.note(`${client.name} takes again`);
    client.unblock();
  });
}

function makeEvent(
  world: World,
  workspace: string,
): { readonly event: EventModel; readonly json: Record<string, unknown> } {
  const n = world.events.length + 1;
  const event = {
    n,
    workspace,
    slug: world.random.pick(SLUGS),
    owner: world.random.pick(world.weather.subs),
    committedAt: world.scheduler.time,
  };
  const { slug, owner } = event;
  return { event, json: { event: 'record_created', recordSlug: slug, recordId: String(n), data: { n, owner } } };
}

/** Somebody publishes, past the gateway: a batch for one workspace. */
export function publish(world: World, workspace: string = world.random.pick(world.weather.workspaces)): void {
  const batch = Array.from({ length: world.random.pick([1, 1, 1, 2, 5]) }, () => {
    const { event, json } = makeEvent(world, workspace);
    world.events.push(event);
    return JSON.stringify({ ...json, workspaceSlug: workspace, timestamp: '', createdBy: 'x' });
  });
  world.note(`event ${world.events.length} is committed to ${workspace}, ${batch.length} in all`);
  void world.broker.append({ workspace, events: batch });
  passOn(world);
}

/** Commits come to the hub a little later, in order. */
export function passOn(world: World): void {
  const batch = world.broker.stored.at(-1) ?? [];
  const dispatch = (): void => {
    for (const { json } of batch) world.dispatchedAt.set(numberOf(json), world.scheduler.time);
    world.broker.dispatch(1);
  };
  world.scheduler.post(world.random.int(0, 5), dispatch, 'broker');
}

export function publishAs(world: World): void {
  const workspace = world.random.pick(world.weather.workspaces);
  const known = world.tokens.filter(({ provider }) => provider === 'centrali');
  const token = known.length > 0 && world.random.chance(0.6) ? world.random.pick(known) : world.mint(workspace);
  if (token.provider !== 'centrali') return;
  const since = world.scheduler.time;
  let event: EventModel | undefined;
  const slow = world.random.chance(0.3) ? world.random.int(0, world.weather.duration / 4) : 0;
  const body = async (): Promise<Uint8Array> => {
    await new Promise<void>((resolve) => world.scheduler.post(slow, resolve));
    const made = makeEvent(world, workspace);
    event = made.event;
    // It counts once it is appended.
    world.events.push({ ...made.event, workspace: 'nowhere' });
    return Buffer.from(JSON.stringify(made.json));
  };
  const headers = ['Content-Type', 'application/json'];
  const broker = {
    append: (batch: Parameters<FakeBroker['append']>[0]) => {
      if (event) world.events[event.n - 1] = { ...event, committedAt: world.scheduler.time };
      world.published.push({ at: world.scheduler.time, since, token, workspace });
      world.note(`${token.sub} publishes event ${event?.n} in ${workspace} by ${token.jti}`);
      const appended = world.broker.append(batch);
      passOn(world);
      return appended;
    },
  };
  const request = world.request(token, workspace, { method: 'POST', body }, headers);
  publishBy({ authority: world.authority, broker }, request, workspace, {}).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    world.note(`${token.sub} may not publish in ${workspace}: ${error.code} ${error.reason}`);
  });
}
