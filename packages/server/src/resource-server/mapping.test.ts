import type { AccessTokenClaims } from '@centrali-io/protocol';
import { describe, expect, it } from 'vitest';
import { claimAt, mapClaims, mappingAdmits } from './mapping.ts';

const claims = (more: Record<string, unknown>): AccessTokenClaims => ({
  iss: 'https://login.example',
  aud: 'api',
  sub: 'u1',
  iat: 1,
  exp: 2,
  ...more,
});

describe('claimAt', () => {
  it('follows dots, but takes a claim whose whole name is the path first', () => {
    expect(claimAt({ a: { b: { c: 1 } } }, 'a.b.c')).toBe(1);
    expect(claimAt({ 'https://x.example/roles': ['r'] }, 'https://x.example/roles')).toEqual(['r']);
    expect(claimAt({ 'a.b': 1, a: { b: 2 } }, 'a.b')).toBe(1);
  });

  it('never leaves the own properties', () => {
    for (const path of ['constructor', 'constructor.name', '__proto__', 'a.length.x', 'a.toString', 'missing.x']) {
      expect(claimAt({ a: 'text' }, path)).toBeUndefined();
    }
  });
});

describe('mapClaims', () => {
  const roles = { path: 'groups', values: { staff: 'developer', boss: 'viewer' } };

  it('gives the roles of listed values, each once, and the default', () => {
    expect(
      mapClaims({ roles, defaultRole: 'viewer' }, claims({ groups: ['boss', 'staff', 'unlisted'] })).roles,
    ).toEqual(['viewer', 'developer']);
    expect(mapClaims({ roles }, claims({ groups: 'staff' })).roles).toEqual(['developer']);
  });

  it('gives nothing for unlisted values, other types and names of the prototype', () => {
    for (const groups of [undefined, 'constructor', ['toString', 7, null, ['staff']], { staff: true }]) {
      expect(mapClaims({ roles }, claims({ groups })).roles).toEqual([]);
    }
  });

  it('names attributes ext_ and takes scalars alone', () => {
    const attributes = [
      { jwtPath: 'plan', attribute: 'plan', required: false },
      { jwtPath: 'org.id', attribute: 'ext_org', required: true },
      { jwtPath: 'list', attribute: 'list', required: false },
    ];
    expect(mapClaims({ attributes }, claims({ plan: 'pro', org: { id: 7 }, list: ['x'] })).attributes).toEqual({
      ext_plan: 'pro',
      ext_org: 7,
    });
    expect(() => mapClaims({ attributes }, claims({ org: { id: ['x'] } }))).toThrow('FORBIDDEN (attribute_missing)');
  });
});

describe('mappingAdmits', () => {
  it('refuses a workspace that the claim does not name, and asks nothing without a path', () => {
    expect(mappingAdmits({}, claims({}), 'acme')).toBe(true);
    expect(mappingAdmits({ workspaces: 'ws' }, claims({ ws: 'acme' }), 'acme')).toBe(true);
    expect(mappingAdmits({ workspaces: 'ws' }, claims({ ws: 'acme-2' }), 'acme')).toBe(false);
    expect(mappingAdmits({ workspaces: 'ws' }, claims({}), 'acme')).toBe(false);
  });
});
