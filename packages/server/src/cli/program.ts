/** The command's words: what can be typed, and which function then runs. */
import { Command } from 'commander';
import { addAdministration } from './administration.ts';
import { findTarget, type Target, type TargetFlags } from './client/target.ts';
import { check } from './commands/check.ts';
import { testFilter } from './commands/filter.ts';
import { init } from './commands/init.ts';
import { type PublishFlags, publish } from './commands/publish.ts';
import { type SubscribeFlags, subscribe } from './commands/subscribe.ts';
import { type Config, DEV_DEFAULTS } from './config/index.ts';
import { configFrom, type Flags, list, whole, withConfig, withTarget } from './flags.ts';
import type { Io, Output } from './io.ts';

/** Makes the command. Actions throw; the caller says it and sets the exit code. */
export function createProgram(io: Io, version: string): Command {
  const program = new Command('centrali');
  program
    .description('Authenticated realtime over Server-Sent Events.')
    .version(version, '-V, --version')
    .exitOverride()
    // What follows a command's name is the command's own.
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
    })
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      `
Examples:
  $ centrali dev                                  a server on this machine, nothing to prepare
  $ centrali subscribe                            watch its events, in a second terminal
  $ centrali publish --event greeted --data '{"name":"Ada"}'
  $ centrali init && centrali check --config centrali.jsonc && centrali start --config centrali.jsonc`,
    );
  const principal = (flags: TargetFlags): Target => findTarget(io, flags, 'principal');
  const administrator = (flags: TargetFlags): Target => findTarget(io, flags, 'administrator');
  addService(program, io);
  addOperator(program, io);
  addClient(program, io, principal);
  addAdministration(program, io, administrator);
  return program;
}

function addService(program: Command, io: Io): void {
  withConfig(program.command('dev').description('run everything in one process on this machine'), DEV_DEFAULTS)
    .option('--tls', 'TLS with a self-signed certificate, HTTP/2 and HTTP/1.1')
    .option('--json', 'one line of JSON on stdout when ready')
    .addHelpText(
      'after',
      '\nExamples:\n  $ centrali dev\n  $ centrali dev --port 0 --json\n  $ centrali dev --tls --data /tmp/try',
    )
    .action(async (flags: Flags) => {
      const options = { ...configFrom(flags, io, DEV_DEFAULTS), tls: flags.tls === true, json: flags.json === true };
      const { dev } = await import('./dev.ts');
      await dev(options, io);
    });
  withConfig(program.command('start').description('run the service (production)'))
    .option('--json', 'one line of JSON on stdout when ready')
    .addHelpText(
      'after',
      '\nEvery option of the configuration file is also a flag and a variable; see: centrali init --output -\nExamples:\n  $ centrali start --config centrali.jsonc\n  $ centrali start --config centrali.jsonc --role gateway',
    )
    .action(async (flags: Flags) => {
      const loaded = configFrom(flags, io);
      const { start } = await import('./start.ts');
      await start(loaded, flags.json === true, io);
    });
  program
    .command('init')
    .description('write a commented configuration')
    .option('--output <file>', 'where; - is stdout', 'centrali.jsonc')
    .option('--public-url <url>', 'URL under which clients reach the service')
    .option('--json', 'one JSON object instead of text')
    .action((flags: { output: string; publicUrl?: string; json?: boolean }) =>
      init(flags.output, flags.publicUrl, flags.json === true, io),
    );
  withConfig(program.command('check').description('tell what is wrong or weak in a configuration'))
    .option('--json', 'one JSON object instead of text')
    .action((flags: Flags) => check(configFrom(flags, io), Date.now(), flags.json === true, io));
}

/** Commands on the store load the service's parts only when they run. */
type Operate = typeof import('./commands/operate.ts');

function addOperator(program: Command, io: Io): void {
  const on = (parent: Command, name: string, description: string): Command =>
    withConfig(parent.command(name).description(description)).option('--json', 'one JSON object instead of text');
  const run = async (flags: Flags, work: (operate: Operate, config: Config, out: Output) => Promise<void>) => {
    const { config } = configFrom(flags, io);
    await work(await import('./commands/operate.ts'), config, { json: flags.json === true });
  };
  on(program, 'migrate', "bring the data folder to this version's schema").action((flags: Flags) =>
    run(flags, (operate, config, out) => operate.migrate(config, out, io)),
  );
  on(program, 'backup <folder>', 'copy state and log, while the service runs').action((folder: string, flags: Flags) =>
    run(flags, (operate, config, out) => operate.backup(config, folder, out, io)),
  );
  const workspace = program.command('workspace').description('workspaces of the data folder (operator)');
  on(workspace, 'create <slug>', 'make a workspace and a service account with role owner')
    .option('--owner <sub>', 'also make this user an owner')
    .addHelpText('after', '\nExample:\n  $ centrali workspace create acme --config centrali.jsonc')
    .action((slug: string, flags: Flags) =>
      run(flags, (operate, config, out) =>
        operate.createWorkspace(config, slug, flags.owner as string | undefined, out, io),
      ),
    );
  on(workspace, 'list', 'list workspaces').action((flags: Flags) =>
    run(flags, (operate, config, out) => operate.listWorkspaces(config, out, io)),
  );
  for (const [verb, state] of [
    ['suspend', 'suspended'],
    ['resume', 'active'],
    ['delete', 'deleted'],
  ] as const) {
    on(workspace, `${verb} <slug>`, `${verb} a workspace${verb === 'delete' ? ', for good' : ''}`).action(
      (slug: string, flags: Flags) =>
        run(flags, (operate, config, out) => operate.setWorkspace(config, slug, state, out, io)),
    );
  }
  const keys = program.command('keys').description('signing keys of the data folder (operator)');
  on(keys, 'list', 'list keys').action((flags: Flags) =>
    run(flags, (operate, config, out) => operate.listKeys(config, out, io)),
  );
  on(keys, 'rotate', 'publish a new key, which signs once every cache must know it').action((flags: Flags) =>
    run(flags, (operate, config, out) => operate.rotateKeys(config, out, io)),
  );
  on(keys, 'revoke <kid>', 'withdraw a key: its tokens are dead at once').action((kid: string, flags: Flags) =>
    run(flags, (operate, config, out) => operate.revokeKey(config, kid, out, io)),
  );
}

function addClient(program: Command, io: Io, principal: (flags: TargetFlags) => Target): void {
  withTarget(program.command('publish').description('publish one event by flags, or NDJSON from stdin'))
    .option('--event <name>', 'name, such as record_created')
    .option('--structure <slug>', 'structure of the record (recordSlug)')
    .option('--id <id>', 'id of the record (recordId)')
    .option('--data <json>', 'fields of the record, or {before, after} for record_updated')
    .option('--timestamp <instant>', 'ISO 8601; the time of publishing by default')
    .option('--idempotency-key <key>', 'makes a repetition harmless for 10 minutes, also of a long input')
    .addHelpText(
      'after',
      `\nExamples:\n  $ centrali publish --event record_created --structure order --id 42 --data '{"status":"paid"}'\n  $ centrali publish < events.ndjson\n  $ centrali publish --idempotency-key import-7 < events.ndjson    # again after a failure: nothing is stored twice`,
    )
    .action((flags: TargetFlags & PublishFlags) => publish(principal(flags), flags, io));
  withTarget(program.command('subscribe').description('print events as NDJSON'))
    .option('--structures <list>', 'structures, comma-separated', list)
    .option('--events <list>', 'names of events, comma-separated', list)
    .option('--filter <expression>', 'filter expression')
    .option('--job-id <id>', 'only compute events of this job')
    .option('--trigger-type <type>', 'only compute events of this kind of trigger')
    .option('--function-id <id>', 'only compute events of this function')
    .option('--last-event-id <id>', 'go on after this event')
    .option('--count <n>', 'end after this many events', whole)
    .option('--quiet', 'only events, nothing on stderr')
    .addHelpText(
      'after',
      '\nExamples:\n  $ centrali subscribe\n  $ centrali subscribe --structures order --events record_created --filter data.status:paid',
    )
    .action((flags: TargetFlags & SubscribeFlags) => {
      const { structures, events, filter, jobId, triggerType, functionId, lastEventId, count, quiet } = flags;
      const given = { structures, events, filter, jobId, triggerType, functionId, lastEventId, count, quiet };
      const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      return subscribe(principal(flags), said, io);
    });
  program
    .command('filter')
    .description('filters')
    .command('test <expression>')
    .description('test a filter on the event on stdin')
    .option('--json', 'one JSON object instead of text')
    .action((text: string, flags: Flags) => testFilter(text, { json: flags.json === true }, io));
}
