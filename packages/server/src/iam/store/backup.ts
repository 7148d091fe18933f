import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * Writes a consistent copy of `state.db` to a new file, online. Throws when the file is there already. It holds signing keys and hashed secrets:
 * 0600. Opened as a state, the copy takes an epoch of its own, so that every gateway asks anew: the
 * revisions after a restore are others than those that it has seen.
 */
export function backupState(file: string, target: string): void {
  // SQLite writes into an empty file, too; so nobody else may read it, not for a moment.
  closeSync(openSync(target, 'wx', 0o600));
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  try {
    database.prepare('VACUUM INTO ?').run(target);
  } finally {
    database.close();
  }
  const copy = new DatabaseSync(target);
  copy.exec("DELETE FROM facts WHERE name = 'epoch'");
  copy.close();
}
