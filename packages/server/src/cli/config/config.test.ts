import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigFaults, type ConfigSources, loadConfig, SETTINGS, writeConfig } from './index.ts';
import { parseJsonc } from './jsonc.ts';

const folder = mkdtempSync(join(tmpdir(), 'centrali-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
function file(text: string): string {
  files += 1;
  const path = join(folder, `${files}.jsonc`);
  writeFileSync(path, text);
  return path;
}

const load = (sources: Partial<ConfigSources>): ReturnType<typeof loadConfig> =>
  loadConfig({ flags: {}, env: {}, ...sources });

function faultsOf(sources: Partial<ConfigSources>): readonly string[] {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof ConfigFaults) return error.faults;
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  it('runs without any', () => {
    expect(faultsOf({})).toEqual([]);
    expect(load({}).config).toMatchObject({ role: 'all', host: '127.0.0.1', port: 8080, drainSeconds: 25 });
  });

  it('takes the flag, then the variable, then the file, then the default', () => {
    const path = file('{ "port": 1, "drainSeconds": 1, "limits": { "connectionsPerWorkspace": 1 } }');
    const { config } = load({
      flags: { port: '3' },
      env: { CENTRALI_PORT: '2', CENTRALI_DRAIN_SECONDS: '2' },
      file: path,
      defaults: { drainSeconds: 9, devTokens: true },
    });
    expect(config).toMatchObject({ port: 3, drainSeconds: 2, devTokens: true });
    expect(config.limits.connectionsPerWorkspace).toBe(1);
  });

  it('names every option as a flag and a variable, each once', () => {
    for (const field of ['key', 'flag', 'variable'] as const) {
      expect(new Set(SETTINGS.map((setting) => setting[field])).size).toBe(SETTINGS.length);
    }
    expect(SETTINGS).toContainEqual(
      expect.objectContaining({
        key: 'limits.connectionsPerWorkspace',
        flag: '--limits-connections-per-workspace',
        variable: 'CENTRALI_LIMITS_CONNECTIONS_PER_WORKSPACE',
        fallback: 1000,
      }),
    );
  });

  it.each([
    'limits.connectionsPerWorkspace',
    'limits.connectionsPerPrincipal',
    'limits.connectionsPerAddress',
    'limits.connectsPerSecondPerAddress',
    'limits.requestsPerSecondPerPrincipal',
    'stream.lifetimeSeconds',
    'stream.positionSeconds',
    'stream.maxUnsentBytes',
    'log.maxAgeSeconds',
    'log.maxBytes',
    'log.maxEvents',
    'tokens.serviceLifetimeSeconds',
    'tokens.userLifetimeSeconds',
    'tokens.query',
    'drainSeconds',
    'allowedOrigins',
    'trustedProxies',
    'providers.allowPrivateAddresses',
    'devTokens',
    'logLevel',
  ])('has the option %s, on which others build', (key) =>
    expect(SETTINGS.map((setting) => setting.key)).toContain(key),
  );

  it('reads lists and switches from variables', () => {
    const { config } = load({
      env: {
        CENTRALI_ALLOWED_ORIGINS: 'https://a.example, https://b.example',
        CENTRALI_TRUSTED_PROXIES: '10.0.0.0/8,loopback',
        CENTRALI_PROVIDERS_ALLOW_PRIVATE_ADDRESSES: 'true',
      },
    });
    expect(config.allowedOrigins).toEqual(['https://a.example', 'https://b.example']);
    expect(config.trustedProxies).toEqual(['10.0.0.0/8', 'loopback']);
    expect(config.providers.allowPrivateAddresses).toBe(true);
  });

  it('names the faults that follow a list with several bad items', () => {
    const path = file(
      '{ "allowedOrigins": ["null", "foo"], "drainSeconds": -1, "limits": { "connectionsPerAddress": -1 } }',
    );
    expect(faultsOf({ file: path })).toEqual([
      'allowedOrigins must be an origin such as https://app.example.com, without a path, or *',
      'limits.connectionsPerAddress must be a whole number from 0 to 1000000',
      'drainSeconds must be a whole number from 0 to 3600',
    ]);
  });

  it('names a variable of every group of options that is none', () => {
    expect(faultsOf({ env: { CENTRALI_TICKETS_BOND: 'true', CENTRALI_STREAM_LIFETIME: '1' } })).toEqual([
      'CENTRALI_TICKETS_BOND is not an option',
      'CENTRALI_STREAM_LIFETIME is not an option',
    ]);
  });

  it('names all faults at once: of the file, of variables, of flags, and contradictions', () => {
    const path = file(`{
      "port": 70000, "nonsense": 1, "connectionsPerWorkspace": 1, "limits": { "connectionsPerPrincipal": -1, "other": 2 },
      "stream": 3, "role": "boss", "host": "0.0.0.0", "allowedOrigins": ["https://a.example/path"],
    }`);
    const faults = faultsOf({
      file: path,
      env: { CENTRALI_LIMITS_CONECTIONS: '1', CENTRALI_DRAIN_SECONDS: 'soon' },
      flags: { publicUrl: 'http://realtime.example.com' },
    });
    expect(faults).toEqual([
      '"nonsense" is not an option',
      '"connectionsPerWorkspace" is not an option; did you mean limits.connectionsPerWorkspace?',
      '"limits.other" is not an option',
      'stream must be an object',
      'CENTRALI_LIMITS_CONECTIONS is not an option',
      'role must be one of all, gateway, iam',
      'port must be a whole number from 0 to 65535',
      expect.stringMatching(/^allowedOrigins must be an origin/),
      'limits.connectionsPerPrincipal must be a whole number from 0 to 1000000',
      'CENTRALI_DRAIN_SECONDS must be a whole number from 0 to 3600',
      expect.stringMatching(/^host 0\.0\.0\.0 is reachable from outside over plain http/),
      expect.stringMatching(/^publicUrl must begin with https/),
    ]);
  });

  it('never repeats a value, which may be a secret in the wrong place', () => {
    const secret = 'sk_0123456789abcdef';
    const faults = faultsOf({
      file: file(`{ "role": "${secret}", "internal": { "credential": "${secret}" } }`),
      env: { CENTRALI_PORT: secret, CENTRALI_INTERNAL_CREDENTIAL: secret },
    });
    expect(faults).toHaveLength(4);
    expect(faults.join('\n')).not.toContain(secret);
    expect(faultsOf({ file: file(`{ "a": ${secret} }`) }).join()).toMatch(/is not JSON \(line 1\)$/);
  });

  it.each([
    ['gateway', ['publicUrl', 'iamUrl', 'role gateway needs the secret']],
    ['iam', ['publicUrl', 'role iam needs the secret']],
  ])('says what role %s needs', (role, needed) => {
    const faults = faultsOf({ flags: { role } });
    expect(faults).toHaveLength(needed.length);
    for (const [i, start] of needed.entries()) expect(faults[i]).toMatch(new RegExp(`^${start}`));
  });

  it('reads the credential from its file or the environment', () => {
    const credential = 'c'.repeat(32);
    const path = file(`${credential}\n`);
    expect(load({ flags: { 'internal.credentialFile': path } }).internalCredential).toBe(credential);
    expect(load({ env: { CENTRALI_INTERNAL_CREDENTIAL: credential } }).internalCredential).toBe(credential);
    expect(faultsOf({ env: { CENTRALI_INTERNAL_CREDENTIAL: 'short' } })).toEqual([
      'CENTRALI_INTERNAL_CREDENTIAL must hold 32 to 1,024 visible ASCII characters',
    ]);
    expect(faultsOf({ flags: { 'internal.credentialFile': join(folder, 'none') } })).toEqual([
      'internal.credentialFile cannot be read: ENOENT',
    ]);
  });

  it.each([
    [{ host: '0.0.0.0', publicUrl: 'https://a.example' }, /plain http/],
    [{ host: '0.0.0.0', trustedProxies: ['10.0.0.1'] }, /publicUrl is needed/],
    [{ 'tls.certFile': 'cert.pem' }, /given together/],
    [{ 'internal.host': '0.0.0.0' }, /internal\.host is reachable/],
    [{ workers: '2' }, /one worker/],
  ] as [ConfigSources['flags'], RegExp][])('refuses %j', (flags, fault) => {
    expect(faultsOf({ flags })).toEqual([expect.stringMatching(fault)]);
  });

  it('allows plain http behind a named proxy, and TLS anywhere', () => {
    const publicUrl = 'https://a.example';
    expect(faultsOf({ flags: { host: '0.0.0.0', publicUrl, trustedProxies: ['10.0.0.1'] } })).toEqual([]);
    expect(faultsOf({ flags: { host: '::', publicUrl, 'tls.certFile': 'c', 'tls.keyFile': 'k' } })).toEqual([]);
  });

  it('takes relative paths from the folder of the file, or from where the command runs', () => {
    expect(load({ file: file('{ "data": "state" }') }).config.data).toBe(join(folder, 'state'));
    expect(load({ flags: { data: 'state' }, cwd: '/srv' }).config.data).toBe('/srv/state');
  });

  it('tells of a file that is not there', () => {
    expect(faultsOf({ file: join(folder, 'none') })).toEqual([expect.stringMatching(/ENOENT$/)]);
    expect(faultsOf({ file: file('[]') })).toEqual([expect.stringMatching(/one JSON object$/)]);
  });
});

describe('the file that init writes', () => {
  it('holds every option, and means the defaults', () => {
    const text = writeConfig({ publicUrl: 'https://realtime.example.com' });
    for (const { key, text: comment } of SETTINGS) {
      expect(text).toContain(`"${key.split('.').at(-1)}"`);
      expect(text).toContain(comment);
    }
    const { config } = load({ file: file(text) });
    expect(config).toEqual({ ...load({}).config, publicUrl: 'https://realtime.example.com' });
  });

  it('is still right with every comment taken away from its options', () => {
    const text = writeConfig({ publicUrl: 'https://realtime.example.com' });
    const open = text.replace(/^(\s*)\/\/ (".*,)$/gm, (line, indent: string, option: string) =>
      option.includes('…') ? line : indent + option,
    );
    expect(load({ file: file(open) }).config).toEqual({
      ...load({}).config,
      publicUrl: 'https://realtime.example.com',
      data: join(folder, '.centrali'),
    });
  });
});

describe('parseJsonc', () => {
  it.each([
    ['{"a": "// no comment", /* b */ "c": [1, 2,], } // end', { a: '// no comment', c: [1, 2] }],
    ['{"a": ",]", "b": "\\"/*",}', { a: ',]', b: '"/*' }],
    ['{ // "x": [],\n "a": 1 }', { a: 1 }],
    ['[1,\n// ]\n2]', [1, 2]],
  ])('reads %s', (text, value) => expect(parseJsonc(text)).toEqual(value));

  it.each(['{', '{"a": 1 "b": 2}', '{,}', '', '/* open', '{"a": \'1\'}'])('refuses %j', (text) =>
    expect(() => parseJsonc(text)).toThrow(SyntaxError),
  );

  it('names the line', () => {
    expect(() => parseJsonc('{\n// one\n"a": 1,\n"b" 2\n}')).toThrow('line 4');
  });
});
