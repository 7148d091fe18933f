import { expect, test, vi } from 'vitest';
import { createDelivery } from './delivery.ts';

/** A handler that a test lets end. */
function held(): { run: () => Promise<void>; end: () => void; readonly calls: number } {
  let end: () => void = () => {};
  let calls = 0;
  return {
    run: () => {
      calls++;
      return new Promise((resolve) => {
        end = resolve;
      });
    },
    end: () => end(),
    get calls() {
      return calls;
    },
  };
}

test('runs one after the other; the cursor is what was put in, lastEventId what is handled', async () => {
  const delivery = createDelivery('0', () => {});
  const first = held();
  const second = vi.fn();
  delivery.put('1', first.run);
  delivery.put('2', second);
  delivery.put('3');
  await Promise.resolve();
  expect([first.calls, second.mock.calls.length, delivery.cursor(), delivery.lastEventId()]).toEqual([1, 0, '3', '0']);
  first.end();
  await delivery.done(true);
  expect([second.mock.calls.length, delivery.lastEventId()]).toEqual([1, '3']);
});

test('what a handler throws is told, and awaited, before the next', async () => {
  const thrown = held();
  const delivery = createDelivery(null, thrown.run);
  const second = vi.fn();
  delivery.put('1', () => {
    throw new Error('x');
  });
  delivery.put('2', second);
  await vi.waitFor(() => expect(thrown.calls).toBe(1));
  expect(second).not.toHaveBeenCalled();
  thrown.end();
  await delivery.done(true);
  expect(second).toHaveBeenCalledOnce();
});

test('is full at 128 and says when that has gone', async () => {
  const delivery = createDelivery(null, () => {});
  const first = held();
  delivery.put('0', first.run);
  await Promise.resolve();
  for (let n = 1; n < 128; n++) delivery.put(String(n));
  expect(delivery.done()).toBeUndefined();
  delivery.put('128');
  const room = delivery.done();
  expect(room).toBeInstanceOf(Promise);
  first.end();
  await room;
  expect(delivery.lastEventId()).toBe('128');
});

test('a drop keeps what is in hand and goes back behind it', async () => {
  const delivery = createDelivery('0', () => {});
  const first = held();
  const second = vi.fn();
  delivery.put('1', first.run);
  delivery.put('2', second);
  await Promise.resolve();
  delivery.drop(false);
  expect([delivery.cursor(), delivery.lastEventId()]).toEqual(['1', '0']);
  first.end();
  await delivery.done(true);
  expect([second.mock.calls.length, delivery.lastEventId()]).toEqual([0, '1']);
});

test('a drop with the cursor forgets everything, what is in hand too', async () => {
  const delivery = createDelivery('0', () => {});
  const first = held();
  delivery.put('1', first.run);
  await Promise.resolve();
  delivery.drop(true);
  expect([delivery.cursor(), delivery.lastEventId()]).toEqual([null, null]);
  first.end();
  await delivery.done(true);
  expect(delivery.lastEventId()).toBeNull();
});
