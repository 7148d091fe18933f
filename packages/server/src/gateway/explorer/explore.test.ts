import { expect, it } from 'vitest';
import { explore } from './explore.fixture.ts';

/** Schedules in the test command; `npm run explore` runs thousands, of other seeds. */
const SCHEDULES = 400;

it(`holds in ${SCHEDULES} schedules`, { timeout: 120_000 }, async () => {
  let [opened, events, ended] = [0, 0, 0];
  for (let seed = 1; seed <= SCHEDULES; seed++) {
    const { world, breaches } = await explore(seed);
    expect(breaches, `seed ${seed}\n${world.trace.join('\n')}`).toEqual([]);
    opened += world.clients.filter(({ connectedAt }) => connectedAt !== undefined).length;
    events += world.clients.reduce((sum, { got }) => sum + got.filter(({ name }) => name === 'message').length, 0);
    ended += world.clients.filter(({ got }) => got.some(({ data }) => data.type === 'error')).length;
  }
  // A world in which nothing happens proves nothing.
  expect(opened).toBeGreaterThan(SCHEDULES * 2);
  expect(events).toBeGreaterThan(SCHEDULES * 5);
  expect(ended).toBeGreaterThan(SCHEDULES);
});

it('is the same schedule for the same seed', async () => {
  const [first, second] = [await explore(7), await explore(7)];
  expect(first.world.trace).toEqual(second.world.trace);
  expect(first.world.trace.length).toBeGreaterThan(20);
});
