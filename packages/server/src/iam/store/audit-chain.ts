/**
 * The chains of the audit log. Each workspace's rows are chained: a row's `mac` covers the row and the
 * `mac` before it, under a key of the state; the chain's seal covers where it begins and ends. So a row that is
 * changed, removed or moved is found, at either end too. Pure.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import type { AuditChain, AuditMark } from './port.ts';

/** Where every chain begins. */
export const CHAIN_START: AuditMark = { seq: 0, mac: '' };

/** The key of the chains, derived from the state's pepper (RFC 5869) so that the two never mix. */
export function auditKeyOf(pepper: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', pepper, '', 'centrali audit chain', 32));
}

/** The `mac` of a row. `content` is the row as text, its `seq` and workspace in it. */
export function macOf(key: Uint8Array, previous: string, content: string): string {
  return createHmac('sha256', key).update(previous).update('\n').update(content).digest('hex');
}

/** The seal of a chain: nobody without the key can move its beginning or its end. */
export function sealOf(key: Uint8Array, { workspace, anchor, head }: Omit<AuditChain, 'seal'>): string {
  const text = JSON.stringify(['audit-chain-1', workspace, anchor.seq, anchor.mac, head.seq, head.mac]);
  return createHmac('sha256', key).update(text).digest('hex');
}

/** Whether the seal is the one that this chain must have. */
export function isSealed(key: Uint8Array, chain: AuditChain): boolean {
  return chain.seal === sealOf(key, chain);
}

const BROKEN = /^broken:(\d{1,15})$/;

/** Where the chain's end was when its seal was found broken; undefined while it is whole. */
export function brokenAt(key: Uint8Array, chain: AuditChain): number | undefined {
  if (isSealed(key, chain)) return undefined;
  const noted = BROKEN.exec(chain.seal)?.[1];
  return noted === undefined ? chain.head.seq : Number(noted);
}

/** A chain that has just begun, with its first rows. */
export function begunChain(key: Uint8Array, workspace: string | null, head: AuditMark): AuditChain {
  const chain = { workspace, anchor: CHAIN_START, head };
  return { ...chain, seal: sealOf(key, chain) };
}

/**
 * Moves the ends of a chain. A broken seal is never made good by going on: it stays broken for good, with the
 * place where it was found.
 */
export function movedTo(
  key: Uint8Array,
  chain: AuditChain,
  ends: Partial<Pick<AuditChain, 'anchor' | 'head'>>,
): AuditChain {
  const moved = { ...chain, ...ends };
  const broken = brokenAt(key, chain);
  return { ...moved, seal: broken === undefined ? sealOf(key, moved) : `broken:${broken}` };
}

/** How many chains there are, as the state keeps it: a chain that is removed as a whole is missed. */
export function writeCount(key: Uint8Array, count: number): string {
  return `${count}:${countSealOf(key, count)}`;
}

/** The number in a text of `writeCount`; undefined when there is none or its seal is broken. */
export function readCount(key: Uint8Array, text: string | undefined): number | undefined {
  const [count, seal] = text?.split(':') ?? [];
  const number = Number(count);
  return seal === countSealOf(key, number) ? number : undefined;
}

function countSealOf(key: Uint8Array, count: number): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(['audit-chains-1', count]))
    .digest('hex');
}
