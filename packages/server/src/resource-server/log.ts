/**
 * The part of a pino logger that the server's folders use. Fields never hold a token, a header value or
 * a URL's query.
 */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Logs nothing: for tests. */
export const SILENT: Log = { info() {}, warn() {}, error() {} };
