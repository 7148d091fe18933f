import type { Grant, RealtimeEvent, Scalar } from '@centrali-io/protocol';
import { describe, expect, test } from 'vitest';
import type { Selection as Narrowing } from './port.ts';
import { Selection } from './selection.ts';

const base = { workspaceSlug: 'a', timestamp: '2025-01-01T00:00:00Z', createdBy: 'u' };
const created = (data: object, recordSlug = 'order'): RealtimeEvent => ({
  ...base,
  event: 'record_created',
  recordSlug,
  recordId: 'r',
  data: { ...data },
});
const updated = (before: object, after: object): RealtimeEvent => ({
  ...base,
  event: 'record_updated',
  recordSlug: 'order',
  recordId: 'r',
  data: { before: { ...before }, after: { ...after } },
});
const run = (jobId: string): RealtimeEvent => ({
  ...base,
  event: 'function_run_completed',
  data: { jobId, functionId: 'f', triggerType: 't' },
});

function make(
  narrowing: Partial<Narrowing>,
  grants: readonly Partial<Grant>[] = [{}],
  placeholders: Readonly<Record<string, Scalar>> = {},
): Selection {
  return new Selection(
    { structures: [], events: [], ...narrowing },
    grants.map((grant) => ({ permission: 'realtime:subscribe', ...grant })),
    new Map(Object.entries(placeholders)),
  );
}

const judge = (selection: Selection, event: RealtimeEvent): string => selection.judge({ event });

describe('what a client asks for', () => {
  test('nothing: everything, without a look at the event', () => {
    const selection = make({});
    const never = {
      get event(): RealtimeEvent {
        throw new Error('parsed for nothing');
      },
    };
    expect(selection.judge(never)).toBe('whole');
  });

  test('structures and events narrow; an event without a structure is in none', () => {
    const selection = make({ structures: ['order', 'invoice'], events: ['record_created'] });
    expect(judge(selection, created({}))).toBe('whole');
    expect(judge(selection, created({}, 'customer'))).toBe('none');
    expect(judge(selection, updated({}, {}))).toBe('none');
    expect(judge(make({ structures: ['order'] }), run('j1'))).toBe('none');
  });

  test('jobId and its like narrow compute events and leave record events alone', () => {
    const selection = make({ jobId: 'j1' });
    expect(judge(selection, run('j1'))).toBe('whole');
    expect(judge(selection, run('j2'))).toBe('none');
    expect(judge(selection, created({}))).toBe('whole');
    expect(judge(make({ triggerType: 'x' }), run('j1'))).toBe('none');
    expect(judge(make({ functionId: 'f', triggerType: 't' }), run('j1'))).toBe('whole');
  });

  test('a filter narrows; one that cannot be read is INVALID_FILTER, never ignored', () => {
    expect(judge(make({ filter: 'data.status:paid' }), created({ status: 'paid' }))).toBe('whole');
    expect(judge(make({ filter: 'data.status:paid' }), created({ status: 'open' }))).toBe('none');
    expect(() => make({ filter: 'data.status:(' })).toThrow(expect.objectContaining({ code: 'INVALID_FILTER' }));
  });
});

describe('what grants allow', () => {
  test('no grant, or only void ones: nothing', () => {
    expect(judge(make({}, []), created({}))).toBe('none');
    expect(judge(make({}, [{ filter: 'data.owner:{sub}' }]), created({ owner: '' }))).toBe('none');
    expect(judge(make({}, [{ filter: 'data.owner:{sub}' }], { sub: '' }), created({ owner: '' }))).toBe('none');
    expect(judge(make({}, [{ filter: 'not ( a filter' }]), created({}))).toBe('none');
  });

  test('a union: each opens its part', () => {
    const selection = make({}, [{ structures: ['invoice'] }, { filter: 'data.owner:{sub}' }], { sub: 'u1' });
    expect(judge(selection, created({}, 'invoice'))).toBe('whole');
    expect(judge(selection, created({ owner: 'u1' }))).toBe('whole');
    expect(judge(selection, created({ owner: 'u2' }))).toBe('none');
  });

  test('the client narrows what they allow, and never widens it', () => {
    const selection = make({ filter: 'data.owner:u2 OR data.owner:u1' }, [{ filter: 'data.owner:u1' }]);
    expect(judge(selection, created({ owner: 'u2' }))).toBe('none');
    expect(judge(selection, created({ owner: 'u1' }))).toBe('whole');
  });

  test('an update must match after; before is left out unless it matches too', () => {
    const selection = make({}, [{ filter: 'data.owner:u1' }]);
    expect(judge(selection, updated({ owner: 'u1' }, { owner: 'u1' }))).toBe('whole');
    expect(judge(selection, updated({ owner: 'u2' }, { owner: 'u1' }))).toBe('lean');
    expect(judge(selection, updated({ owner: 'u1' }, { owner: 'u2' }))).toBe('none');
  });

  test('one grant that covers before and after opens the whole event, whatever the others do', () => {
    const update = updated({ owner: 'u2', team: 'x' }, { owner: 'u1', team: 'x' });
    expect(judge(make({}, [{ filter: 'data.owner:u1' }, { filter: 'data.team:x' }]), update)).toBe('whole');
    expect(judge(make({}, [{ filter: 'data.owner:u1' }, { structures: ['order'] }]), update)).toBe('whole');
  });

  test('a filter cannot ask about a before that is left out', () => {
    const update = updated({ owner: 'u2', salary: 100 }, { owner: 'u1', salary: 50 });
    const grants = [{ filter: 'data.owner:u1' }];
    expect(judge(make({ filter: 'data.before.salary:100' }, grants), update)).toBe('none');
    expect(judge(make({ filter: 'data.before.salary:exists:true' }, grants), update)).toBe('none');
    expect(judge(make({ filter: 'data.before.salary:100' }), update)).toBe('whole');
  });
});

describe('one selection for all who get the same', () => {
  test('order, doubles and spelling do not count', () => {
    const one = make({ structures: ['a', 'b'], filter: 'data.x:1 data.y:2' }, [
      { events: ['p', 'q'] },
      { filter: 'data.o:u' },
    ]);
    const two = make(
      { structures: ['b', 'a', 'b'], filter: 'data.y:2 data.x:eq:1' },
      [{ filter: 'data.o:{sub}' }, { events: ['q', 'p'] }, { events: ['p', 'q'], structures: [] }],
      { sub: 'u' },
    );
    expect(two.key).toBe(one.key);
  });

  test('a grant of everything makes the others disappear', () => {
    expect(make({}, [{}, { filter: 'data.o:u' }]).key).toBe(make({}, [{}]).key);
  });

  test('what gets other frames has another key', () => {
    const keys = [
      make({}),
      make({ structures: ['a'] }),
      make({ events: ['a'] }),
      make({ jobId: 'a' }),
      make({ functionId: 'a' }),
      make({ filter: 'data.a:1' }),
      make({ filter: 'data.a:"1"' }),
      make({}, []),
      make({}, [{ structures: ['a'] }]),
      make({}, [{ events: ['a'] }]),
      make({}, [{ filter: 'data.a:1' }]),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
