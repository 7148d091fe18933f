import { expect, it } from 'vitest';
import { Exploration } from './explore.fixture.ts';
import { judge } from './judge.fixture.ts';

/** `npm run explore` names how many; without a seed it then begins with another one each time. */
const asked = process.env.CENTRALI_EXPLORE_SCHEDULES;
const SCHEDULES = Number(asked ?? 300);
const FIRST = Number(process.env.CENTRALI_EXPLORE_SEED ?? (asked ? 1 + Math.floor(Math.random() * 1e9) : 1));

it(`holds in ${SCHEDULES} schedules from seed ${FIRST}`, { timeout: 120_000 + SCHEDULES * 200 }, async () => {
  let [opened, events, ended] = [0, 0, 0];
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
    const world = new Exploration(seed);
    await world.run();
    const breaches = judge(world);
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
  const traces = [];
  for (let run = 0; run < 2; run++) {
    const world = new Exploration(7);
    await world.run();
    traces.push(world.trace);
  }
  expect(traces[0]).toEqual(traces[1]);
  expect(traces[0]?.length).toBeGreaterThan(50);
});
