import { SETTINGS, type Setting } from './settings.ts';

/** The configuration that `init` writes: every option with its comment; those that nobody must set commented out. */
export function writeConfig(values: Readonly<Record<string, unknown>>): string {
  const lines = [
    '// Configuration of Centrali Realtime: JSON with comments.',
    '// Each option is also a flag (--limits-connections-per-workspace) and an environment variable',
    '// (CENTRALI_LIMITS_CONNECTIONS_PER_WORKSPACE); the flag wins, then the variable, then this file.',
    '// Times are in seconds, sizes in bytes, 0 means no limit. Secrets never stand in here.',
    '{',
  ];
  let group = '';
  for (const setting of SETTINGS) {
    const [first = '', second] = setting.key.split('.');
    const next = second === undefined ? '' : first;
    if (group !== next) {
      if (group !== '') lines.push('  },');
      if (next !== '') lines.push('', `  ${JSON.stringify(next)}: {`);
      group = next;
    } else if (group === '') lines.push('');
    lines.push(...option(setting, second ?? first, values, group === '' ? '  ' : '    '));
  }
  if (group !== '') lines.push('  },');
  return `${lines.join('\n')}\n}\n`;
}

function option(setting: Setting, name: string, values: Readonly<Record<string, unknown>>, indent: string): string[] {
  const given = Object.hasOwn(values, setting.key);
  const value = given ? values[setting.key] : (setting.fallback ?? '…');
  return [
    `${indent}// ${setting.text}`,
    `${indent}${given ? '' : '// '}${JSON.stringify(name)}: ${JSON.stringify(value)},`,
  ];
}
