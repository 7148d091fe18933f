import { describe, expect, it } from 'vitest';
import { HeaderFields } from '../../resource-server/index.ts';
import { cookieGate } from './cookie-origin.ts';

const gate = cookieGate('https://realtime.example', ['https://app.example', '*', 'null']);
const open = (...raw: string[]): boolean => gate(new HeaderFields(raw));

describe('the cookie with the token', () => {
  it.each([
    [['Origin', 'https://app.example']],
    [['Origin', 'https://realtime.example']],
    [['Sec-Fetch-Site', 'same-origin']],
  ])('counts for %j', (raw) => expect(open(...raw)).toBe(true));

  it.each([
    [[]],
    [['Origin', 'https://evil.example']],
    [['Origin', 'null']],
    [['Origin', '*']],
    [['Origin', 'https://APP.example']],
    [['Origin', 'https://app.example:443']],
    [['Origin', 'https://evil.example', 'Sec-Fetch-Site', 'same-origin']],
    [['Origin', 'https://app.example', 'Origin', 'https://app.example']],
    [['Sec-Fetch-Site', 'same-site']],
    [['Sec-Fetch-Site', 'none']],
    [['Sec-Fetch-Site', 'cross-site']],
    [['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Site', 'same-origin']],
    [['Referer', 'https://app.example/']],
  ])('does not count for %j', (raw) => expect(open(...raw)).toBe(false));
});
