import { type Change, type CheckRequest, OWN_PROVIDER, type RevocationRecord } from '@centrali-io/protocol';

/** Most names whose newest change is remembered one by one. */
const MAX_NAMES = 50_000;

/**
 * The newest change of everything that decisions hang on, by name. An answer of IAM that is older than the
 * newest change of one of its names is not to be trusted. Bounded: of names that were forgotten it is only
 * known that their newest change is not after the floor, so their answers are asked for once too often,
 * and never too seldom.
 */
export class NewestChanges {
  readonly #max: number;
  /** In the order of revisions: whoever is first changed longest ago. */
  readonly #revisions = new Map<string, number>();
  #floor = 0;

  constructor(max = MAX_NAMES) {
    this.#max = max;
  }

  /** Takes a change in. */
  note(change: Change, revision: number): void {
    for (const name of namesOfChange(change)) {
      this.#revisions.delete(name);
      this.#revisions.set(name, revision);
    }
    while (this.#revisions.size > this.#max) {
      const [[name, oldest] = ['', 0]] = this.#revisions;
      this.#revisions.delete(name);
      this.#floor = Math.max(this.#floor, oldest);
    }
  }

  /** Everything may have changed up to this revision. */
  reset(revision: number): void {
    this.#revisions.clear();
    this.#floor = revision;
  }

  /** The newest change of any of the names. */
  of(names: Iterable<string>): number {
    let newest = this.#floor;
    for (const name of names) newest = Math.max(newest, this.#revisions.get(name) ?? 0);
    return newest;
  }
}

/** Words and slugs hold no blank, so that names of two kinds never meet. A `sub` may, hence it stands last. */
function namesOfChange(change: Change): readonly string[] {
  switch (change.kind) {
    case 'key':
      return [`key ${change.kid}`];
    case 'provider':
      return [`provider ${change.id}`];
    case 'member':
      return [`principal ${change.provider} ${change.sub}`];
    case 'account':
      return [`principal ${OWN_PROVIDER} ${change.clientId}`];
    case 'credential':
      return [`credential ${change.cred}`];
    case 'role':
      return [`role ${change.workspace} ${change.role}`, `roles ${change.workspace}`];
    case 'workspace':
      return [`workspace ${change.workspace}`];
    case 'revocation':
    case 'revocation-lifted':
  }
  return [nameOfRevocation(change.revocation)];
}

/** Under the narrowest thing that it names. */
function nameOfRevocation({ provider, jti, sub, clientId, sid }: RevocationRecord): string {
  if (jti !== undefined) return `token ${provider} ${jti}`;
  if (sub !== undefined) return `principal ${provider} ${sub}`;
  if (clientId !== undefined) return `client ${provider} ${clientId}`;
  if (sid !== undefined) return `session ${provider} ${sid}`;
  return `all ${provider}`;
}

/**
 * The names of everything that a decision about a token hangs on.
 *
 * @param roles what the answer was decided by; absent for a denial, which any role of the workspace could lift
 */
export function namesOfDecision(
  question: Pick<CheckRequest, 'workspace' | 'provider' | 'sub' | 'clientId' | 'jti' | 'sid' | 'cred' | 'kid'>,
  roles: readonly string[] | undefined,
): string[] {
  const { workspace, provider, sub, clientId, jti, sid, cred, kid } = question;
  const names = [`workspace ${workspace}`, `principal ${provider} ${sub}`, `all ${provider}`];
  if (roles) for (const role of roles) names.push(`role ${workspace} ${role}`);
  else names.push(`roles ${workspace}`);
  if (jti !== undefined) names.push(`token ${provider} ${jti}`);
  if (clientId !== undefined) names.push(`client ${provider} ${clientId}`);
  if (sid !== undefined) names.push(`session ${provider} ${sid}`);
  if (cred !== undefined) names.push(`credential ${cred}`);
  names.push(provider === OWN_PROVIDER ? `key ${kid}` : `provider ${provider}`);
  return names;
}
