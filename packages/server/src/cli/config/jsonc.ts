const COMMENTS = /"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const TRAILING_COMMAS = /"(?:[^"\\\n]|\\.)*"|(?<=[\w"}\]]\s*),(?=\s*[}\]])/g;

/** Blanks what is not a string, so that the places of faults stay what they are. */
function blank(token: string): string {
  return token.startsWith('"') ? token : token.replace(/[^\n]/g, ' ');
}

/**
 * JSON with comments (line and block) and trailing commas, as editors know it from other configuration
 * files. What stands in strings is left alone. Throws a `SyntaxError` with the line of the fault, never
 * with the text around it, which may be a secret in the wrong place.
 */
export function parseJsonc(text: string): unknown {
  const plain = text.replace(COMMENTS, blank).replace(TRAILING_COMMAS, blank);
  try {
    return JSON.parse(plain);
  } catch (error) {
    const position = Number(/position (\d+)/.exec(String(error))?.[1] ?? plain.length);
    // oxlint-disable-next-line eslint/preserve-caught-error -- its text quotes the file
    throw new SyntaxError(`it is not JSON (line ${plain.slice(0, position).split('\n').length})`);
  }
}
