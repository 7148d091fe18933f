/** Below this product, the engine's own search is at most this many steps, and much faster than ours. */
const SMALL = 1 << 16;

/**
 * Whether `text` holds `part`, in steps linear in both: the engine's `includes` is quadratic for
 * texts made for it (`aaa…b` in `aaa…`), so large ones go by Knuth, Morris and Pratt.
 */
export function holdsText(text: string, part: string): boolean {
  if (part.length > text.length) return false;
  if (part.length * text.length <= SMALL) return text.includes(part);
  const back = borders(part);
  let matched = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    while (matched > 0 && part.charCodeAt(matched) !== unit) matched = back[matched - 1] ?? 0;
    if (part.charCodeAt(matched) === unit) matched++;
    if (matched === part.length) return true;
  }
  return false;
}

/** For each prefix of `part`, the length of its longest proper border. */
function borders(part: string): Uint32Array {
  const back = new Uint32Array(part.length);
  let length = 0;
  for (let i = 1; i < part.length; i++) {
    while (length > 0 && part.charCodeAt(i) !== part.charCodeAt(length)) length = back[length - 1] ?? 0;
    if (part.charCodeAt(i) === part.charCodeAt(length)) length++;
    back[i] = length;
  }
  return back;
}
