import type { Grant } from '@centrali-io/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventFrame } from './frames.ts';
import { Selection } from './selection.ts';
import { type Indexed, SelectionIndex } from './selection-index.ts';

const value = fc.constantFrom('x', 'y', 1, 2, true, null);
const filter = fc.oneof(
  fc
    .record({
      path: fc.constantFrom('data.a', 'data.b', 'recordSlug'),
      value: fc.constantFrom('x', 'y', '1', 'true', 'null', '"1"'),
    })
    .map((clause) => `${clause.path}:${clause.value}`),
  fc.constantFrom(
    'data.a:x data.b:y',
    'data.a:x OR data.b:y',
    'NOT data.a:x',
    'data.a:in:x,y',
    'data.before.a:x',
    'data.a:exists:true',
  ),
);
const names = fc.subarray(['x', 'y']);
const grant: fc.Arbitrary<Grant> = fc
  .record({ structures: names, events: fc.subarray(['record_created', 'record_updated']), filter: fc.option(filter) })
  .map((parts) => ({
    permission: 'realtime:subscribe',
    structures: parts.structures,
    events: parts.events,
    ...(parts.filter === null ? {} : { filter: parts.filter }),
  }));
const selection = fc
  .record({ structures: names, events: names, filter: fc.option(filter), grants: fc.array(grant, { maxLength: 3 }) })
  .map(
    (parts) =>
      new Selection(
        {
          structures: parts.structures,
          events: parts.events.length === 1 ? ['record_created'] : [],
          ...(parts.filter === null ? {} : { filter: parts.filter }),
        },
        parts.grants,
        new Map(),
      ),
  );
const fields = fc.record({ a: value, b: value }, { requiredKeys: [] });
const event = fc.oneof(
  fc.record({ event: fc.constant('record_created'), recordSlug: fc.constantFrom('x', 'y', 'z'), data: fields }),
  fc.record({
    event: fc.constant('record_updated'),
    recordSlug: fc.constantFrom('x', 'y'),
    data: fc.record({ before: fields, after: fields }),
  }),
);

interface Member extends Indexed {
  readonly selection: Selection;
}

describe('the index', () => {
  test('finds everyone who wants an event, each once, also after others have gone', () => {
    let wanted = 0;
    let spared = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(selection, fc.boolean()), { maxLength: 12 }),
        fc.array(event, { minLength: 1, maxLength: 5 }),
        (selections, events) => {
          const index = new SelectionIndex<Member>();
          const members = selections.map(
            ([one]): Member => ({ selection: one, terms: one.terms, foundFor: undefined }),
          );
          for (const member of members) index.add(member);
          const gone = members.filter((_, i) => selections[i]?.[1]);
          for (const member of gone) index.remove(member);
          const left = members.filter((member) => !gone.includes(member));
          for (const [i, content] of events.entries()) {
            const frame = new EventFrame({ workspace: 'a', seq: i, index: 0, id: 'i', json: JSON.stringify(content) });
            const found: Member[] = [];
            index.find(frame, (member) => found.push(member));
            expect(new Set(found).size).toBe(found.length);
            expect(found.every((member) => left.includes(member))).toBe(true);
            const wants = left.filter((member) => member.selection.judge(frame) !== 'none');
            expect(wants.filter((member) => !found.includes(member))).toEqual([]);
            wanted += wants.length;
            spared += left.length - found.length;
          }
        },
      ),
      { numRuns: 1000 },
    );
    expect(wanted).toBeGreaterThan(100);
    expect(spared).toBeGreaterThan(100);
  });

  test('looks at who may want an event, not at all who listen', () => {
    const index = new SelectionIndex<Member>();
    for (let n = 0; n < 10_000; n++) {
      const one = new Selection(
        { structures: [], events: [] },
        [{ permission: 'realtime:subscribe', filter: `data.owner:u${n}` }],
        new Map(),
      );
      index.add({ selection: one, terms: one.terms, foundFor: undefined });
    }
    const json = JSON.stringify({ event: 'record_created', recordSlug: 'x', data: { owner: 'u77' } });
    let visited = 0;
    index.find(new EventFrame({ workspace: 'a', seq: 1, index: 0, id: 'i', json }), () => visited++);
    expect(visited).toBe(1);
  });
});
