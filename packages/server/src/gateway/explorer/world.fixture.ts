/** The world of a schedule: the gateway's real code, everything around it, and what is needed to judge it. */
import type { Grant } from '@centrali-io/protocol';
import { HeaderFields, type Issuer, Refusal, type ServerRequest, SILENT } from '../../resource-server/index.ts';
import { Admission } from '../access/admit.ts';
import type { Authority } from '../access/authority.ts';
import { followIam } from '../access/follow-iam.ts';
import { createDelivery } from '../delivery/create-delivery.ts';
import { FakeBroker } from '../delivery/fixtures/fake-broker.ts';
import type { SimulatedClient } from './client.fixture.ts';
import { providerRecord, SimulatedIam } from './iam.fixture.ts';
import { type EventModel, memberKey, providerOf, type State, type TokenModel, trueGrants } from './model.fixture.ts';
import { Random } from './random.fixture.ts';
import { Scheduler } from './scheduler.fixture.ts';
import { GRANTS, ROLES, SUBSCRIBE, WEATHERS, type Weather } from './weather.fixture.ts';

/** The number of an event in the log. */
export function numberOf(json: string): number {
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

  override async locate(...request: Parameters<FakeBroker['locate']>): ReturnType<FakeBroker['locate']> {
    await new Promise<void>((resolve) => this.#scheduler.post(this.#random.int(0, 15), resolve));
    return super.locate(...request);
  }

  override read(...request: Parameters<FakeBroker['read']>): ReturnType<FakeBroker['read']> {
    this.#scheduler.post(this.#random.int(1, 20), () => this.answer(this.#random.int(0, 9)));
    return super.read(...request);
  }
}

/** Limits that nobody reaches, after the time that it takes to find that out. */
class SlowAdmission extends Admission {
  readonly #scheduler: Scheduler;
  readonly #random: Random;

  constructor(scheduler: Scheduler, random: Random) {
    super({ requestsPerSecondPerPrincipal: 0 });
    this.#scheduler = scheduler;
    this.#random = random;
  }

  override async request(): Promise<void> {
    await new Promise<void>((resolve) => this.#scheduler.post(this.#random.int(0, 5), resolve));
  }
}

/** Everything of one schedule, also what is needed to judge it. */
export class World {
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
  /** When the gateway's loop stood still, and for how long. */
  readonly stalls: { readonly at: number; readonly milliseconds: number }[] = [];
  /** When events came to the gateway, by number. */
  readonly dispatchedAt = new Map<number, number>();
  readonly authority: Authority;
  readonly tokens: TokenModel[] = [];
  readonly #feed;
  readonly #issuers = new Map<string, ReturnType<typeof providerRecord>>();
  /** The number of the key that signs. */
  kid = 1;
  #jti = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.random = new Random(seed);
    this.weather = this.random.pick(WEATHERS);
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
    this.authority = {
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
      admission: new SlowAdmission(this.scheduler, this.random),
      audit: { isFull: false, add: () => {} },
      now: () => this.scheduler.now(),
      // Neither tickets nor bound tokens come here.
      tickets: {} as Authority['tickets'],
      binding: {} as Authority['binding'],
    };
  }

  #initial(): State {
    const members: Record<string, { roles: string[]; blocked: boolean }> = {};
    for (const workspace of this.weather.workspaces)
      for (const sub of this.weather.subs)
        members[memberKey(workspace, 'centrali', sub)] = {
          roles: [this.random.pick(['all', 'all', 'mine', 'orders', 'publisher'])],
          blocked: false,
        };
    return {
      roles: { a: GRANTS, b: GRANTS },
      members,
      suspended: [],
      revocations: [],
      withdrawn: [],
      mapped: Object.fromEntries(this.weather.workspaces.map((workspace) => [workspace, this.random.pick(ROLES)])),
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

  /** Runs the schedule to its end, and some time in which all is well again. `act` does one of the things that can happen. */
  async run(act: () => void, pulse: (workspace: string) => void): Promise<void> {
    const { scheduler, weather, random } = this;
    this.#feed.start();
    const moments = Array.from({ length: 3 }, () => random.int(300, weather.duration));
    for (let n = 0; n < weather.actions; n++) {
      const at =
        weather.bursts > 0 ? random.pick(moments) + random.int(0, weather.bursts) : random.int(0, weather.duration);
      scheduler.post(at, act);
    }
    const quiet = weather.bound + 1500;
    if (weather.pulse > 0)
      for (let at = 0; at < weather.duration + quiet; at += weather.pulse)
        scheduler.post(at, () => pulse(random.pick(weather.workspaces)));
    const until = scheduler.time + weather.duration;
    while (await scheduler.step(until));
    this.note('all is well again');
    this.iam.free();
    for (const client of this.clients) if (client.blocked) client.unblock();
    const end = scheduler.time + quiet;
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

  /** Writes something down, with its time. */
  note(what: string): void {
    this.trace.push(`${String(this.scheduler.time).padStart(6)}  ${what}`);
  }

  /** A new token, such as IAM or the provider of a workspace would give now. */
  mint(workspace: string, of?: TokenModel): TokenModel {
    const own = of ? of.provider === 'centrali' : this.random.chance(0.8);
    const provider = of?.provider ?? (own ? 'centrali' : providerOf(workspace));
    const sub = of?.sub ?? this.random.pick(this.weather.subs);
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
      workspaces: of?.workspaces ?? (own && this.random.chance(0.3) ? this.weather.workspaces : [workspace]),
      clientId,
      jti: `j${++this.#jti}`,
      sid: of?.sid ?? `s${this.random.int(1, 3)}`,
      kid: own ? `k${this.kid}` : 'p1',
      iat,
      exp: Math.max(of?.exp ?? 0, iat + this.random.pick([3, 8, 60, 3600])),
    };
    this.tokens.push(token);
    return token;
  }

  request(
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

  /**
   * The true grants that a client may have lived on within a time before a moment. A provider's mapping is told
   * to the gateway and applied by it, so that it may be of another moment of that time than the rest.
   */
  grantsWithin(client: SimulatedClient, from: number, to: number): readonly (readonly Grant[])[] {
    const states = this.iam.between(from, to);
    return this.#tokensWithin(client, from).flatMap((token) => {
      const lives = { workspace: client.workspace, token, jtis: client.jtis };
      const mappings = token.provider === 'centrali' ? [undefined] : states;
      return states.flatMap((state) => mappings.map((mapping) => trueGrants(state, lives, SUBSCRIBE, mapping)));
    });
  }
}
