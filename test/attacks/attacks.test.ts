// The corpus of attacks, row by row: the file says what is attacked and what the answer must be; the tables
// beside this file say how. A row without an attack, and an attack without a row, are failures.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Attack, Attacks } from './attack.ts';
import { claims } from './claims.ts';
import { corsCacheLeak } from './cors-cache-leak.ts';
import { httpAndResources } from './http-and-resources.ts';
import { jwks } from './jwks.ts';
import { jwsEncoding } from './jws-encoding.ts';
import { jwsHeader } from './jws-header.ts';
import { permissionAndLifetime } from './permission-and-lifetime.ts';
import { sseInjection } from './sse-injection.ts';
import { tickets } from './tickets.ts';
import { tokenDelivery } from './token-delivery.ts';
import { workspace } from './workspace.ts';
import { type Answer, createWorld, type World } from './world.ts';

interface Row {
  readonly id: string;
  readonly category: string;
  readonly attack: string;
  readonly status: number;
  readonly code: string | null;
  readonly must: string;
}

const CATEGORIES: Readonly<Record<string, Attacks>> = {
  'jws-header': jwsHeader,
  'jws-encoding': jwsEncoding,
  claims,
  workspace,
  'token-delivery': tokenDelivery,
  jwks,
  'sse-injection': sseInjection,
  'http-and-resources': httpAndResources,
  'cors-cache-leak': corsCacheLeak,
  'permission-and-lifetime': permissionAndLifetime,
  tickets,
};

const corpus = JSON.parse(readFileSync(new URL('vectors/attack-corpus.json', import.meta.url), 'utf8')) as {
  attacks: Row[];
};
const rows = (category: string): Row[] => corpus.attacks.filter((row) => row.category === category);

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(async () => {
  await world?.close();
});

const oneOf = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);

/** What holds for every refusal, whatever it is for. */
function expectRefusal(answer: Answer): void {
  expect(answer.headers.get('location'), answer.what).toBeNull();
  if (answer.code === null) return;
  if (answer.headers.has('content-type')) expect(answer.headers.get('cache-control'), answer.what).toMatch(/no-store/);
  expect(answer.body, answer.what).not.toMatch(/eyJ[A-Za-z0-9_-]{10}|jose|ERR_|SyntaxError|stack|node:/);
}

async function carryOut(row: Row, attack: Attack): Promise<void> {
  const before = await world.checks();
  const answers = await attack.run(world);
  expect(answers.length, 'something was sent').toBeGreaterThan(0);
  const statuses = oneOf(attack.decided?.status ?? row.status);
  const codes = oneOf(attack.decided?.code === undefined ? row.code : attack.decided.code);
  for (const answer of answers) {
    expect(statuses, `status ${answer.status} ${answer.code}: ${answer.what}`).toContain(answer.status);
    expect(codes, `code: ${answer.what}`).toContain(answer.code);
    if (answer.status >= 400) expectRefusal(answer);
  }
  // What is refused before step 4 must not cost IAM anything.
  if (!attack.mayAskIam) {
    const asked = (await world.checks()) - before;
    expect(asked, 'questions to IAM').toBeLessThanOrEqual(attack.goodTokens ?? 0);
  }
  // And the service is as well as before.
  expect((await world.ask(world.token)).status, 'a good token afterwards').toBe(200);
}

describe.each(Object.keys(CATEGORIES))('%s', (category) => {
  const attacks = CATEGORIES[category] ?? {};
  const applicable = rows(category).filter(({ id }) => attacks[id] !== undefined && 'run' in attacks[id]);

  it.each(applicable.map((row) => [row.id, row.attack, row] as const))('%s: %s', async (id, _, row) => {
    await carryOut(row, attacks[id] as Attack);
  });

  it('every row is carried out or says why not, and nothing else is here', () => {
    expect(Object.keys(attacks).sort()).toEqual(rows(category).map(({ id }) => id));
    for (const [id, attack] of Object.entries(attacks)) {
      if ('doesNotApply' in attack) {
        expect(attack.doesNotApply.length).toBeGreaterThan(40);
        console.info(`${category} ${id} does not apply: ${attack.doesNotApply}`);
      } else if (attack.decided) {
        expect(attack.decided.why.length).toBeGreaterThan(40);
        console.info(`${category} ${id} is decided otherwise: ${attack.decided.why}`);
      }
    }
  });
});
