/** Fenced blocks of the documentation that say `run`, as they stand in the pages. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/centrali.ts';

/** One block. */
export interface Snippet {
  /** The page, relative to the repository, and the line on which the block begins. */
  readonly where: string;
  readonly text: string;
}

/** The pages that users read. */
function pages(): string[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' });
  return ['README.md', ...docs.filter((path) => /^[^.].*\.md$/.test(path)).map((path) => `docs/${path}`)].sort();
}

/** All blocks of ```` ```bash run ````, page by page, in their order. */
export function snippets(): Map<string, Snippet[]> {
  const found = new Map<string, Snippet[]>();
  for (const page of pages()) {
    const text = readFileSync(join(ROOT, page), 'utf8');
    for (const match of text.matchAll(/^```bash run\n([\s\S]*?)^```$/gm)) {
      const line = text.slice(0, match.index).split('\n').length;
      const list = found.get(page) ?? [];
      list.push({ where: `${page}:${line}`, text: match[1] ?? '' });
      found.set(page, list);
    }
  }
  return found;
}
