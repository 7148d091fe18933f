import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkOf, parseCursor, writeCursor } from './cursor.ts';

const position = fc.record({
  seq: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  index: fc.nat({ max: 999 }),
  proof: fc.string({ minLength: 1 }),
});
const epoch = fc.stringMatching(/^[0-9a-z]{1,13}$/);

describe('cursors', () => {
  test('are read back as they were written, within the alphabet of ids', () => {
    fc.assert(
      fc.property(epoch, position, (name, place) => {
        const text = writeCursor(name, 'a', place);
        expect(text).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
        const { seq, index } = place;
        expect(parseCursor(text)).toEqual({ epoch: name, seq, index, check: checkOf('a', place) });
      }),
    );
  });

  test('have one spelling: what is read writes the same text', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9a-z-]{1,40}$/), (text) => {
        const cursor = parseCursor(text);
        if (cursor) expect(`${cursor.epoch}-${cursor.seq}-${cursor.index}-${cursor.check}`).toBe(text);
      }),
    );
  });

  test.each([
    '',
    'e',
    'e-1-0',
    'e-01-0-00000000',
    'e-1-00-00000000',
    'e--1-0-00000000',
    'e-1-0-0000000',
    'e-1-0-0000000G',
    'e-1-0-0000000A',
    'E-1-0-00000000',
    'e-1e9-0-00000000',
    'e-9007199254740992-0-00000000',
    'e-1-10000-00000000',
    ' e-1-0-00000000',
    'e-1-0-00000000\n',
    'e-1-0-00000000-',
  ])('%j is not one', (text) => {
    expect(parseCursor(text)).toBeUndefined();
  });

  test('fit neither another workspace, nor another place, nor another record', () => {
    const place = { seq: 7, index: 1, proof: 'p' };
    const check = checkOf('a', place);
    expect(checkOf('b', place)).not.toBe(check);
    expect(checkOf('a', { ...place, seq: 8 })).not.toBe(check);
    expect(checkOf('a', { ...place, index: 0 })).not.toBe(check);
    expect(checkOf('a', { ...place, proof: 'q' })).not.toBe(check);
    expect(checkOf('a', { ...place, seq: 71, index: 1 })).not.toBe(checkOf('a', { ...place, seq: 7, index: 11 }));
  });
});
