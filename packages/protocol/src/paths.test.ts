import { expect, test } from 'vitest';
import { eventsPath, matchRealtimePath } from './paths.ts';

test('a path that was built is taken apart again', () => {
  expect(matchRealtimePath(eventsPath('my-workspace'))).toEqual({ workspace: 'my-workspace', rest: 'events' });
});

test.each(['/', '/realtime', '/realtime/workspaces/a/events', '/workspace/a/api/v1'])('%s is outside', (path) => {
  expect(matchRealtimePath(path)).toBeUndefined();
});

test.each([
  '/realtime/workspace/My-Workspace/events',
  '/realtime/workspace/a%2F..%2Fb/events',
  '/realtime/workspace//events',
  '/realtime/workspace/a;v=1/events',
  '/realtime/workspace/a%00/events',
  '/realtime/workspace/-a/events',
  '/realtime/workspace/a./events',
  '/realtime/workspace/а/events', // a Cyrillic letter
  `/realtime/workspace/${'a'.repeat(64)}/events`,
])('%s names no workspace', (path) => {
  expect(matchRealtimePath(path)).toBe('invalid');
});
