import { expect, test } from 'vitest';
import { makeClient, startServer } from '../testing/stream-server.ts';

test('a for await loop gets the events; lastEventId moves when the loop asks for the next', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const events = realtime.events({ structures: ['order'], lastEventId: 'e-0' });
  expect(server.count).toBe(0);
  const answer = server.next().then((request) => {
    expect(request.query.get('structures')).toBe('order');
    request.open('c-1', { id: 'e-0' });
    for (const id of ['e-1', 'e-2', 'e-3']) request.event(id);
    return request;
  });
  const seen: unknown[] = [];
  for await (const event of events) {
    seen.push([event.data, events.lastEventId]);
    if (seen.length === 3) break;
  }
  expect(seen).toEqual([
    [{ id: 'e-1' }, 'e-0'],
    [{ id: 'e-2' }, 'e-1'],
    [{ id: 'e-3' }, 'e-2'],
  ]);
  await (await answer).gone;
  expect(await events.next()).toEqual({ done: true, value: undefined });
});

test('a final error is thrown, after the events that came before it', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const codes: string[] = [];
  const events = realtime.events({ onError: ({ code }) => codes.push(code) });
  const first = events.next();
  (await server.next()).refuse(503, 'UNAVAILABLE');
  const request = await server.next();
  request.open('c-1');
  request.event('e-1');
  request.event('e-2');
  request.system({ type: 'error', code: 'FORBIDDEN', message: 'No.', requestId: 'req_1' });
  expect((await first).value?.data).toEqual({ id: 'e-1' });
  await request.gone;
  expect((await events.next()).value?.data).toEqual({ id: 'e-2' });
  await expect(events.next()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect(await events.next()).toEqual({ done: true, value: undefined });
  expect(codes).toEqual(['UNAVAILABLE', 'FORBIDDEN']);
});

test('return() ends a next() that waits', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const events = realtime.events();
  const next = events.next();
  const request = await server.next();
  request.open('c-1');
  await events.return();
  expect(await next).toEqual({ done: true, value: undefined });
  await request.gone;
});

test('returned before it began, it makes no request', async () => {
  const server = await startServer();
  const { realtime } = makeClient({ baseUrl: server.url, token: 't-1' });
  const events = realtime.events();
  await events.return();
  expect(await events.next()).toEqual({ done: true, value: undefined });
  expect(server.count).toBe(0);
});
