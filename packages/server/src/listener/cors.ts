/** Cross-origin access (Fetch, section 3.2 "CORS protocol"). */
import { isLoopbackHost } from './address.ts';

/** Which origins may read answers. */
export interface OriginPolicy {
  /** Origins (`https://app.example.com`), compared byte for byte; `*` = any. `null` is never allowed. */
  readonly allowed: readonly string[];
  /** Also every origin of this machine, whatever its port; for `dev`. Default false. */
  readonly loopback?: boolean;
  /** Whether pages of listed origins may send cookies. Default false; without effect on `*` and `loopback`. */
  readonly cookies?: boolean;
}

const REQUEST_HEADERS = 'authorization, last-event-id, cache-control, content-type, idempotency-key, dpop';
const METHODS = 'GET, HEAD, POST, PUT, DELETE';
/** How long a browser may keep the answer to a preflight, in seconds: a day. */
const MAX_AGE = 86_400;
/** Most refused origins that are remembered, so that each is logged once. */
const MAX_REMEMBERED = 256;

/** The CORS decisions of one listener. */
export interface Cors {
  /** Headers for the answer to a request with this `Origin`, refusals included. Always has `Vary`. */
  headers(origin: string | undefined): Readonly<Record<string, string>>;
  /** Headers of the answer to a preflight. */
  preflight(origin: string): Readonly<Record<string, string>>;
}

/** Whether `text` is a serialized origin (RFC 6454 section 6.2) of the web: the only form that can be compared. */
export function isWebOrigin(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}

/** Makes the decisions. `onRefused` is called once for each origin that was refused. */
export function createCors(policy: OriginPolicy, onRefused: (origin: string) => void = () => {}): Cors {
  const allowed = new Set(policy.allowed);
  const any = allowed.has('*');
  const refused = new Set<string>();

  const allows = (origin: string): boolean => {
    if (!isWebOrigin(origin)) return false;
    if (any || allowed.has(origin)) return true;
    return policy.loopback === true && isLoopbackHost(new URL(origin).hostname);
  };
  const grant = (origin: string | undefined): Readonly<Record<string, string>> => {
    if (origin === undefined) return {};
    if (allows(origin)) {
      const cookies = policy.cookies === true && !any && allowed.has(origin);
      return {
        'access-control-allow-origin': any ? '*' : origin,
        ...(cookies ? { 'access-control-allow-credentials': 'true' } : {}),
      };
    }
    if (!refused.has(origin) && refused.size < MAX_REMEMBERED) {
      refused.add(origin);
      onRefused(origin);
    }
    return {};
  };

  return {
    headers(origin) {
      const granted = grant(origin);
      return 'access-control-allow-origin' in granted
        ? { vary: 'Origin', ...granted, 'access-control-expose-headers': 'WWW-Authenticate, Retry-After' }
        : { vary: 'Origin' };
    },
    preflight(origin) {
      const granted = grant(origin);
      const vary = { vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers' };
      if (!('access-control-allow-origin' in granted)) return vary;
      return {
        ...vary,
        ...granted,
        'access-control-allow-methods': METHODS,
        'access-control-allow-headers': REQUEST_HEADERS,
        'access-control-max-age': String(MAX_AGE),
      };
    },
  };
}
