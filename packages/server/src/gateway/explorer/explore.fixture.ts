/**
 * The race explorer: one seed is one schedule, in which clients connect, renew, stall and leave, publishers
 * publish, IAM changes, lags, freezes, is cut off and restored, and the gateway itself stalls; all on the
 * real code of the gateway, in a world whose time and order of events the seed chooses.
 */
import type { Change, Grant, RevocationRecord } from '@centrali-io/protocol';
import { HeaderFields, type Issuer, Refusal, type ServerRequest, SILENT } from '../../resource-server/index.ts';
import { Admission } from '../access/admit.ts';
import type { Authority } from '../access/authorize.ts';
import { followIam } from '../access/follow-iam.ts';
import { createDelivery } from '../delivery/create-delivery.ts';
import { FakeBroker } from '../delivery/fixtures/fake-broker.ts';
import { publish } from '../publish.ts';
import { renew } from '../renew.ts';
import { subscribe } from '../subscribe.ts';
import { SimulatedClient } from './client.fixture.ts';
import { providerRecord, SimulatedIam } from './iam.fixture.ts';
import { type EventModel, memberKey, providerOf, type State, type TokenModel, trueGrants } from './model.fixture.ts';
import { Random } from './random.fixture.ts';
import { Scheduler } from './scheduler.fixture.ts';

/** How much goes wrong in a schedule. */
export interface Weather {
  readonly name: 'calm' | 'storm';
  readonly latency: number;
  readonly lag: number;
  readonly nodes: number;
  /** How long it goes on, in ms. */
  readonly duration: number;
  /** What the gateway promises, in ms: from the end of a right to the last byte by it. */
  readonly bound: number;
  readonly actions: number;
}

/** IAM is well: a right that is gone is gone within a second. */
const CALM: Weather = { name: 'calm', latency: 15, lag: 60, nodes: 2, duration: 6000, bound: 1000, actions: 70 };
/** IAM freezes, is cut off, restored: 5 s after the last proof, and what is on its way when the right goes. */
const STORM: Weather = { name: 'storm', latency: 150, lag: 400, nodes: 2, duration: 20_000, bound: 5700, actions: 110 };

const WORKSPACES = ['a', 'b'] as const;
const SUBS = ['u1', 'u2', 'u3'] as const;
const SLUGS = ['order', 'invoice'] as const;
const ROLES = ['all', 'orders', 'mine', 'publisher', 'none'] as const;
const SUBSCRIBE = 'realtime:subscribe';

const GRANTS: Readonly<Record<string, readonly Grant[]>> = {
  all: [{ permission: SUBSCRIBE }],
  orders: [{ permission: SUBSCRIBE, structures: ['order'] }],
  mine: [{ permission: SUBSCRIBE, filter: 'data.owner:{sub}' }],
  publisher: [{ permission: SUBSCRIBE }, { permission: 'realtime:publish' }],
  none: [],
};

/** The number of an event in the log. */
function numberOf(json: string): number {
  return (JSON.parse(json) as { data: { n: number } }).data.n;
}

/** A log whose reads are answered some time after they were asked, in any order. */
class SlowBroker extends FakeBroker {
  readonly #scheduler: Scheduler;
  readonly #random: Random;

  constructor(scheduler: Scheduler, random: Random) {
    super();
    this.#scheduler = scheduler;
    this.#random = random;
  }

  override read(...request: Parameters<FakeBroker['read']>): ReturnType<FakeBroker['read']> {
    this.#scheduler.post(this.#random.int(1, 20), () => this.answer(this.#random.int(0, 9)));
    return super.read(...request);
  }
}

/** Everything of one schedule, also what is needed to judge it. */
export class Exploration {
  readonly seed: number;
  readonly weather: Weather;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly iam: SimulatedIam;
  readonly broker: FakeBroker;
  readonly delivery;
  readonly ends;
  readonly clients: SimulatedClient[] = [];
  readonly events: EventModel[] = [];
  readonly published: {
    readonly at: number;
    readonly since: number;
    readonly token: TokenModel;
    readonly workspace: string;
  }[] = [];
  readonly trace: string[] = [];
  /** When events came to the gateway, by number. */
  readonly dispatchedAt = new Map<number, number>();
  readonly #authority: Authority;
  readonly #tokens: TokenModel[] = [];
  readonly #feed;
  readonly #issuers = new Map<string, ReturnType<typeof providerRecord>>();
  #kid = 1;
  #jti = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = new Random(seed);
    this.weather = this.random.chance(0.5) ? CALM : STORM;
    this.scheduler = new Scheduler(this.random);
    const { latency, lag, nodes } = this.weather;
    this.iam = new SimulatedIam(this.scheduler, this.random, { latency, lag }, nodes, this.#initial());
    this.broker = new SlowBroker(this.scheduler, this.random);
    this.broker.dispatching = false;
    this.broker.automatic = false;
    let connections = 0;
    this.delivery = createDelivery({
      broker: this.broker,
      effects: this.scheduler,
      // Small enough that catching up reads the log, large enough that it does not always.
      limits: { ringBytes: this.random.pick([0, 2000, 1_000_000]), positionSeconds: 2 },
      newConnectionId: () => `cn_${++connections}`,
    });
    const { feed, ends, decisions } = followIam({
      decisions: this.iam.decisions,
      delivery: this.delivery,
      effects: this.scheduler,
      log: SILENT,
      issuers: () => ({
        replaceAll: (records) => {
          this.#issuers.clear();
          for (const record of records) this.#issuers.set(record.id, record);
        },
        put: (record) => void this.#issuers.set(record.id, record),
        remove: (id) => void this.#issuers.delete(id),
        expireKeys: () => {},
        hasKey: async () => true,
      }),
      cachedDecisions: this.random.pick([0, 3, 1000]),
    });
    this.#feed = feed;
    this.ends = ends;
    this.#authority = {
      issuers: {
        providerOf: ({ payload: { iss } }, workspace) => {
          if (iss === 'own') return 'centrali';
          const record = this.#issuers.get(providerOf(workspace));
          return record !== undefined && record.issuer === iss ? record.id : undefined;
        },
        verify: (token, workspace, now) => this.#verify(token, workspace, now),
      },
      feed,
      decisions,
      ends,
      admission: new Admission({ requestsPerSecondPerPrincipal: 0 }),
      audit: { isFull: false, add: () => {} },
      now: () => this.scheduler.now(),
      // Neither tickets nor bound tokens come here.
      tickets: {} as Authority['tickets'],
      binding: {} as Authority['binding'],
    };
  }

  #initial(): State {
    const members: Record<string, { roles: string[]; blocked: boolean }> = {};
    for (const workspace of WORKSPACES)
      for (const sub of SUBS)
        members[memberKey(workspace, 'centrali', sub)] = { roles: [this.random.pick(ROLES)], blocked: false };
    return {
      roles: { a: GRANTS, b: GRANTS },
      members,
      suspended: [],
      revocations: [],
      withdrawn: [],
      mapped: { a: 'all', b: 'orders' },
    };
  }

  /** Signature and claims, after the time that they take. */
  async #verify(
    token: { readonly kid: string; readonly payload: Readonly<Record<string, unknown>> },
    workspace: string,
    now: number,
  ): ReturnType<Authority['issuers']['verify']> {
    await new Promise<void>((resolve) => this.scheduler.post(this.random.int(0, 3), resolve));
    const claims = token.payload as { iss: string; exp: number };
    const own = claims.iss === 'own';
    const record = own ? undefined : this.#issuers.get(providerOf(workspace));
    if (!own && record?.issuer !== claims.iss) throw new Refusal('INVALID_TOKEN', 'iss_unknown');
    if (own && this.#feed.isWithdrawn(token.kid)) throw new Refusal('INVALID_TOKEN', 'key_withdrawn');
    if (claims.exp * 1000 <= now) throw new Refusal('TOKEN_EXPIRED', 'token_expired');
    const issuer = {
      provider: record?.id ?? 'centrali',
      namesWorkspaces: own,
      ...(record ? { mapping: record.mapping } : {}),
    } as unknown as Issuer;
    return { issuer, kid: token.kid, claims: token.payload as never };
  }

  /** Runs the schedule to its end, and some time in which all is well again. */
  async run(): Promise<void> {
    const { scheduler, weather } = this;
    this.#feed.start();
    for (let n = 0; n < weather.actions; n++) scheduler.post(this.random.int(0, weather.duration), () => this.#act());
    const until = scheduler.time + weather.duration;
    while (await scheduler.step(until));
    this.#note('all is well again');
    this.iam.free();
    for (const client of this.clients) if (client.blocked) client.unblock();
    const end = scheduler.time + weather.bound + 3000;
    while (await scheduler.step(end));
    this.endedAt = scheduler.time;
    this.left = { bound: this.ends.size, streams: this.delivery.streams, inDoubt: this.ends.inDoubt };
    this.ends.close();
    for (const client of this.clients) client.onGot = () => {};
    await this.delivery.close();
    const stopped = this.#feed.stop();
    while (await scheduler.step(end + 5000));
    await stopped;
  }

  /** When the schedule was over. */
  endedAt = 0;
  /** What was left then. */
  left = { bound: 0, streams: 0, inDoubt: 0 };
  /** Wall clock at time 0, ms. */
  readonly epoch: number = Date.UTC(2025, 0, 1);

  #note(what: string): void {
    this.trace.push(`${String(this.scheduler.time).padStart(6)}  ${what}`);
  }

  /** One of the things that can happen, at random. */
  #act(): void {
    const calm: [number, () => void][] = [
      [14, () => this.#connect()],
      [14, () => this.#publish()],
      [4, () => this.#publishAs()],
      [8, () => this.#changeMember()],
      [4, () => this.#changeRole()],
      [6, () => this.#revoke()],
      [2, () => this.#lift()],
      [1, () => this.#suspend()],
      [2, () => this.#changeProvider()],
      [1, () => this.#withdrawKey()],
      [5, () => this.#renew()],
      [2, () => this.#leave()],
      [4, () => this.#stallClient()],
      [2, () => this.#stallGateway(this.random.int(10, 300))],
      [2, () => this.#breakFeeds()],
    ];
    const storm: [number, () => void][] = [
      [4, () => this.#hold()],
      [1, () => this.#restore()],
      [2, () => this.#trim()],
      [1, () => this.#stallGateway(this.random.int(1000, 7000))],
    ];
    const all = this.weather.name === 'calm' ? calm : [...calm, ...storm];
    let at = this.random.next() * all.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, act] of all) {
      at -= weight;
      if (at < 0) return act();
    }
  }

  // What clients do.

  /** A new token, such as IAM or the provider of a workspace would give now. */
  #mint(workspace: string, of?: TokenModel): TokenModel {
    const own = of ? of.provider === 'centrali' : this.random.chance(0.8);
    const provider = of?.provider ?? (own ? 'centrali' : providerOf(workspace));
    const sub = of?.sub ?? this.random.pick(SUBS);
    const second = Math.floor(this.scheduler.now() / 1000);
    const clientId = 'app';
    // None is issued in a second that a revocation covers.
    const covered = this.iam.state.revocations.map(({ notBefore = 0, ...names }) =>
      names.provider === provider && (names.sub ?? sub) === sub && (names.clientId ?? clientId) === clientId
        ? notBefore + 1
        : 0,
    );
    const iat = Math.max(second, of?.iat ?? 0, ...covered);
    const token: TokenModel = {
      provider,
      sub,
      workspaces: of?.workspaces ?? (own && this.random.chance(0.3) ? ['a', 'b'] : [workspace]),
      clientId,
      jti: `j${++this.#jti}`,
      sid: of?.sid ?? `s${this.random.int(1, 3)}`,
      kid: own ? `k${this.#kid}` : 'p1',
      iat,
      exp: Math.max(of?.exp ?? 0, iat + this.random.pick([3, 8, 60, 3600])),
    };
    this.#tokens.push(token);
    return token;
  }

  #request(
    token: TokenModel,
    workspace: string,
    more: Partial<ServerRequest> = {},
    headers: readonly string[] = [],
  ): ServerRequest {
    const { provider, sub, workspaces, clientId, jti, sid, kid, iat, exp } = token;
    const own = provider === 'centrali';
    const names = { sub, client_id: clientId, jti, sid, iat, exp };
    const claims = own
      ? { iss: 'own', aud: 'own', workspaces, ...names }
      : { iss: `https://${provider.slice('pr_'.length)}.example`, aud: 'api', ...names };
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const compact = `${part({ alg: 'RS256', kid, typ: own ? 'at+jwt' : 'jwt' })}.${part(claims)}.AAAA`;
    return {
      id: 'req_1',
      method: 'GET',
      path: `/realtime/workspace/${workspace}/events`,
      query: new URLSearchParams(),
      headers: new HeaderFields(['Authorization', `Bearer ${compact}`, ...headers]),
      address: '192.0.2.1',
      secure: true,
      body: async () => new Uint8Array(),
      aborted: false,
      ...more,
    };
  }

  #connect(): void {
    const workspace = this.random.pick(WORKSPACES);
    const known = this.#tokens.filter(({ provider }) => provider === 'centrali' || provider === providerOf(workspace));
    const token = known.length > 0 && this.random.chance(0.5) ? this.random.pick(known) : this.#mint(workspace);
    const ids = this.clients.flatMap(({ workspace: of, got }) =>
      of === workspace ? got.flatMap(({ id, name }) => (id === undefined || name !== 'message' ? [] : [id])) : [],
    );
    const cursor = ids.length > 0 && this.random.chance(0.5) ? this.random.pick(ids) : undefined;
    const client = new SimulatedClient(`client ${this.clients.length + 1}`, workspace, token, cursor, this.scheduler);
    this.clients.push(client);
    this.#note(
      `${client.name} connects to ${workspace} as ${token.provider} ${token.sub} by ${token.jti}, iat ${token.iat % 100_000}, exp ${token.exp % 100_000}${cursor ? ` from ${cursor}` : ''}`,
    );
    client.onGot = ({ name, data, at }) => {
      if (name === 'system' && data.type === 'connected') {
        client.connectedAt = at;
        client.connectionId = String(data.connectionId);
      }
      this.#note(
        `${client.name} gets ${name === 'message' ? `event ${(data.data as { n: number }).n}` : JSON.stringify(data).slice(0, 90)}`,
      );
    };
    const query = new URLSearchParams(this.random.chance(0.2) ? { structures: 'order' } : {});
    client.narrowed = query.has('structures');
    const request = this.#request(token, workspace, { query }, cursor ? ['Last-Event-ID', cursor] : []);
    subscribe(
      { authority: this.#authority, delivery: this.delivery, queryTokens: 'deny' },
      request,
      workspace,
      {},
    ).then(
      (reply) => {
        if (!('attach' in reply)) throw new TypeError('No stream.');
        // The head is written first; the client may be gone by then.
        this.scheduler.post(this.random.int(0, 5), () => {
          if (client.closed) reply.abandon();
          else reply.attach(client);
        });
      },
      (error: unknown) => {
        if (!(error instanceof Refusal)) throw error;
        client.refused = { at: this.scheduler.time, code: error.code, reason: error.reason };
        this.#note(`${client.name} is refused: ${error.code} ${error.reason}`);
      },
    );
  }

  #open(): SimulatedClient[] {
    return this.clients.filter((client) => client.isOpen);
  }

  #renew(): void {
    const open = this.#open();
    if (open.length === 0) return;
    const client = this.random.pick(open);
    const token = this.#mint(client.workspace, client.token);
    this.#note(`${client.name} renews with ${token.jti}, exp ${token.exp % 100_000}`);
    const request = this.#request(token, client.workspace, { method: 'POST' });
    const place = { workspace: client.workspace, connectionId: client.connectionId };
    // From now on it may live on either.
    client.renewing.add(token);
    renew({ authority: this.#authority, delivery: this.delivery }, request, place, {}).then(
      () => this.#renewed(client, token),
      (error: unknown) => {
        if (!(error instanceof Refusal)) throw error;
        client.renewing.delete(token);
        this.#note(`${client.name} is not renewed: ${error.code} ${error.reason}`);
      },
    );
  }

  #renewed(client: SimulatedClient, token: TokenModel): void {
    client.renewing.delete(token);
    client.formerly.push({ token: client.token, until: this.scheduler.time });
    client.jtis.add(token.jti);
    client.token = token;
    this.#note(`${client.name} lives on ${token.jti}`);
  }

  #leave(): void {
    const open = this.#open();
    if (open.length === 0) return;
    const client = this.random.pick(open);
    this.#note(`${client.name} leaves`);
    client.leave();
  }

  #stallClient(): void {
    const open = this.#open().filter(({ blocked }) => !blocked);
    if (open.length === 0) return;
    const client = this.random.pick(open);
    this.#note(`${client.name} takes nothing`);
    client.block();
    this.scheduler.post(this.random.int(1, this.weather.duration / 2), () => {
      this.#note(`${client.name} takes again`);
      client.unblock();
    });
  }

  #event(workspace: string): { readonly event: EventModel; readonly json: Record<string, unknown> } {
    const n = this.events.length + 1;
    const event = {
      n,
      workspace,
      slug: this.random.pick(SLUGS),
      owner: this.random.pick(SUBS),
      committedAt: this.scheduler.time,
    };
    const { slug, owner } = event;
    return { event, json: { event: 'record_created', recordSlug: slug, recordId: String(n), data: { n, owner } } };
  }

  /** Somebody publishes, past the gateway: a batch for one workspace. */
  #publish(): void {
    const workspace = this.random.pick(WORKSPACES);
    const batch = Array.from({ length: this.random.pick([1, 1, 1, 2, 5]) }, () => {
      const { event, json } = this.#event(workspace);
      this.events.push(event);
      return JSON.stringify({ ...json, workspaceSlug: workspace, timestamp: '', createdBy: 'x' });
    });
    this.#note(`event ${this.events.length} is committed to ${workspace}, ${batch.length} in all`);
    void this.broker.append({ workspace, events: batch });
    this.#passOn();
  }

  /** Commits come to the hub a little later, in order. */
  #passOn(): void {
    const batch = this.broker.stored.at(-1) ?? [];
    const dispatch = (): void => {
      for (const { json } of batch) this.dispatchedAt.set(numberOf(json), this.scheduler.time);
      this.broker.dispatch(1);
    };
    this.scheduler.post(this.random.int(0, 5), dispatch, 'broker');
  }

  #publishAs(): void {
    const workspace = this.random.pick(WORKSPACES);
    const known = this.#tokens.filter(({ provider }) => provider === 'centrali');
    const token = known.length > 0 && this.random.chance(0.6) ? this.random.pick(known) : this.#mint(workspace);
    if (token.provider !== 'centrali') return;
    const since = this.scheduler.time;
    let event: EventModel | undefined;
    const slow = this.random.chance(0.3) ? this.random.int(0, this.weather.duration / 4) : 0;
    const body = async (): Promise<Uint8Array> => {
      await new Promise<void>((resolve) => this.scheduler.post(slow, resolve));
      const made = this.#event(workspace);
      event = made.event;
      // It counts once it is appended.
      this.events.push({ ...made.event, workspace: 'nowhere' });
      return Buffer.from(JSON.stringify(made.json));
    };
    const headers = ['Content-Type', 'application/json'];
    const broker = {
      append: (batch: Parameters<FakeBroker['append']>[0]) => {
        if (event) this.events[event.n - 1] = { ...event, committedAt: this.scheduler.time };
        this.published.push({ at: this.scheduler.time, since, token, workspace });
        this.#note(`${token.sub} publishes event ${event?.n} in ${workspace} by ${token.jti}`);
        const appended = this.broker.append(batch);
        this.#passOn();
        return appended;
      },
    };
    const request = this.#request(token, workspace, { method: 'POST', body }, headers);
    publish({ authority: this.#authority, broker }, request, workspace, {}).catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      this.#note(`${token.sub} may not publish in ${workspace}: ${error.code} ${error.reason}`);
    });
  }

  // What administrators do.

  #commit(change: Change, more: Partial<State>): void {
    this.iam.commit(change, { ...this.iam.state, ...more });
    this.#note(`revision ${this.iam.revision}: ${JSON.stringify(change).slice(0, 160)}`);
  }

  #changeMember(): void {
    const workspace = this.random.pick(WORKSPACES);
    const provider = this.random.chance(0.8) ? 'centrali' : providerOf(workspace);
    const sub = this.random.pick(SUBS);
    const member = {
      roles: this.random.chance(0.3) ? [] : [this.random.pick(ROLES)],
      blocked: this.random.chance(0.2),
    };
    this.#note(`${workspace} ${provider} ${sub} is to have ${JSON.stringify(member)}`);
    this.#commit(
      { kind: 'member', workspace, provider, sub },
      { members: { ...this.iam.state.members, [memberKey(workspace, provider, sub)]: member } },
    );
  }

  #changeRole(): void {
    const workspace = this.random.pick(WORKSPACES);
    const role = this.random.pick(ROLES);
    const grants = GRANTS[this.random.pick(ROLES)] ?? [];
    const { roles } = this.iam.state;
    this.#note(`role ${role} of ${workspace} is to grant ${JSON.stringify(grants)}`);
    this.#commit(
      { kind: 'role', workspace, role },
      { roles: { ...roles, [workspace]: { ...roles[workspace], [role]: grants } } },
    );
  }

  #revoke(): void {
    const token = this.random.pick(this.#tokens.length > 0 ? this.#tokens : [this.#mint('a')]);
    const notBefore = Math.floor(this.scheduler.now() / 1000);
    const { provider, jti, sub, clientId, sid } = token;
    const names = this.random.pick<Omit<RevocationRecord, 'workspace' | 'provider'>>([
      { jti },
      { jti },
      { sub, notBefore },
      { sid, notBefore },
      { clientId, notBefore },
      { notBefore },
    ]);
    const workspace = this.random.chance(0.3) ? null : this.random.pick(WORKSPACES);
    const revocation: RevocationRecord = { workspace, provider, ...names };
    this.#commit({ kind: 'revocation', revocation }, { revocations: [...this.iam.state.revocations, revocation] });
  }

  #lift(): void {
    const { revocations } = this.iam.state;
    if (revocations.length === 0) return;
    const revocation = this.random.pick(revocations);
    const at = revocations.indexOf(revocation);
    this.#commit({ kind: 'revocation-lifted', revocation }, { revocations: revocations.toSpliced(at, 1) });
  }

  #suspend(): void {
    const workspace = this.random.pick(WORKSPACES);
    const { suspended } = this.iam.state;
    // Not for long, or nothing happens any more.
    if (!suspended.includes(workspace)) this.scheduler.post(this.random.int(1, 2000), () => this.#resume(workspace));
    const to = suspended.includes(workspace)
      ? suspended.filter((other) => other !== workspace)
      : [...suspended, workspace];
    this.#note(`suspended: ${to.join()}`);
    this.#commit({ kind: 'workspace', workspace }, { suspended: to });
  }

  #resume(workspace: string): void {
    const suspended = this.iam.state.suspended.filter((other) => other !== workspace);
    this.#note(`${workspace} is resumed`);
    this.#commit({ kind: 'workspace', workspace }, { suspended });
  }

  #changeProvider(): void {
    const workspace = this.random.pick(WORKSPACES);
    const id = providerOf(workspace);
    const { [workspace]: present, ...others } = this.iam.state.mapped;
    if (present !== undefined && this.random.chance(0.3)) {
      this.#commit({ kind: 'provider', id, provider: null }, { mapped: others });
      return;
    }
    const role = this.random.pick(ROLES);
    const provider = providerRecord(workspace, role);
    this.#note(`${id} is to give ${role}`);
    this.#commit({ kind: 'provider', id, provider }, { mapped: { ...others, [workspace]: role } });
  }

  #withdrawKey(): void {
    const kid = `k${this.#kid++}`;
    this.#commit({ kind: 'key', kid, withdrawn: true }, { withdrawn: [...this.iam.state.withdrawn, kid] });
  }

  // What happens to machines and networks.

  #stallGateway(milliseconds: number): void {
    this.#note(`the gateway stalls for ${milliseconds} ms`);
    this.scheduler.time += milliseconds;
  }

  #breakFeeds(): void {
    this.#note('the feed breaks off');
    this.iam.breakFeeds();
  }

  #hold(): void {
    const which = this.random.int(0, 1);
    const both = this.random.chance(0.6);
    const milliseconds = this.random.int(200, 9000);
    this.#note(`node ${which + 1}${both ? ' and the other' : ''} held for ${milliseconds} ms`);
    this.iam.hold(which);
    if (both) this.iam.hold(which + 1);
    this.scheduler.post(milliseconds, () => {
      this.#note('nodes are freed');
      this.iam.free();
    });
  }

  #restore(): void {
    this.#note('IAM is restored to an earlier state');
    this.iam.restore();
  }

  #trim(): void {
    this.#note('the feed is trimmed');
    this.iam.trim();
  }

  #places: Map<number, { readonly seq: number; readonly at: number }> | undefined;

  /** The place of an event in the log: its request's sequence, and its own among all events. */
  placeOf(n: number): { readonly seq: number; readonly at: number } {
    this.#places ??= new Map(this.broker.stored.flat().map(({ json, seq }, at) => [numberOf(json), { seq, at }]));
    return this.#places.get(n) ?? { seq: 0, at: -1 };
  }

  /** The tokens that a client may have lived on at a moment. */
  tokensAt(client: SimulatedClient, at: number): readonly TokenModel[] {
    return this.#tokensWithin(client, at);
  }

  #tokensWithin(client: SimulatedClient, from: number): readonly TokenModel[] {
    const former = client.formerly.filter(({ until }) => until >= from).map(({ token }) => token);
    return [client.token, ...client.renewing, ...former];
  }

  /** The true grants that a client may have lived on within a time before a moment. */
  grantsWithin(client: SimulatedClient, from: number, to: number): readonly (readonly Grant[])[] {
    const lives = this.#tokensWithin(client, from);
    return this.iam
      .between(from, to)
      .flatMap((state) =>
        lives.map((token) => trueGrants(state, { workspace: client.workspace, token, jtis: client.jtis }, SUBSCRIBE)),
      );
  }
}
