import { auditKeyOf, brokenAt, CHAIN_START, macOf } from '../store/audit-chain.ts';
import type { AuditChain, AuditMark, Store, StoreView } from '../store/port.ts';

/** Why a chain is not whole. */
export type AuditFaultReason =
  /** The row is not the one that was written after the one before it: changed, moved, put in, or one before it is gone. */
  | 'row_broken'
  /** The newest rows are gone. */
  | 'rows_missing'
  /** The record of where the chain begins and ends was changed. */
  | 'seal_broken'
  /** The chain as a whole is gone. */
  | 'chain_missing'
  /** The chain does not hold a row that it held when `since` was noted: the state was set back. */
  | 'since_missing';

/** The first thing that is wrong with a chain. */
export interface AuditFault {
  readonly reason: AuditFaultReason;
  /** The first row that is bad, or known to be missing; null where no row is known. */
  readonly seq: number | null;
}

/** What was found out about one workspace's rows. */
export interface ChainVerdict {
  /** Null: the rows of no workspace (signing keys). */
  readonly workspace: string | null;
  /** Rows that were found good. */
  readonly rows: number;
  /** The newest row that retention has removed; `seq` 0: none. */
  readonly anchor: AuditMark;
  /** The newest row: note it elsewhere, and a later verification can tell a state that was set back. */
  readonly head: AuditMark;
  readonly fault?: AuditFault;
}

/** What was found out about the audit log. */
export interface AuditVerdict {
  readonly ok: boolean;
  readonly chains: readonly ChainVerdict[];
  /** Whether chains were removed as a whole, or the number of chains was changed. */
  readonly chainsMissing: boolean;
}

/** Options of `verifyAudit`. */
export interface VerifyAuditOptions {
  /** Ends of chains that were noted before; each must still be where it was, unless retention has removed it. */
  readonly since?: readonly Pick<ChainVerdict, 'workspace' | 'head'>[];
  /** Rows that are read at once. Default 1,000. */
  readonly pageSize?: number;
}

/**
 * Walks every chain of the audit log from its anchor to its end. Rows that are written meanwhile are walked
 * too, and what retention removes meanwhile is passed over. Each page is a read of its own, so that
 * nothing waits for the whole.
 */
export async function verifyAudit(
  store: Pick<Store, 'read' | 'pepper'>,
  { since = [], pageSize = 1_000 }: VerifyAuditOptions = {},
): Promise<AuditVerdict> {
  const key = auditKeyOf(store.pepper);
  const { workspaces, chainsMissing } = await store.read((view) => survey(view, since));
  const chains: ChainVerdict[] = [];
  for (const workspace of workspaces) {
    const noted = since.find((mark) => mark.workspace === workspace)?.head ?? CHAIN_START;
    chains.push(await verifyChain(store, key, workspace, noted, pageSize));
  }
  return { ok: !chainsMissing && chains.every(({ fault }) => fault === undefined), chains, chainsMissing };
}

/** Everything that must have a chain: the workspaces, the signing keys, what has rows, and what had them. */
async function survey(
  view: StoreView,
  since: VerifyAuditOptions['since'],
): Promise<{ readonly workspaces: readonly (string | null)[]; readonly chainsMissing: boolean }> {
  const { chains, count } = await view.audit.chains();
  const workspaces = new Set<string | null>(chains.map(({ workspace }) => workspace));
  for (const workspace of await view.audit.workspaces()) workspaces.add(workspace);
  for (const { slug } of await view.workspaces.list()) workspaces.add(slug);
  if ((await view.signingKeys.list()).length > 0) workspaces.add(null);
  for (const { workspace } of since ?? []) workspaces.add(workspace);
  return { workspaces: [...workspaces], chainsMissing: count !== chains.length };
}

async function verifyChain(
  store: Pick<Store, 'read'>,
  key: Uint8Array,
  workspace: string | null,
  noted: AuditMark,
  pageSize: number,
): Promise<ChainVerdict> {
  let at = CHAIN_START;
  let rows = 0;
  let isNoted = noted.seq === 0;
  for (;;) {
    const { chain, links } = await store.read(async (view) => {
      const present = await view.audit.chain(workspace);
      const from = Math.max(at.seq, present?.anchor.seq ?? 0);
      return { chain: present, links: await view.audit.links(workspace, from, pageSize) };
    });
    if (!chain) return chainless(workspace, links.at(0)?.seq ?? (noted.seq === 0 ? null : noted.seq));
    const { anchor, head } = chain;
    // Retention may have gone past this place since the last page.
    if (anchor.seq > at.seq) at = anchor;
    isNoted ||= noted.seq <= anchor.seq;
    for (const link of links) {
      const good = link.seq <= head.seq && link.mac === macOf(key, at.mac, link.content);
      if (!good) return { workspace, rows, anchor, head, fault: { reason: 'row_broken', seq: link.seq } };
      if (link.seq === noted.seq) isNoted = link.mac === noted.mac;
      at = { seq: link.seq, mac: link.mac };
      rows++;
    }
    if (links.length === pageSize) continue;
    const setBack = isNoted ? undefined : ({ reason: 'since_missing', seq: noted.seq } as const);
    const fault = faultOfEnd(key, chain, at) ?? setBack;
    return { workspace, rows, anchor, head, ...(fault ? { fault } : {}) };
  }
}

function chainless(workspace: string | null, seq: number | null): ChainVerdict {
  return { workspace, rows: 0, anchor: CHAIN_START, head: CHAIN_START, fault: { reason: 'chain_missing', seq } };
}

/** What is wrong with a chain whose rows are good up to `at`. */
function faultOfEnd(key: Uint8Array, chain: AuditChain, at: AuditMark): AuditFault | undefined {
  const { head } = chain;
  if (at.seq !== head.seq || at.mac !== head.mac) return { reason: 'rows_missing', seq: head.seq };
  const broken = brokenAt(key, chain);
  return broken === undefined ? undefined : { reason: 'seal_broken', seq: broken };
}
