/** `centrali audit verify`: whether a row of the audit log was changed, removed or moved. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AuditVerdict, verifyAuditFile } from '../../iam/index.ts';
import type { Config } from '../config/index.ts';
import { CommandFailure, type Io, type Output, printJson, printTable, usage } from '../io.ts';

type Chain = AuditVerdict['chains'][number];

/** What each fault is, in a sentence that begins with the row. */
const FAULTS: Readonly<Record<NonNullable<Chain['fault']>['reason'], string>> = {
  row_broken: 'it was changed or moved, or rows before it are gone',
  rows_missing: 'it is gone, perhaps with rows before it',
  seal_broken: 'the record of where the chain ends was changed',
  chain_missing: 'the chain is gone',
  since_missing: 'it is not the row that was noted: the state was set back',
};

/** Verifies the log of the data folder. Exit code 1 when a chain is broken, naming the first bad row. */
export async function verifyAudit(config: Config, since: string | undefined, out: Output, io: Io): Promise<void> {
  const file = join(config.data, 'state.db');
  if (!existsSync(file)) throw new CommandFailure(`There is no state in ${config.data}.`);
  const verdict = await verifyAuditFile(file, since === undefined ? {} : { since: readSince(since) });
  const broken = verdict.chains.find(({ fault }) => fault !== undefined);
  const firstBad = broken?.fault && { workspace: broken.workspace, ...broken.fault };
  const result = { ...verdict, ...(firstBad ? { firstBad } : {}) };
  if (!out.json) print(verdict.chains, io);
  else if (verdict.ok) printJson(io, result);
  if (!verdict.ok) throw new CommandFailure(sentenceOf(firstBad), { body: result });
}

function print(chains: readonly Chain[], io: Io): void {
  printTable(
    io,
    ['workspace', 'rows', 'removed up to', 'last row', 'result'],
    chains.map(({ workspace, rows, anchor, head, fault }) => ({
      workspace: workspace ?? '(none)',
      rows,
      'removed up to': anchor.seq === 0 ? '' : anchor.seq,
      'last row': head.seq,
      result: fault === undefined ? 'good' : `broken at row ${fault.seq ?? '?'}`,
    })),
  );
}

function sentenceOf(
  bad:
    | { readonly workspace: string | null; readonly seq: number | null; readonly reason: keyof typeof FAULTS }
    | undefined,
): string {
  if (!bad) return 'The audit log is broken: chains of whole workspaces are gone.';
  const of = bad.workspace === null ? 'of no workspace' : `of workspace ${bad.workspace}`;
  const row = bad.seq === null ? '' : ` at row ${bad.seq}`;
  return `The audit log ${of} is broken${row}: ${FAULTS[bad.reason]}.`;
}

/** The ends of chains in what an earlier `audit verify --json` printed. */
function readSince(path: string): readonly Pick<Chain, 'workspace' | 'head'>[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw usage(`${path} does not hold the output of an earlier: centrali audit verify --json`);
  }
  const chains = (value as { chains?: unknown } | null)?.chains;
  if (!Array.isArray(chains) || !chains.every(isEnd))
    throw usage(`${path} does not hold the output of an earlier: centrali audit verify --json`);
  return chains;
}

function isEnd(value: unknown): value is Pick<Chain, 'workspace' | 'head'> {
  const { workspace, head } = (value ?? {}) as { workspace?: unknown; head?: { seq?: unknown; mac?: unknown } };
  return (
    (workspace === null || typeof workspace === 'string') &&
    Number.isSafeInteger(head?.seq) &&
    typeof head?.mac === 'string'
  );
}
