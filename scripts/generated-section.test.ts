import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { withSection } from './generated-section.mjs';

const page = 'before\n<!-- generated: x -->\nold\n<!-- end: x -->\nafter\n';

describe('a generated section', () => {
  test('replaces what stands between its markers, and nothing else', () => {
    expect(withSection(page, 'x', 'new')).toBe('before\n<!-- generated: x -->\n\nnew\n\n<!-- end: x -->\nafter\n');
  });

  test('is the same when it is written twice', () => {
    const once = withSection(page, 'x', 'new');
    expect(withSection(once, 'x', 'new')).toBe(once);
  });

  test.each(['', 'y', '<!-- end: x --><!-- generated: x -->'])('needs its markers in order (%j)', (text) => {
    expect(() => withSection(text, 'x', 'new')).toThrow('lacks the markers');
  });
});

test('docs/errors.md names every code', () => {
  const script = fileURLToPath(new URL('docs-errors.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});
