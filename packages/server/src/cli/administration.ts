/** The words of the administration commands. */
import type { Command } from 'commander';
import type { Target, TargetFlags } from './client/target.ts';
import * as administer from './commands/administer.ts';
import { verifyAudit } from './commands/audit.ts';
import * as inspect from './commands/inspect.ts';
import { configFrom, type Flags, list, whole, withConfig, withTarget } from './flags.ts';
import type { Io, Output } from './io.ts';

/** Flags of an administration command. */
type With<Own = object> = TargetFlags & Output & Own;

/** `--account` is the `clientId` of a revocation: `--client-id` says already who asks. */
interface RevokeWords extends Omit<inspect.RevokeFlags, 'clientId'> {
  readonly account?: string;
}

/** Adds the commands of one workspace's administration. */
export function addAdministration(program: Command, io: Io, administrator: (flags: TargetFlags) => Target): void {
  const on = (parent: Command, name: string, description: string): Command =>
    withTarget(parent.command(name).description(description));

  on(program, 'token', 'make a token for any user (development)')
    .requiredOption('--sub <sub>', 'the user')
    .option('--role <role>', 'also make the user a member with this role')
    .option('--ttl <seconds>', 'lifetime; 3600 by default, at most 86400', whole)
    .action((flags: With<administer.TokenFlags>) => administer.token(administrator(flags), flags, flags, io));

  const account = program.command('service-account').description('service accounts');
  on(account, 'create <name>', 'make one; its secret is shown once')
    .option('--role <role>', 'owner, admin, developer, viewer, or one of your own')
    .option('--description <text>')
    .action((name: string, flags: With<administer.AccountFlags>) =>
      administer.accounts.create(administrator(flags), name, flags, flags, io),
    );
  on(account, 'list', 'list them').action((flags: With) => administer.accounts.list(administrator(flags), flags, io));
  on(account, 'rotate <id>', 'a new secret')
    .option('--grace-seconds <n>', 'how long the old one stays valid; 0 by default', whole)
    .action((id: string, flags: With<{ readonly graceSeconds?: number }>) =>
      administer.accounts.rotate(administrator(flags), id, flags.graceSeconds, flags, io),
    );
  for (const action of ['disable', 'enable'] as const) {
    on(account, `${action} <id>`, `${action} one`).action((id: string, flags: With) =>
      administer.accounts.act(administrator(flags), id, action, flags, io),
    );
  }
  on(account, 'keys <id> <file>', 'set public keys (JWK set) for private_key_jwt').action(
    (id: string, file: string, flags: With) => administer.accounts.keys(administrator(flags), id, file, flags, io),
  );
  on(account, 'delete <id>', 'delete one').action((id: string, flags: With) =>
    administer.accounts.remove(administrator(flags), id, flags, io),
  );

  const member = program.command('member').description('users of the workspace');
  on(member, 'put <sub>', 'set roles of a user')
    .option('--role <role>', 'role; repeatable', list, [])
    .option('--blocked', 'keep the user out, whatever the roles')
    .option('--provider <id>', 'the login provider of the user; our own IAM by default')
    .action((sub: string, flags: With<administer.MemberFlags>) =>
      administer.members.put(administrator(flags), sub, flags, flags, io),
    );
  on(member, 'list', 'list them').action((flags: With) => administer.members.list(administrator(flags), flags, io));
  on(member, 'delete <sub>', 'delete one')
    .option('--provider <id>', 'the login provider of the user')
    .action((sub: string, flags: With<{ readonly provider?: string }>) =>
      administer.members.remove(administrator(flags), sub, flags.provider, flags, io),
    );

  const role = program.command('role').description('roles of the workspace');
  on(role, 'put <name>', 'make or change a role')
    .option('--grants <file>', 'JSON array of grants')
    .option('--permission <name>', 'permission; repeatable', list)
    .option('--structures <list>', 'only these structures', list)
    .option('--events <list>', 'only these events', list)
    .option('--filter <expression>', 'only events that match')
    .action((name: string, flags: With<administer.RoleFlags>) =>
      administer.roles.put(administrator(flags), name, flags, flags, io),
    );
  on(role, 'list', 'list them').action((flags: With) => administer.roles.list(administrator(flags), flags, io));
  on(role, 'delete <name>', 'delete one').action((name: string, flags: With) =>
    administer.roles.remove(administrator(flags), name, flags, io),
  );

  const provider = program.command('provider').description('login providers (Auth0, Keycloak, any OpenID Connect)');
  on(provider, 'add <name>', 'accept tokens of a provider')
    .requiredOption('--issuer <url>', 'its iss')
    .requiredOption('--audience <aud>', 'accepted aud; repeatable', list)
    .option('--default-role <role>', 'role of every user of it')
    .option('--jwks-uri <url>', 'its key set; found by discovery when left out')
    .option('--typ <typ>', 'accepted typ headers; repeatable', list)
    .option('--algorithm <alg>', 'accepted algorithms; repeatable', list)
    .option('--mapping <file>', 'JSON file with the claim mapping')
    .addHelpText(
      'after',
      '\nExample:\n  $ centrali provider add auth0 --issuer https://acme.eu.auth0.com/ --audience https://realtime.acme.com --default-role viewer',
    )
    .action((name: string, flags: With<administer.ProviderFlags>) =>
      administer.providers.add(administrator(flags), name, flags, flags, io),
    );
  on(provider, 'list', 'list them').action((flags: With) => administer.providers.list(administrator(flags), flags, io));
  on(provider, 'refresh-keys <id>', 'fetch its key set now').action((id: string, flags: With) =>
    administer.providers.act(administrator(flags), id, 'refresh-keys', undefined, flags, io),
  );
  on(provider, 'delete <id>', 'accept its tokens no more').action((id: string, flags: With) =>
    administer.providers.remove(administrator(flags), id, flags, io),
  );

  const connections = program.command('connections').description('open streams');
  on(connections, 'list', 'list them').action((flags: With) =>
    inspect.connections.list(administrator(flags), flags, io),
  );
  on(connections, 'close <id>', 'close one').action((id: string, flags: With) =>
    inspect.connections.close(administrator(flags), id, flags, io),
  );

  on(program, 'revoke', 'end tokens and their streams')
    .option('--jti <jti>', 'one token')
    .option('--sub <sub>', "all of a user's tokens up to now")
    .option('--account <clientId>', "all of a service account's tokens up to now")
    .option('--not-before <instant>', 'all tokens issued up to then')
    .option('--provider <id>', 'of this login provider')
    .action((flags: With<RevokeWords>) => {
      const { jti, sub, account: clientId, notBefore, provider: of } = flags;
      const by = Object.entries({ jti, sub, clientId, notBefore, provider: of }).filter(
        ([, value]) => value !== undefined,
      );
      return inspect.revoke(administrator(flags), Object.fromEntries(by), flags, io);
    });
  const audit = on(program, 'audit', 'the audit log')
    .option('--code <code>', 'only this error code')
    .option('--sub <sub>', 'only this principal')
    .option('--kind <kind>', 'only this kind of row')
    .option('--limit <n>', 'at most so many rows', whole, 100)
    .action((flags: With<inspect.AuditFlags>) => inspect.audit(administrator(flags), flags, flags, io));
  // What follows `verify` is its own: both have --json.
  audit.enablePositionalOptions();
  withConfig(audit.command('verify').description('tell whether rows were changed, removed or moved (operator)'))
    .option('--since <file>', 'output of an earlier `audit verify --json`: tells a state that was set back')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', '\nExample:\n  $ centrali audit verify --config centrali.jsonc')
    .action((flags: Flags) =>
      verifyAudit(configFrom(flags, io).config, flags.since as string | undefined, { json: flags.json === true }, io),
    );
  on(program, 'explain', 'why a token (on stdin) or a user may do something here, or not')
    .option('--sub <sub>', 'a user instead of a token')
    .option('--provider <id>', 'of this login provider')
    .option('--permission <name>', 'realtime:subscribe by default')
    .addHelpText('after', '\nExample:\n  $ centrali explain < token.txt')
    .action((flags: With<inspect.ExplainFlags>) => inspect.explain(administrator(flags), flags, flags, io));
}
