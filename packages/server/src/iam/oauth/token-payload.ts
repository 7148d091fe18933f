/**
 * JSON of claims as ASCII, so that `JSON.parse(atob(token.split('.')[1]))` reads every token of ours.
 *
 * `atob` knows neither `-` nor `_`, the base64url characters of the values 62 and 63. Three ASCII bytes
 * `a b c` (each below 0x80) become four six-bit values: `a >> 2` is at most 31; the second one and the third
 * one end in the top bits of the next byte, a 0, and stay at most 55 and 61; the fourth, `c & 63`, is 62 or 63
 * only for the bytes 3E, 3F, 7E and 7F. So escaping `>`, `?`, `~` and DEL suffices. What is not ASCII is escaped
 * since `atob` gives bytes, not characters. These characters stand in JSON only within strings.
 */
export function encodePayload(claims: object): Uint8Array {
  // By UTF-16 unit, as JSON wants it: a character beyond the BMP becomes its two surrogates.
  const json = JSON.stringify(claims).replace(/[>?~\u007f-\uffff]/g, escapeUnit);
  return new TextEncoder().encode(json);
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
