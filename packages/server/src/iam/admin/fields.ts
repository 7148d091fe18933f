import { isEventName, isPermission, isPlainText, OWN_PROVIDER, PERMISSIONS } from '@centrali-io/protocol';
import { z } from 'zod';

/** Most bytes of a `sub`, in UTF-8. */
export const MAX_SUB_BYTES = 255;

/** Whether `value` can be a principal's `sub`: 1 to 255 bytes of UTF-8, no control characters, no lone surrogate. */
export function isSub(value: unknown): value is string {
  return isPlainText(value, MAX_SUB_BYTES) && value.isWellFormed() && Buffer.byteLength(value) <= MAX_SUB_BYTES;
}

/** Fields that several routes share. Messages are constants: what was sent is never repeated. */
export const sub = z
  .string()
  .refine(isSub, { error: 'must be 1 to 255 bytes without control characters' })
  .describe('The principal within its provider: 1 to 255 bytes, no control characters.');

export const provider = z
  .string()
  .regex(/^(centrali|pr_[A-Za-z0-9]{1,64})$/, { error: `must be ${OWN_PROVIDER} or the id of a provider` })
  .describe('Id of the provider that vouches for the principal; our own IAM (`centrali`) by default.');

/** A name that people read. */
export const title = z
  .string()
  .refine((value) => isPlainText(value, 128), { error: 'must be 1 to 128 characters without control characters' });

export const description = z.string().refine((value) => value === '' || isPlainText(value, 1024), {
  error: 'must be at most 1024 characters without control characters',
});

export const roleName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, { error: 'must match [A-Za-z][A-Za-z0-9_.-]{0,62}' })
  .describe('Name of a role: built in (owner, admin, developer, viewer) or of this workspace.');

export const permission = z.enum(PERMISSIONS).refine(isPermission);

export const structure = z
  .string()
  .refine((value) => isPlainText(value, 255), { error: 'must be 1 to 255 characters without control characters' });

export const eventName = z.string().refine(isEventName, { error: 'must be the name of an event, outside system.*' });

/** `ci_`, `sa_`, `pr_` ids and jti: opaque here, bounded. */
export const opaqueId = z
  .string()
  .refine((value) => isPlainText(value, 255), { error: 'must be 1 to 255 characters without control characters' });

/** Answer field of every change. */
export const revision = z.int().describe("Revision of IAM's state that this change made; the change feed carries it.");

/** An instant in answers: ISO 8601. */
export const instant = z.string().describe('ISO 8601 instant.');

/** Seconds as a whole number within bounds. */
export const seconds = (min: number, max: number): z.ZodInt => z.int().min(min).max(max);

/** Query of every list. */
export const pageQuery = {
  after: z.string().max(512).optional().describe('Cursor: `next` of the page before.'),
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, { error: 'must be a whole number from 1 to 500' })
    .transform(Number)
    .refine((value) => value <= 500, { error: 'must be a whole number from 1 to 500' })
    .optional()
    .describe('Most items of the page, 1 to 500; 100 by default.'),
};

/** Items of a page when the query names no limit. */
export const DEFAULT_LIMIT = 100;

/** A list's answer. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.strictObject({
    items: z.array(item),
    next: z.string().nullable().describe('Cursor of the next page; null at the end.'),
  });

/** Body of an error answer. */
export const errorAnswer = z
  .object({
    error: z.string(),
    code: z.string(),
    message: z.string(),
    recoverable: z.boolean(),
    requestId: z.string(),
    retryAfter: z.number().optional(),
  })
  .describe('What went wrong; `code` is one of the table of error codes.');

/** Path parameters. The workspace is judged by the authorization, so that a bad one answers as a foreign one. */
export const workspaceParam = { workspace: z.string() };
export const noQuery = z.strictObject({});
/** Body of a POST that takes none: nothing, or an empty object. */
export const noBody = z.strictObject({}).nullish();
