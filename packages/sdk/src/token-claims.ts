/** What a token says of itself. Read to plan ahead, never to decide: only the service verifies. */
export interface TokenClaims {
  /** Issuer and subject in one string; `undefined` when the token does not name both. */
  readonly principal: string | undefined;
  /** Milliseconds since 1970. */
  readonly issuedAt: number | undefined;
  readonly expiresAt: number | undefined;
}

function instant(seconds: unknown): number | undefined {
  return typeof seconds === 'number' ? seconds * 1000 : undefined;
}

/** Reads the payload of a JWT (RFC 7519 section 3) without verifying it. Of anything else, nothing is known. */
export function readClaims(token: string): TokenClaims {
  let claims: Record<string, unknown> = {};
  try {
    const binary = atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    claims = Object(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    // Not a JWT.
  }
  const { iss, sub, iat, exp } = claims;
  return {
    principal: typeof iss === 'string' && typeof sub === 'string' ? JSON.stringify([iss, sub]) : undefined,
    issuedAt: instant(iat),
    expiresAt: instant(exp),
  };
}

/** Whether two tokens surely are of one principal. Two that cannot be read are not. */
export function samePrincipal(one: string, other: string): boolean {
  const { principal } = readClaims(one);
  return one === other || (principal !== undefined && principal === readClaims(other).principal);
}
