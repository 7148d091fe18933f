import { hash } from 'node:crypto';
import type { Position } from './port.ts';

/** A cursor's parts. */
export interface Cursor {
  /** Names the log: random, made with it and again on restore. */
  readonly epoch: string;
  readonly seq: number;
  readonly index: number;
  readonly check: string;
}

/** No leading zeros, no signs: a place has one spelling, so that clients may compare for equality. */
const CURSOR = /^([0-9a-z]{1,32})-(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,3})-([0-9a-f]{8})$/;

/** Reads a cursor; `undefined` when it is not one of ours by its form. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  if (!match) return undefined;
  const [, epoch = '', seq = '', index = '', check = ''] = match;
  const sequence = Number(seq);
  return Number.isSafeInteger(sequence) ? { epoch, seq: sequence, index: Number(index), check } : undefined;
}

/**
 * 32 bits over the record's proof, the workspace and the place: a cursor that was altered, guessed, or
 * taken from another workspace or another history of the log does not fit.
 */
export function checkOf(workspace: string, { seq, index, proof }: Position): string {
  return hash('sha256', `${proof} ${workspace} ${seq} ${index}`, 'hex').slice(0, 8);
}

/** Writes a place as a cursor of one workspace: `<epoch>-<seq>-<index>-<check>`. */
export function writeCursor(epoch: string, workspace: string, position: Position): string {
  return `${epoch}-${position.seq}-${position.index}-${checkOf(workspace, position)}`;
}
