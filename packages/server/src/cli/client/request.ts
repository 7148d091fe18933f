/** Requests of the client commands. */
import { adminPath, ERROR_CODES, PATHS, parseErrorBody } from '@centrali-io/protocol';
import { CommandFailure } from '../io.ts';
import type { Target } from './target.ts';

/** Seconds that an answer may take. */
const TIMEOUT = 30_000;

/** Calls the administration of the target's workspace; the answer's JSON. Throws a `CommandFailure`. */
export async function callAdmin(target: Target, method: string, path: string, body?: unknown): Promise<unknown> {
  return await call(target, method, `${adminPath(target.workspace)}/${path}`, body);
}

/** Calls any route of the target with a token for one permission; an administrator's by default. */
export async function call(
  target: Target,
  method: string,
  path: string,
  body?: unknown,
  permission = 'iam:manage',
): Promise<unknown> {
  const token = await bearerOf(target, permission);
  const response = await send(`${target.baseUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return await read(response);
}

/** The items of a list, page after page, at most `limit`. */
export async function listAdmin(target: Target, path: string, limit = 10_000): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  let after: string | undefined;
  do {
    const query = new URLSearchParams({ ...(after === undefined ? {} : { after }) }).toString();
    const page = (await callAdmin(
      target,
      'GET',
      query ? `${path}${path.includes('?') ? '&' : '?'}${query}` : path,
    )) as {
      items?: Record<string, unknown>[];
      next?: string | null;
    };
    items.push(...(page.items ?? []));
    after = page.next ?? undefined;
  } while (after !== undefined && items.length < limit);
  return items.slice(0, limit);
}

/** The token to send: the one given, or a new one by client credentials with the scope that is needed. */
export async function bearerOf(target: Target, scope?: string): Promise<string> {
  const { baseUrl, credentials } = target;
  if (credentials.kind === 'token') return credentials.token;
  if (credentials.kind === 'dev') return scope === 'iam:manage' ? credentials.token : await operatorToken(target);
  const encode = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);
  const basic = Buffer.from(`${encode(credentials.clientId)}:${encode(credentials.clientSecret)}`).toString('base64');
  const response = await send(`${baseUrl}${PATHS.token}`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) }).toString(),
  });
  const answer = (await read(response)) as { access_token?: string };
  if (typeof answer.access_token !== 'string') throw new CommandFailure('The token endpoint gave no token.');
  return answer.access_token;
}

/** The user that `dev` makes its administrator's token for, an owner. */
const DEV_OPERATOR = 'operator';
/** Long enough for one command. */
const OPERATOR_TOKEN_SECONDS = 60;

/** Beside a running `dev`: a short token of its operator, for what is not administration. */
async function operatorToken(target: Target): Promise<string> {
  const body = { sub: DEV_OPERATOR, ttl: OPERATOR_TOKEN_SECONDS };
  const answer = (await callAdmin(target, 'POST', 'dev-tokens', body)) as { token?: unknown };
  if (typeof answer.token !== 'string') throw new CommandFailure('The server gave no token.');
  return answer.token;
}

/** Sends a request; no redirect is followed. Throws a `CommandFailure` when no answer comes. */
async function send(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) });
  } catch (error) {
    // fetch hides why behind one TypeError.
    const why = (error as { cause?: NodeJS.ErrnoException }).cause;
    const cause = why?.code ?? why?.message ?? (error as Error).name;
    throw new CommandFailure(`No answer came from ${new URL(url).origin} (${cause}).`, {
      remedy: 'Check that the server runs and that its URL is right.',
    });
  }
}

/** Reads an answer; an error answer becomes a `CommandFailure` that says its code and what to do. */
async function read(response: Response): Promise<unknown> {
  const text = await response.text();
  const value = parse(text);
  if (response.ok) return value;
  const body = parseErrorBody(value);
  if (body) {
    const { remedy } = ERROR_CODES[body.code];
    throw new CommandFailure(`${body.code}: ${body.message} (${body.requestId})`, { remedy, body });
  }
  const oauth = value as { error?: unknown; error_description?: unknown } | undefined;
  if (typeof oauth?.error === 'string') {
    const remedy = oauth.error === 'invalid_client' ? ERROR_CODES.INVALID_CLIENT.remedy : undefined;
    throw new CommandFailure(
      `${oauth.error}${typeof oauth.error_description === 'string' ? `: ${oauth.error_description}` : ''}`,
      {
        remedy,
        body: oauth,
      },
    );
  }
  throw new CommandFailure(`The answer was ${response.status} and is not one of Centrali's.`);
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
