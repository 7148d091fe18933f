/**
 * For the rare place where an URL must be shown (a log of a foreign library, an error of the platform):
 * the whole query goes, not only known parameters, since `access%5Ftoken` is one too (RFC 3986 section 2.1).
 */
export function redactUrl(url: string): string {
  const end = url.search(/[?#]/);
  const bare = end === -1 ? url : `${url.slice(0, end)}?…`;
  return bare.replace(/\/\/[^/@]*@/, '//…@');
}

/** What a compact JWS, a secret of ours or a credential header looks like inside a text. */
const CREDENTIALS: readonly RegExp[] = [
  /[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_=-]*/g,
  /\bsk_[0-9a-f]{8,}/gi,
  /\b(?:bearer|basic|dpop)\s+[^\s,;"']+/gi,
];

/** Takes out of a text (an error's message or stack) whatever looks like a URL's query or a credential. */
export function redactText(text: string): string {
  let clean = text.replace(/\bhttps?:\/\/[^\s"'<>]+/gi, redactUrl).replace(/(\/[^\s"'<>?#]*)[?#][^\s"'<>]+/g, '$1?…');
  for (const pattern of CREDENTIALS) clean = clean.replace(pattern, '…');
  return clean;
}
