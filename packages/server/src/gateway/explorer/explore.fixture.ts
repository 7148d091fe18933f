/**
 * The race explorer: one seed is one schedule, in which clients connect, renew, stall and leave, publishers
 * publish, IAM changes, lags, freezes, is cut off and restored, and the gateway itself stalls; all on the
 * real code of the gateway, in a world whose time and order of events the seed chooses.
 */
import { act } from './acts.fixture.ts';
import { publish } from './client-acts.fixture.ts';
import { judge } from './judge.fixture.ts';
import { World } from './world.fixture.ts';

/** What came of a schedule. */
export interface Explored {
  readonly world: World;
  /** What should not have happened; a sentence each. */
  readonly breaches: readonly string[];
}

/** Runs the schedule of a seed, and judges it. */
export async function explore(seed: number): Promise<Explored> {
  const world = new World(seed);
  await world.run(
    () => act(world),
    (workspace) => publish(world, workspace),
  );
  return { world, breaches: judge(world) };
}
