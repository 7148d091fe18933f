import { describe, expect, test } from 'vitest';
import { FrameList } from './frame-list.ts';

const [a, b, c] = ['a', 'bb', 'ccc'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];

describe('lists of frames', () => {
  test('that are the same are one, however they came about', () => {
    const nothing = FrameList.empty();
    const one = nothing.with(a).with(b).with(c);
    nothing.with(b).with(c);
    nothing.with(c).with(a);
    expect(nothing.with(a).with(b).with(c)).toBe(one);
    expect(nothing.with(b).with(c)).not.toBe(one);
    expect(nothing.with(c).with(a)).toBe(nothing.with(c).with(a));
  });

  test('are joined once; a single frame is not copied', () => {
    const list = FrameList.empty().with(a).with(b);
    expect(list.joined.toString()).toBe('abb');
    expect(list.joined).toBe(list.joined);
    expect(FrameList.empty().with(c).joined).toBe(c);
  });

  test('know their frames, length and bytes', () => {
    const list = FrameList.empty().with(c).with(a).with(b);
    expect(list.frames()).toEqual([c, a, b]);
    expect([list.length, list.bytes]).toEqual([3, 6]);
    expect(FrameList.empty().frames()).toEqual([]);
    expect([FrameList.empty().length, FrameList.empty().bytes]).toEqual([0, 0]);
  });

  test('are forgotten when the turn is over', () => {
    const nothing = FrameList.empty();
    const one = nothing.with(a);
    nothing.clear();
    expect(nothing.with(a)).not.toBe(one);
  });
});
