import { describe, expect, it } from 'vitest';
import { routeName } from './routes.ts';

describe('routeName', () => {
  it.each([
    ['/realtime/workspace/demo/events', '/realtime/workspace/{ws}/events'],
    ['/realtime/workspace/demo/tickets', '/realtime/workspace/{ws}/tickets'],
    ['/realtime/workspace/demo/connections', '/realtime/workspace/{ws}/connections'],
    ['/realtime/workspace/demo/connections/c_1', '/realtime/workspace/{ws}/connections/{id}'],
    ['/realtime/workspace/demo/connections/c_1/token', '/realtime/workspace/{ws}/connections/{id}/token'],
    ['/oidc/token', '/oidc/token'],
    ['/workspace/demo/api/v1/members/eyJhbGciOi.e.s', '/workspace/{ws}/api/v1/members'],
    ['/-/centrali-sdk.js', '/-/{file}'],
  ])('%s is %s', (path, name) => expect(routeName(path)).toBe(name));

  it.each([
    '/realtime/workspace/demo/events;access_token=eyJhbGciOi.e.s',
    '/realtime/workspace/demo/events/eyJhbGciOi.e.s',
    '/realtime/workspace/Demo/events',
    '/workspace/demo/api/v1/eyJhbGciOi.e.s',
    '/workspace/demo/api/v1/secrets',
    '/eyJhbGciOi.e.s',
    '/',
  ])('says nothing of %s', (path) => expect(routeName(path)).toBe('unknown'));
});
