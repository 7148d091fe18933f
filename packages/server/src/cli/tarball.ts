/** Packs a package as `npm pack` would, without npm: so that `npm i http://…/-/….tgz` works from a running `dev`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';

/** npm's own fixed date: the same files give the same bytes. */
const MTIME = 499_162_500;

/** The tarball of the package in `folder`: its package.json, what `files` names, README and LICENSE. */
export function packPackage(folder: string): Buffer {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { files?: string[] };
  const wanted = new Set([...(manifest.files ?? []), 'package.json', 'README.md', 'LICENSE']);
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => wanted.has(name) || wanted.has(name.split('/')[0] ?? ''))
    .filter((name) => !name.startsWith('node_modules/'))
    .toSorted();
  const blocks = names.flatMap((name) => {
    const content = readFileSync(join(folder, name));
    return [header(`package/${name}`, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

/** One header block (POSIX ustar, IEEE Std 1003.1). */
function header(name: string, size: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`the path is too long for a tarball: ${name}`);
  const block = Buffer.alloc(512);
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`;
  block.write(name, 0);
  block.write(octal(0o644, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(MTIME, 12), 136);
  block.write(' '.repeat(8), 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
