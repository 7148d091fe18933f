/**
 * A request as the rest of the server sees it: made by the listener from HTTP/1.1 or HTTP/2, or by a
 * test from a literal. Nothing here knows a socket.
 */

/** The header fields of a request, as they came: repeated fields are kept, which `node:http` would drop or join. */
export class HeaderFields {
  readonly #fields: readonly (readonly [name: string, value: string])[];

  /** `raw` is name, value, name, value …, as in `IncomingMessage.rawHeaders`. */
  constructor(raw: readonly string[]) {
    const fields: [string, string][] = [];
    for (let i = 0; i + 1 < raw.length; i += 2) fields.push([(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? '']);
    this.#fields = fields;
  }

  /** Every value of the field, in order. `name` in lower case. */
  all(name: string): readonly string[] {
    return this.#fields.filter(([field]) => field === name).map(([, value]) => value);
  }

  /** The first value of the field, if any. `name` in lower case. */
  get(name: string): string | undefined {
    return this.#fields.find(([field]) => field === name)?.[1];
  }
}

/** One request. */
export interface ServerRequest {
  /** `req_…`: stands in error bodies, logs and audit rows. */
  readonly id: string;
  readonly method: string;
  /** The path of the request target as sent, without query, nothing decoded. */
  readonly path: string;
  /** The query of the request target; decoded by the URL standard, repeated parameters kept. */
  readonly query: URLSearchParams;
  readonly headers: HeaderFields;
  /** The client's address: the peer's, or what a trusted proxy says it is. */
  readonly address: string;
  /** Whether the client's connection is safe: TLS, loopback, or a trusted proxy that says `https`. */
  readonly secure: boolean;
  /**
   * The body, whole. Rejects with `PAYLOAD_TOO_LARGE` past `maxBytes` and with `BAD_REQUEST` when it
   * breaks off or comes too slowly.
   */
  body(maxBytes: number): Promise<Uint8Array>;
  /** Whether the client has gone away in the meantime. */
  readonly aborted: boolean;
}
