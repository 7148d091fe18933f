import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparePlaces } from '../broker/port.ts';
import { EventFrame } from './frames.ts';
import { Ring } from './ring.ts';

describe('the ring', () => {
  test('holds everything after its start and nothing before, within its bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 300, size: 'max' }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(320),
        fc.integer({ min: 1, max: 9 }),
        (workspaces, room, after, limit) => {
          const ring = new Ring(room * 258, { seq: 0, index: 0 });
          const all = workspaces.map((workspace, i) => ({
            workspace,
            frame: new EventFrame({ workspace, seq: i + 1, index: 0, id: 'i', json: '{}' }),
          }));
          for (const { workspace, frame } of all) ring.push(workspace, frame);
          expect(ring.bytes).toBeLessThanOrEqual(room * 258);
          expect(ring.start.seq).toBe(Math.max(0, all.length - room));
          const place = { seq: Math.max(after, ring.start.seq), index: 0 };
          for (const workspace of ['a', 'b', 'c', 'd']) {
            const expected = all
              .filter((one) => one.workspace === workspace && comparePlaces(one.frame, place) > 0)
              .map(({ frame }) => frame);
            const page = ring.page(workspace, place, limit, 1_000_000);
            expect(page.frames).toEqual(expected.slice(0, limit));
            expect(page.complete).toBe(expected.length <= limit);
          }
        },
      ),
    );
  });

  test('ends a page by bytes too', () => {
    const ring = new Ring(1_000_000, { seq: 0, index: 0 });
    for (let seq = 1; seq <= 10; seq++) {
      ring.push(
        'a',
        new EventFrame({ workspace: 'a', seq, index: 0, id: 'i', json: JSON.stringify('x'.repeat(1000)) }),
      );
    }
    const page = ring.page('a', { seq: 0, index: 0 }, 100, 3000);
    expect(page.frames).toHaveLength(3);
    expect(page.complete).toBe(false);
  });
});
