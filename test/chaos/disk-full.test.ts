// A full disk under a running server: UNAVAILABLE and nothing acknowledged, streams stay, and with room it goes on.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bearer, eventsUrl, publishRaw, serviceToken } from '../support/api.ts';
import { startDev, temporaryFolder } from '../support/centrali.ts';
import { openStream } from '../support/event-stream.ts';
import { hasRight } from '../support/parts.ts';
import { until } from '../support/wait.ts';

const folder = temporaryFolder();
const disk = join(folder.path, 'disk');
mkdirSync(disk);
const mounted = hasRight('mounting', () =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'centrali-test', disk], { stdio: 'pipe' }),
);
afterAll(() => {
  if (mounted) execFileSync('umount', [disk]);
  folder.remove();
});

/** Fills what is left of the disk. */
function fill(path: string): void {
  try {
    for (let i = 0; ; i++) writeFileSync(path, Buffer.alloc(4096), { flag: i === 0 ? 'w' : 'a' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

describe.skipIf(!mounted)('a full disk', () => {
  it('refuses, keeps streams, and goes on by itself', { timeout: 60_000 }, async () => {
    const dev = await startDev({
      data: join(disk, 'data'),
      env: { CENTRALI_STREAM_POSITION_SECONDS: '1' },
    });
    try {
      const token = await serviceToken(dev);
      const stream = await openStream(eventsUrl(dev), { headers: bearer(token) });
      await stream.system('connected');
      const acknowledged: string[] = [];
      const refused: number[] = [];
      let n = 0;
      /** One request of some size; its status. */
      const send = async (): Promise<number> => {
        const body = JSON.stringify({ event: 'tick', recordId: String(n++), data: { padding: 'x'.repeat(30_000) } });
        const response = await publishRaw(dev, token, body);
        const answer = (await response.json()) as { ids?: string[]; code?: string };
        if (response.status === 202) acknowledged.push(...(answer.ids ?? []));
        else {
          expect([response.status, answer.code]).toEqual([503, 'UNAVAILABLE']);
          expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
          refused.push(n - 1);
        }
        return response.status;
      };
      for (let i = 0; i < 20; i++) expect(await send()).toBe(202);
      const ballast = join(disk, 'ballast');
      fill(ballast);
      // The log's file may have room inside.
      await until('the disk is full', async () => (await send()) === 503);
      for (let i = 0; i < 20; i++) expect(await send()).toBe(503);
      expect((await fetch(`${dev.baseUrl}/readyz`)).status).toBe(503);
      expect((await fetch(`${dev.baseUrl}/healthz`)).status).toBe(200);
      // The stream is there, and its cursor moves no further than what was acknowledged.
      const seen: string[] = [];
      while (seen.length < acknowledged.length) seen.push((await stream.message()).id);
      expect(seen).toEqual(acknowledged);
      await stream.system('position');
      rmSync(ballast);
      await until('it is ready again', async () => (await fetch(`${dev.baseUrl}/readyz`)).status === 200);
      const before = acknowledged.length;
      for (let i = 0; i < 5; i++) expect(await send()).toBe(202);
      // The same stream goes on; nothing of what was refused appears.
      const next: { id: string; recordId: string }[] = [];
      while (next.length < 5) {
        const { id, json } = await stream.message();
        next.push({ id, recordId: json.recordId });
      }
      expect(next.map(({ id }) => id)).toEqual(acknowledged.slice(before));
      expect(next.map(({ recordId }) => Number(recordId)).filter((one) => refused.includes(one))).toEqual([]);
      // From the beginning it is the same.
      const all = await openStream(eventsUrl(dev), {
        headers: { ...bearer(token), 'last-event-id': acknowledged[0] ?? '' },
      });
      const replayed: string[] = [];
      while (replayed.length < acknowledged.length - 1) replayed.push((await all.message()).id);
      expect(replayed).toEqual(acknowledged.slice(1));
      all.close();
      stream.close();
    } finally {
      await dev.stop();
    }
  });
});
