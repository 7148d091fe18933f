import { describe, expect, it } from 'vitest';
import { Refusal } from '../resource-server/index.ts';
import { handlerOf, type Routes } from './routes.ts';

const answer = (name: string) => async (): Promise<Response> => new Response(name);
const ROUTES: Routes = {
  events: { GET: answer('stream'), POST: answer('publish') },
  connections: { GET: answer('list') },
  'connections/{id}': { DELETE: answer('close') },
  'connections/{id}/token': { POST: answer('renew') },
};

function refusalOf(method: string, rest: string): string {
  try {
    handlerOf(ROUTES, method, rest);
    return 'found';
  } catch (error) {
    return error instanceof Refusal ? `${error.code} ${error.init.headers?.allow ?? ''}`.trim() : String(error);
  }
}

describe('handlerOf', () => {
  it('finds the route and the id in it, as it was sent', () => {
    expect(handlerOf(ROUTES, 'GET', 'events')).toEqual({ handler: ROUTES.events?.GET, connectionId: '' });
    expect(handlerOf(ROUTES, 'DELETE', 'connections/cn_1')).toMatchObject({ connectionId: 'cn_1' });
    expect(handlerOf(ROUTES, 'POST', 'connections/a%2Fb/token')).toEqual({
      handler: ROUTES['connections/{id}/token']?.POST,
      connectionId: 'a%2Fb',
    });
    // An id that reads like a word of the path is still an id.
    expect(handlerOf(ROUTES, 'DELETE', 'connections/token')).toMatchObject({ connectionId: 'token' });
    expect(handlerOf(ROUTES, 'POST', 'connections/token/token')).toMatchObject({ connectionId: 'token' });
  });

  it.each([
    '',
    'Events',
    'events/',
    'connections/',
    'connections//token',
    'connections/a/b',
    'connections/a/token/',
    'tickets',
    '__proto__',
    'constructor',
  ])('knows no route %j', (rest) => expect(refusalOf('GET', rest)).toBe('NOT_FOUND'));

  it('names the methods that there are', () => {
    expect(refusalOf('PUT', 'events')).toBe('METHOD_NOT_ALLOWED GET, POST, OPTIONS');
    expect(refusalOf('constructor', 'connections')).toBe('METHOD_NOT_ALLOWED GET, OPTIONS');
    expect(refusalOf('GET', 'connections/a')).toBe('METHOD_NOT_ALLOWED DELETE, OPTIONS');
  });
});
