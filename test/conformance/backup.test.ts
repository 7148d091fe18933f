// A copy of a running service, and what its clients are told once the service goes on from the copy.
import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bearer, eventsUrl, order, publish, serviceToken } from '../support/api.ts';
import { type Dev, runCommand, startDev, temporaryFolder } from '../support/centrali.ts';
import { openStream } from '../support/event-stream.ts';

it('is consistent under load, and a restore is one gap for each client', { timeout: 60_000 }, async () => {
  const folder = temporaryFolder();
  const data = join(folder.path, 'data');
  const copy = join(folder.path, 'copy');
  let dev: Dev = await startDev({ data });
  try {
    const token = await serviceToken(dev);
    const stop = new AbortController();
    const acknowledged: string[] = [];
    const publishing = (async () => {
      for (let n = 0; !stop.signal.aborted; n += 5) {
        acknowledged.push(
          ...(await publish(
            dev,
            token,
            [0, 1, 2, 3, 4].map((i) => order(String(n + i))),
          )),
        );
      }
    })();
    while (acknowledged.length < 100) await new Promise((resolve) => setImmediate(resolve));
    const { code, stderr } = await runCommand(['backup', copy, '--data', data]);
    expect([code, stderr]).toEqual([0, '']);
    for (const name of ['state.db', 'log.db']) expect(statSync(join(copy, name)).mode & 0o077).toBe(0);
    stop.abort();
    await publishing;
    const cursor = acknowledged[50] ?? '';
    await dev.kill();

    // The account of `dev` is in a file of its own, which whoever restores brings along.
    copyFileSync(join(data, 'dev.json'), join(copy, 'dev.json'));
    dev = await startDev({ data: copy, port: Number(new URL(dev.baseUrl).port) });
    const resume = (id: string): ReturnType<typeof openStream> =>
      openStream(eventsUrl(dev), { headers: { ...bearer(token), 'last-event-id': id } });
    // An id of before is of another history, also where its sequence is in the copy.
    const stream = await resume(cursor);
    expect((await stream.system('connected')).json.resumed).toBe(false);
    const gap = await stream.system('gap');
    expect(gap.json).toEqual({ type: 'gap', reason: 'unknown' });
    const next = await publish(dev, token, order('after'));
    expect((await stream.message()).id).toBe(next[0]);
    stream.close();
    const again = await resume(gap.id ?? '');
    expect((await again.system('connected')).json.resumed).toBe(true);
    expect((await again.message()).id).toBe(next[0]);
    expect(again.text()).not.toContain('"type":"gap"');
    again.close();
  } finally {
    await dev.stop();
    folder.remove();
  }
});
