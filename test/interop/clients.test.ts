// Clients that others wrote read the stream: curl, npm's eventsource, undici's EventSource.
import { EventSource as NpmEventSource } from 'eventsource';
import { EventSource as UndiciEventSource } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Child, type Dev, startDev, startProcess } from '../support/centrali.ts';
import { parseBlock } from '../support/event-stream.ts';
import { commandPath, requirePart } from '../support/parts.ts';
import { until } from '../support/wait.ts';

let dev: Dev;
let token: string;

beforeAll(async () => {
  dev = await startDev();
  token = await serviceToken(dev);
});
afterAll(() => dev?.stop());

const events = (structure: string, count: number, from = 0): unknown[] =>
  Array.from({ length: count }, (_, i) => ({ ...order(String(from + i), { text: 'é\n"x"' }), recordSlug: structure }));

describe.skipIf(!requirePart('curl'))('curl -N', () => {
  let curl: Child | undefined;
  afterEach(() => curl?.kill());
  const start = (...args: string[]): Child => startProcess(commandPath('curl') ?? 'curl', ['-sN', ...args]);
  const ids = (child: Child): (string | undefined)[] =>
    child
      .stdout()
      .split('\n\n')
      .map((raw) => parseBlock(raw))
      .filter(({ event, data }) => event === 'message' && data !== undefined)
      .map(({ id }) => id);

  it('reads events as they come, by query, and resumes by header', async () => {
    curl = start(eventsUrl(dev, { access_token: token, structures: 'curl' }));
    await curl.line((line) => (line.includes('"connected"') ? line : undefined));
    const first = await publish(dev, token, events('curl', 3));
    await until('three events', () => ids(curl!).length === 3);
    expect(ids(curl)).toEqual(first);
    await curl.kill();
    const missed = await publish(dev, token, events('curl', 3));
    curl = start(
      '-H',
      `Authorization: Bearer ${token}`,
      '-H',
      `Last-Event-ID: ${first[2]}`,
      eventsUrl(dev, { structures: 'curl' }),
    );
    await until('the missed events', () => ids(curl!).length === 3);
    expect(ids(curl)).toEqual(missed);
  });

  it('sees the error with --fail-with-body', async () => {
    curl = start('--fail-with-body', eventsUrl(dev));
    expect((await curl.exited).code).toBe(22);
    expect(JSON.parse(curl.stdout())).toMatchObject({ code: 'MISSING_TOKEN' });
  });
});

interface AnyEventSource {
  addEventListener(type: string, listener: (event: any) => void): void;
  close(): void;
  readonly readyState: number;
}

describe.each([
  ['eventsource', (url: string): AnyEventSource => new NpmEventSource(url)],
  ['undici', (url: string): AnyEventSource => new UndiciEventSource(url) as unknown as AnyEventSource],
] as const)('EventSource of %s', (name, create) => {
  let source: AnyEventSource | undefined;
  afterEach(() => source?.close());

  it('gets events, their ids, and system events by their name', async () => {
    const structure = `client-${name}`;
    const got: any[] = [];
    const system: any[] = [];
    source = create(eventsUrl(dev, { access_token: token, structures: structure }));
    source.addEventListener('message', ({ data, lastEventId }) => got.push({ id: lastEventId, ...JSON.parse(data) }));
    source.addEventListener('system', ({ data }) => system.push(JSON.parse(data)));
    await until('connected', () => system.length > 0);
    const ids = await publish(dev, token, events(structure, 5));
    await until('five events', () => got.length === 5);
    expect(got.map(({ id }) => id)).toEqual(ids);
    expect(got[0]).toMatchObject({ event: 'record_created', data: { text: 'é\n"x"' } });
    expect(system[0]).toMatchObject({ type: 'connected', workspace: 'demo', resumed: false });
  });

  it('comes back by itself after the server was restarted, and misses nothing', async () => {
    const structure = `restart-${name}`;
    const { temporaryFolder } = await import('../support/centrali.ts');
    const folder = temporaryFolder();
    let own = await startDev({ data: `${folder.path}/data` });
    try {
      const ownToken = await serviceToken(own);
      const got: string[] = [];
      let connections = 0;
      source = create(eventsUrl(own, { access_token: ownToken, structures: structure }));
      source.addEventListener('message', ({ lastEventId }) => got.push(lastEventId));
      source.addEventListener('system', ({ data }) => {
        if (JSON.parse(data).type === 'connected') connections++;
      });
      await until('connected', () => connections === 1);
      const ids = await publish(own, ownToken, events(structure, 2));
      await until('two events', () => got.length === 2);
      const port = Number(new URL(own.baseUrl).port);
      await own.kill();
      own = await startDev({ data: `${folder.path}/data`, port });
      ids.push(...(await publish(own, ownToken, events(structure, 2, 2))));
      await until('all four', () => got.length === 4, 15_000);
      expect(got).toEqual(ids);
    } finally {
      source?.close();
      await own.stop();
      folder.remove();
    }
  });

  it('can read why it was refused with errors=stream', async () => {
    const errors: any[] = [];
    source = create(eventsUrl(dev, { access_token: 'nonsense', errors: 'stream' }));
    source.addEventListener('system', ({ data }) => errors.push(JSON.parse(data)));
    await until('the error', () => errors.length > 0);
    expect(errors[0]).toMatchObject({ type: 'error', code: 'INVALID_TOKEN', recoverable: false });
  });
});
