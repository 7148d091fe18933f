import type { Answer, World } from './world.ts';

/** How one row of the corpus is carried out. */
export interface Attack {
  /** Carries it out; every answer must be the row's, or what `decided` says. Further assertions stand inside. */
  run(world: World): Promise<readonly Answer[]>;
  /** A contract decides otherwise than the row: what is right instead, and which sentence says so. */
  readonly decided?: {
    readonly why: string;
    readonly status?: number | readonly number[];
    readonly code?: string | null | readonly (string | null)[];
  };
  /**
   * How many questions to IAM the good tokens of the attack cost at most, since an answer that is known is not asked
   * for again; those that are refused must cost none.
   */
  readonly goodTokens?: number;
  /** The attack itself is by a good token, so that questions to IAM are not counted. */
  readonly mayAskIam?: boolean;
}

/** A row that has nothing to attack here, and why. */
export interface Inapplicable {
  readonly doesNotApply: string;
}

/** Attacks by the id of their row. */
export type Attacks = Readonly<Record<string, Attack | Inapplicable>>;

/** An attack that is a list of tokens, each sent in the header and the first also in the query. */
export function tokens(make: (world: World) => readonly string[], decided?: Attack['decided']): Attack {
  return {
    ...(decided === undefined ? {} : { decided }),
    async run(world) {
      const list = make(world);
      const answers: Answer[] = [];
      for (const token of list) answers.push(await world.ask(token));
      const [first] = list;
      if (first !== undefined) answers.push(await world.ask(first, 'query'));
      return answers;
    },
  };
}
