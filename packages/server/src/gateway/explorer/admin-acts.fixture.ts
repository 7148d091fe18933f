/** What administrators do. */
import type { Change, RevocationRecord } from '@centrali-io/protocol';
import { providerRecord } from './iam.fixture.ts';
import { memberKey, providerOf, type State } from './model.fixture.ts';
import { GRANTS, ROLES } from './weather.fixture.ts';
import type { World } from './world.fixture.ts';

export function commit(world: World, change: Change, more: Partial<State>): void {
  world.iam.commit(change, { ...world.iam.state, ...more });
  world.note(`revision ${world.iam.revision}: ${JSON.stringify(change).slice(0, 160)}`);
}

export function changeMember(world: World): void {
  const workspace = world.random.pick(world.weather.workspaces);
  const provider = world.random.chance(0.8) ? 'centrali' : providerOf(workspace);
  const sub = world.random.pick(world.weather.subs);
  const member = {
    roles: world.random.chance(0.2) ? [] : [world.random.pick(ROLES)],
    blocked: world.random.chance(0.1),
  };
  world.note(`${workspace} ${provider} ${sub} is to have ${JSON.stringify(member)}`);
  commit(
    world,
    { kind: 'member', workspace, provider, sub },
    { members: { ...world.iam.state.members, [memberKey(workspace, provider, sub)]: member } },
  );
}

export function changeRole(world: World): void {
  const workspace = world.random.pick(world.weather.workspaces);
  const role = world.random.pick(ROLES);
  const grants = GRANTS[world.random.pick(ROLES)] ?? [];
  const { roles } = world.iam.state;
  world.note(`role ${role} of ${workspace} is to grant ${JSON.stringify(grants)}`);
  commit(
    world,
    { kind: 'role', workspace, role },
    { roles: { ...roles, [workspace]: { ...roles[workspace], [role]: grants } } },
  );
}

export function revoke(world: World): void {
  const token = world.random.pick(world.tokens.length > 0 ? world.tokens : [world.mint('a')]);
  const notBefore = Math.floor(world.scheduler.now() / 1000);
  const { provider, jti, sub, clientId, sid } = token;
  const names = world.random.pick<Omit<RevocationRecord, 'workspace' | 'provider'>>([
    { jti },
    { jti },
    { sub, notBefore },
    { sid, notBefore },
    { clientId, notBefore },
    { notBefore },
  ]);
  const workspace = world.random.chance(0.3) ? null : world.random.pick(world.weather.workspaces);
  const revocation: RevocationRecord = { workspace, provider, ...names };
  commit(world, { kind: 'revocation', revocation }, { revocations: [...world.iam.state.revocations, revocation] });
}

export function lift(world: World): void {
  const { revocations } = world.iam.state;
  if (revocations.length === 0) return;
  const revocation = world.random.pick(revocations);
  const at = revocations.indexOf(revocation);
  commit(world, { kind: 'revocation-lifted', revocation }, { revocations: revocations.toSpliced(at, 1) });
}

export function suspend(world: World): void {
  const workspace = world.random.pick(world.weather.workspaces);
  const { suspended } = world.iam.state;
  // Not for long, or nothing happens any more.
  if (!suspended.includes(workspace)) world.scheduler.post(world.random.int(1, 2000), () => resume(world, workspace));
  const to = suspended.includes(workspace)
    ? suspended.filter((other) => other !== workspace)
    : [...suspended, workspace];
  world.note(`suspended: ${to.join()}`);
  commit(world, { kind: 'workspace', workspace }, { suspended: to });
}

export function resume(world: World, workspace: string): void {
  const suspended = world.iam.state.suspended.filter((other) => other !== workspace);
  world.note(`${workspace} is resumed`);
  commit(world, { kind: 'workspace', workspace }, { suspended });
}

export function changeProvider(world: World): void {
  const workspace = world.random.pick(world.weather.workspaces);
  const id = providerOf(workspace);
  const { [workspace]: present, ...others } = world.iam.state.mapped;
  if (present !== undefined && world.random.chance(0.3)) {
    commit(world, { kind: 'provider', id, provider: null }, { mapped: others });
    return;
  }
  const role = world.random.pick(ROLES);
  const provider = providerRecord(workspace, role);
  world.note(`${id} is to give ${role}`);
  commit(world, { kind: 'provider', id, provider }, { mapped: { ...others, [workspace]: role } });
}

export function withdrawKey(world: World): void {
  const kid = `k${world.kid++}`;
  commit(world, { kind: 'key', kid, withdrawn: true }, { withdrawn: [...world.iam.state.withdrawn, kid] });
}
