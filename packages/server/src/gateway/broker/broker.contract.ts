import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Broker, comparePlaces, IdempotencyConflict, type Place, type StoredEvent } from './port.ts';

/** What the suite needs of an adapter. */
export interface BrokerUnderTest {
  readonly broker: Broker;
  /** Closes it and opens the same log again. */
  reopen(): Promise<Broker>;
  /** Takes away all that is stored now, as retention would. */
  trimAll(): Promise<Broker>;
  /** Closes it and removes its files. */
  dispose(): Promise<void>;
}

const START: Place = { seq: 0, index: 0 };
const event = (n: number): string => JSON.stringify({ event: 'order.made', data: { n } });

async function readAll(broker: Broker, workspace: string, from: Place = START): Promise<string[]> {
  const ids: string[] = [];
  let after: Place = from;
  while (comparePlaces(after, broker.head()) < 0) {
    const page = await broker.read(workspace, after, 7);
    ids.push(...page.events.map(({ id }) => id));
    expect(comparePlaces(page.through, after)).toBeGreaterThan(0);
    after = page.through;
  }
  return ids;
}

/** The suite that every adapter of the port passes. */
export function brokerContract(name: string, open: () => Promise<BrokerUnderTest>): void {
  describe(`${name}: the broker's contract`, () => {
    let under: BrokerUnderTest;
    let broker: Broker;
    beforeEach(async () => {
      under = await open();
      broker = under.broker;
    });
    afterEach(() => under.dispose());

    test('gives one id per event, each another, all of the cursor alphabet', async () => {
      const first = await broker.append({ workspace: 'a', events: [event(1), event(2)] });
      const second = await broker.append({ workspace: 'a', events: [event(1)] });
      const ids = [...first, ...second];
      expect(new Set(ids).size).toBe(3);
      for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
    });

    test('refuses an event with a line end, which could forge a field of the stream', () => {
      expect(() => broker.append({ workspace: 'a', events: ['{}\nevent: system'] })).toThrow(TypeError);
      expect(() => broker.append({ workspace: 'a', events: ['{}\r'] })).toThrow(TypeError);
      expect(() => broker.append({ workspace: 'a', events: [] })).toThrow(TypeError);
    });

    test('hands each committed request to subscribers once, in order, when the head covers it', async () => {
      const seen: StoredEvent[] = [];
      const end = broker.subscribe((batch) => {
        seen.push(...batch);
        expect(broker.head()).toMatchObject({ seq: batch.at(-1)?.seq, index: batch.at(-1)?.index });
      });
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          broker.append({ workspace: n % 2 ? 'a' : 'b', events: [event(n), event(n)] }),
        ),
      );
      expect(seen.map(({ id }) => id)).toEqual(answers.flat());
      expect(seen.map(({ json }) => json)).toEqual(Array.from({ length: 50 }, (_, n) => [event(n), event(n)]).flat());
      expect(seen.toSorted(comparePlaces)).toEqual(seen);
      expect(new Set(seen.map(({ seq, index }) => `${seq} ${index}`)).size).toBe(seen.length);
      end();
      await broker.append({ workspace: 'a', events: [event(0)] });
      expect(seen).toHaveLength(100);
    });

    test('reads a workspace in pages, whole and in order, and nothing of another', async () => {
      const mine: string[] = [];
      for (let n = 0; n < 40; n++) {
        const ids = await broker.append({ workspace: n % 3 ? 'a' : 'b', events: [event(n), event(n + 1)] });
        if (n % 3) mine.push(...ids);
      }
      expect(await readAll(broker, 'a')).toEqual(mine);
      expect(await readAll(broker, 'nobody')).toEqual([]);
    });

    test('goes on within a request after any of its events', async () => {
      const ids = await broker.append({ workspace: 'a', events: [event(1), event(2), event(3)] });
      await broker.append({ workspace: 'b', events: [event(4)] });
      for (const [i, id] of ids.entries()) {
        const located = await broker.locate('a', id);
        if (located.kind !== 'at') throw new Error(located.kind);
        expect(await readAll(broker, 'a', located.position)).toEqual(ids.slice(i + 1));
      }
    });

    test('knows a cursor again only in its workspace, unaltered, up to its head', async () => {
      const [id = ''] = await broker.append({ workspace: 'a', events: [event(1)] });
      await broker.append({ workspace: 'a', events: [event(2)] });
      const [epoch, seq, index, check = ''] = id.split('-');
      expect((await broker.locate('a', id)).kind).toBe('at');
      const flipped = check.startsWith('0') ? `1${check.slice(1)}` : `0${check.slice(1)}`;
      const wrong = [
        `${epoch}-${Number(seq) + 1}-${index}-${check}`,
        `${epoch}-${seq}-${Number(index) + 1}-${check}`,
        `${epoch}-${seq}-${index}-${flipped}`,
        `${epoch}-0${seq}-${index}-${check}`,
        `${epoch}-999999999-0-${check}`,
        `${epoch}-1e308-0-${check}`,
        `${epoch}--1-0-${check}`,
        `x${epoch}-${seq}-${index}-${check}`,
        'x',
        `${id}x`,
      ];
      for (const cursor of wrong)
        expect([cursor, (await broker.locate('a', cursor)).kind]).toEqual([cursor, 'unknown']);
      expect((await broker.locate('b', id)).kind).toBe('unknown');
    });

    test('writes its head as a cursor of any workspace, also before the first event', async () => {
      for (let n = 0; n < 2; n++) {
        for (const workspace of ['a', 'b']) {
          const cursor = broker.cursorAt(workspace, broker.head());
          const located = await broker.locate(workspace, cursor);
          expect(located.kind).toBe('at');
          expect((await broker.locate('c', cursor)).kind).toBe('unknown');
        }
        await broker.append({ workspace: 'a', events: [event(n)] });
      }
    });

    test('gives the first ids again for the same key and body, and stores nothing twice', async () => {
      const idempotency = { key: 'k1', bodyHash: 'h1' };
      const [first, again] = await Promise.all([
        broker.append({ workspace: 'a', events: [event(1), event(2)], idempotency }),
        broker.append({ workspace: 'a', events: [event(1), event(2)], idempotency }),
      ]);
      expect(again).toEqual(first);
      broker = await under.reopen();
      expect(await broker.append({ workspace: 'a', events: [event(1), event(2)], idempotency })).toEqual(first);
      expect(await readAll(broker, 'a')).toEqual(first);
      await expect(
        broker.append({ workspace: 'a', events: [event(3)], idempotency: { key: 'k1', bodyHash: 'h2' } }),
      ).rejects.toThrow(IdempotencyConflict);
      expect(await readAll(broker, 'a')).toEqual(first);
    });

    test('keeps everything over a restart, and goes on counting', async () => {
      const before = await broker.append({ workspace: 'a', events: [event(1)] });
      const head = broker.cursorAt('b', broker.head());
      broker = await under.reopen();
      expect(broker.cursorAt('b', broker.head())).toBe(head);
      const after = await broker.append({ workspace: 'a', events: [event(2)] });
      expect(await readAll(broker, 'a')).toEqual([...before, ...after]);
    });

    test('says trimmed below what is kept, and never reuses a sequence', async () => {
      const [old = ''] = await broker.append({ workspace: 'a', events: [event(1)] });
      const [last = ''] = await broker.append({ workspace: 'a', events: [event(2)] });
      const quiet = broker.cursorAt('b', broker.head());
      broker = await under.trimAll();
      expect((await broker.locate('a', old)).kind).toBe('trimmed');
      // At the very head nothing can have been missed, although its record is gone.
      expect((await broker.locate('a', last)).kind).toBe('at');
      expect((await broker.locate('b', quiet)).kind).toBe('at');
      const page = await broker.read('a', START, 10);
      expect(page.trimmed).toBeDefined();
      const [next = ''] = await broker.append({ workspace: 'a', events: [event(3)] });
      expect(Number(next.split('-')[1])).toBeGreaterThan(Number(last.split('-')[1]));
      const located = await broker.locate('a', old);
      if (located.kind !== 'trimmed') throw new Error(located.kind);
      expect(await readAll(broker, 'a', located.position)).toEqual([next]);
    });
  });
}
