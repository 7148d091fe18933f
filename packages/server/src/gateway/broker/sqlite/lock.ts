import { closeSync, openSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Thrown when another process has the log open. */
export class LogInUse extends Error {
  override readonly name = 'LogInUse';
}

/**
 * Takes the log for this process until the returned function is called or the process dies, however
 * it dies: the lock is SQLite's own on a file beside the log, kept by the operating system. The log
 * itself cannot be locked this way, since the reader has its own connection to it.
 */
export function lockLog(file: string): () => void {
  const path = `${join(realpathSync(dirname(file)), basename(file))}.lock`;
  closeSync(openSync(path, 'a', 0o600));
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (error instanceof Error && /locked|busy/.test(error.message)) {
      throw new LogInUse(
        `${file} is in use by another process: one gateway writes a log. Stop it, or use another data folder.`,
      );
    }
    throw error;
  }
  return () => db.close();
}
