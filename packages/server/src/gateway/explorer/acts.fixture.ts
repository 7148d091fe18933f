/** Everything that can happen, by its name. */
import * as administrators from './admin-acts.fixture.ts';
import * as clients from './client-acts.fixture.ts';
import type { Act } from './weather.fixture.ts';
import type { World } from './world.fixture.ts';

function stallGateway(world: World, milliseconds: number): void {
  world.note(`the gateway stalls for ${milliseconds} ms`);
  world.stalls.push({ at: world.scheduler.time, milliseconds });
  world.scheduler.stall(milliseconds);
}

function breakFeeds(world: World): void {
  world.note('the feed breaks off');
  world.iam.breakFeeds();
}

function hold(world: World): void {
  const which = world.random.int(0, 1);
  const both = world.random.chance(0.6);
  const milliseconds = world.random.int(200, 9000);
  world.note(`node ${which + 1}${both ? ' and the other' : ''} held for ${milliseconds} ms`);
  world.iam.hold(which);
  if (both) world.iam.hold(which + 1);
  world.scheduler.post(milliseconds, () => {
    world.note('nodes are freed');
    world.iam.free();
  });
}

function restore(world: World): void {
  world.note('IAM is restored to an earlier state');
  world.iam.restore();
}

function trim(world: World): void {
  world.note('the feed is trimmed');
  world.iam.trim();
}

const ACTS: Readonly<Record<Act, (world: World) => void>> = {
  connect: clients.connect,
  publish: (world) => clients.publish(world),
  publishAs: clients.publishAs,
  renew: clients.renew,
  leave: clients.leave,
  stallClient: clients.stallClient,
  changeMember: administrators.changeMember,
  changeRole: administrators.changeRole,
  revoke: administrators.revoke,
  lift: administrators.lift,
  suspend: administrators.suspend,
  changeProvider: administrators.changeProvider,
  withdrawKey: administrators.withdrawKey,
  stallGateway: (world) => stallGateway(world, world.random.int(1, world.weather.stall)),
  freeze: (world) => stallGateway(world, world.random.int(1000, 7000)),
  breakFeeds,
  hold,
  restore,
  trim,
};

/** Does one of the things that can happen, at random. */
export function act(world: World): void {
  const weights = Object.entries(world.weather.weights) as [Act, number][];
  let at = world.random.next() * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of weights) {
    at -= weight;
    if (at < 0) return ACTS[name](world);
  }
}
