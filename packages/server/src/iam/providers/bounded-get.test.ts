import { expect, it } from 'vitest';
import type { OutboundAnswer } from '../../resource-server/index.ts';
import { boundedGet } from './bounded-get.ts';

it('refuses a fetch beyond the bound, and takes one again when another has ended, also badly', async () => {
  const ends: PromiseWithResolvers<OutboundAnswer>[] = [];
  const get = boundedGet(() => {
    const end = Promise.withResolvers<OutboundAnswer>();
    ends.push(end);
    return end.promise;
  }, 2);
  const first = get('https://a.example');
  const second = get('https://b.example');
  await expect(get('https://c.example')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  ends[0]?.reject(new Error('broke off'));
  await expect(first).rejects.toThrow('broke off');
  const third = get('https://c.example');
  for (const end of ends.slice(1)) end.resolve({ status: 200, cacheControl: '', body: new Uint8Array() });
  await expect(Promise.all([second, third])).resolves.toHaveLength(2);
});
