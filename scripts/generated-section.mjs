/** Sections of pages that are written from the code's own tables, so that page and code cannot part. */
import { readFileSync, writeFileSync } from 'node:fs';

/** `text` with what stands between the two markers of `name` replaced by `content`. */
export function withSection(text, name, content) {
  const [open, close] = [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`];
  const start = text.indexOf(open);
  const end = text.indexOf(close);
  if (start === -1 || end < start) throw new Error(`the page lacks the markers ${open} and ${close}`);
  return `${text.slice(0, start + open.length)}\n\n${content}\n\n${text.slice(end)}`;
}

/**
 * With `--write`, puts the section into the page; without, exits 1 when the page says something else,
 * naming the command that mends it.
 */
export function keepSection(page, name, content, script) {
  const text = readFileSync(page, 'utf8');
  const next = withSection(text, name, content);
  if (process.argv.includes('--write')) writeFileSync(page, next);
  else if (next !== text) {
    console.error(`${page.pathname ?? page} is not what the code says. Run: node scripts/${script} --write`);
    process.exit(1);
  }
}
