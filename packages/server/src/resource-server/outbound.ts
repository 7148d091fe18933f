import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './public-address.ts';

/** Why a fetch of a key set or of a provider's metadata failed: for logs and for the provider's own administrators. */
export type OutboundReason =
  | 'url_invalid'
  | 'scheme_refused'
  | 'address_refused'
  | 'dns_failed'
  | 'connect_failed'
  | 'tls_failed'
  | 'timeout'
  | 'redirect_refused'
  | 'encoding_refused'
  | 'too_large'
  | 'aborted';

/** A fetch that failed before there was a whole answer. The message holds no URL. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly reason: OutboundReason;

  constructor(reason: OutboundReason, cause?: unknown) {
    super(`outbound request failed (${reason})`, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

/** A whole answer. Any status but a redirect's. */
export interface OutboundAnswer {
  readonly status: number;
  /** `Cache-Control`, as it came; empty when absent. */
  readonly cacheControl: string;
  readonly body: Uint8Array;
}

/** GETs `url`. Rejects with `OutboundError`. */
export type OutboundGet = (url: string, signal?: AbortSignal) => Promise<OutboundAnswer>;

/** What `createOutboundGet` takes. */
export interface OutboundOptions {
  /** Also fetch plain http, and from loopback, private and link-local addresses. Default false. */
  readonly allowPrivateAddresses?: boolean;
  /** From the start to the last byte, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
  /** Most bytes of the body. Default 256 KiB. */
  readonly maxBytes?: number;
  /** Certificate authorities to trust instead of the system's, PEM. */
  readonly ca?: string;
  /** Resolves a name to all its addresses; the system's resolver by default. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
}

const systemResolve = (hostname: string): Promise<readonly LookupAddress[]> =>
  new Promise((resolve, reject) => {
    dnsLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });

/**
 * Makes the one way in which this service fetches what a workspace's administrator names (key sets,
 * OpenID configurations), so that it cannot be used to reach what only this machine can reach:
 * https only, no credentials in the URL, no redirects, no compression, caps on time and bytes, a fresh
 * connection each time. The address is judged where it is used, between resolving and connecting:
 * a name that resolves anew (DNS rebinding) is judged anew, and one private address among several refuses all.
 */
export function createOutboundGet(options: OutboundOptions = {}): OutboundGet {
  const { allowPrivateAddresses = false, timeoutMs = 5000, maxBytes = 256 * 1024, resolve = systemResolve } = options;

  const addressesOf = async (hostname: string): Promise<readonly LookupAddress[]> => {
    const addresses = await resolve(hostname).catch((error: unknown) => {
      throw new OutboundError('dns_failed', error);
    });
    if (addresses.length === 0) throw new OutboundError('dns_failed');
    if (!allowPrivateAddresses && !addresses.every(({ address }) => isPublicAddress(address)))
      throw new OutboundError('address_refused');
    return addresses;
  };
  const answerLookup = async (hostname: string, all: boolean, answer: Parameters<LookupFunction>[2]): Promise<void> => {
    let addresses: readonly LookupAddress[];
    try {
      addresses = await addressesOf(hostname);
    } catch (error) {
      answer(error as OutboundError, []);
      return;
    }
    const [first] = addresses;
    if (all) answer(null, [...addresses]);
    else answer(null, first?.address ?? '', first?.family);
  };
  const lookup: LookupFunction = (hostname, options, answer) => {
    void answerLookup(hostname, options.all === true, answer);
  };

  return async (text, signal) => {
    const url = parseUrl(text, allowPrivateAddresses);
    return new Promise<OutboundAnswer>((fulfil, fail) => {
      const limits = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
      const reject = (error: unknown): void => {
        fail(outboundError(error, limits.aborted ? (signal?.aborted ? 'aborted' : 'timeout') : undefined));
        request.destroy();
      };
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
        agent: false,
        lookup,
        signal: limits,
        headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'centrali' },
        ...(options.ca === undefined ? {} : { ca: options.ca }),
      });
      request.on('error', reject);
      request.on('response', (response) => {
        readAnswer(response, maxBytes).then(fulfil, reject);
      });
      request.end();
    });
  };
}

function parseUrl(text: string, allowPrivateAddresses: boolean): URL {
  if (!URL.canParse(text)) throw new OutboundError('url_invalid');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || text.length > 2048) throw new OutboundError('url_invalid');
  if (url.protocol !== 'https:' && !(allowPrivateAddresses && url.protocol === 'http:'))
    throw new OutboundError('scheme_refused');
  // A literal is never looked up. The URL parser has made `2130706433` and `0x7f.1` plain by now.
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0 && !allowPrivateAddresses && !isPublicAddress(literal))
    throw new OutboundError('address_refused');
  return url;
}

async function readAnswer(response: IncomingMessage, maxBytes: number): Promise<OutboundAnswer> {
  const status = response.statusCode ?? 0;
  if (status >= 300 && status < 400) throw new OutboundError('redirect_refused');
  if ((response.headers['content-encoding'] ?? 'identity') !== 'identity') throw new OutboundError('encoding_refused');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new OutboundError('too_large');
    chunks.push(chunk);
  }
  return { status, cacheControl: response.headers['cache-control'] ?? '', body: Buffer.concat(chunks) };
}

function outboundError(error: unknown, ended: 'aborted' | 'timeout' | undefined): OutboundError {
  if (error instanceof OutboundError) return error;
  if (ended) return new OutboundError(ended, error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new OutboundError(
    /^(CERT|ERR_TLS|ERR_SSL|EPROTO|DEPTH|SELF|UNABLE)/.test(code) ? 'tls_failed' : 'connect_failed',
    error,
  );
}
