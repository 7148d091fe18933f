import type { TicketRecord } from '@centrali-io/protocol';
import type { Tickets } from '../port.ts';
import type { Database } from './schema.ts';

export function ticketsOf(db: Database): Tickets {
  const prune = async (now: number): Promise<number> => {
    const { numDeletedRows } = await db.deleteFrom('tickets').where('expires_at', '<=', now).executeTakeFirst();
    return Number(numDeletedRows);
  };
  const count = async (principal?: string): Promise<number> => {
    const all = db.selectFrom('tickets').select(({ fn }) => fn.countAll<number>().as('n'));
    const { n } = await (principal === undefined
      ? all
      : all.where('principal', '=', principal)
    ).executeTakeFirstOrThrow();
    return n;
  };
  return {
    async put({ hash, ticket, expiresAt }, now, { inAll, ofPrincipal }) {
      const { workspace, provider, sub } = ticket;
      // Slugs and ids of providers hold no blank.
      const principal = `${workspace} ${provider} ${sub}`;
      await prune(now);
      if ((await count(principal)) >= ofPrincipal || (await count()) >= inAll) return false;
      await db
        .insertInto('tickets')
        .values({ hash, principal, record: JSON.stringify(ticket), expires_at: expiresAt })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      return true;
    },
    async take(hash, now) {
      const row = await db
        .deleteFrom('tickets')
        .where('hash', '=', hash)
        .returning(['record', 'expires_at'])
        .executeTakeFirst();
      return row && row.expires_at > now ? (JSON.parse(row.record) as TicketRecord) : undefined;
    },
    prune,
  };
}
