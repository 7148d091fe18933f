import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { packPackage } from './tarball.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'centrali-tarball-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Names to contents, by the format's definition (POSIX ustar). */
function unpack(tarball: Buffer): Map<string, string> {
  const bytes = gunzipSync(tarball);
  const files = new Map<string, string>();
  for (let at = 0; bytes[at] !== 0; ) {
    const name = bytes.toString('latin1', at, bytes.indexOf(0, at));
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    const sum = Number.parseInt(bytes.toString('latin1', at + 148, at + 154), 8);
    const block = Buffer.from(bytes.subarray(at, at + 512)).fill(' ', 148, 156);
    expect(
      block.reduce((total, byte) => total + byte, 0),
      name,
    ).toBe(sum);
    files.set(name, bytes.toString('utf8', at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

it('packs what the manifest names, and nothing else', () => {
  mkdirSync(join(folder, 'dist/deep'), { recursive: true });
  mkdirSync(join(folder, 'node_modules/x/dist'), { recursive: true });
  const manifest = '{"name":"x","files":["dist"]}';
  const contents = {
    'package.json': manifest,
    'README.md': 'é'.repeat(300),
    'dist/a.js': '',
    'dist/deep/b.js': 'b'.repeat(512),
    'src.ts': 'secret',
    '.env': 'secret',
    'node_modules/x/dist/c.js': 'secret',
  };
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(folder, name), text);
  const tarball = packPackage(folder);
  expect(unpack(tarball)).toEqual(
    new Map([
      ['package/README.md', contents['README.md']],
      ['package/dist/a.js', ''],
      ['package/dist/deep/b.js', contents['dist/deep/b.js']],
      ['package/package.json', manifest],
    ]),
  );
  expect(packPackage(folder).equals(tarball)).toBe(true);
});
