import { BlockList, isIP, isIPv4 } from 'node:net';

/** Where a request comes from, and whether nobody on the way could read it. */
export interface Peer {
  /** The client's address: the peer's, or what a trusted proxy says it is. */
  readonly address: string;
  /** TLS to us, loopback, or a trusted proxy that says `https`. */
  readonly secure: boolean;
}

/** `::ffff:127.0.0.1` is `127.0.0.1`: a socket that listens on `::` names IPv4 peers so. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address.toLowerCase();
}

/** Whether an IP address is of this machine alone. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'));
}

/** Whether a host name or address, as a URL or an option writes it, means this machine alone. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  return name === 'localhost' || name.endsWith('.localhost') || isLoopback(name);
}

/**
 * Reads a list of trusted proxies: IP addresses, networks in CIDR notation, or `loopback`.
 * Throws a `TypeError` that names the first entry which is none of them.
 */
export function trustedProxies(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of entries) {
    if (entry === 'loopback') {
      list.addSubnet('127.0.0.0', 8, 'ipv4');
      list.addAddress('::1', 'ipv6');
      continue;
    }
    const [network = '', prefix, rest] = entry.split('/');
    const version = isIP(network);
    const bits = prefix === undefined ? (version === 4 ? 32 : 128) : Number(prefix);
    const whole = prefix === undefined || /^\d{1,3}$/.test(prefix);
    if (version === 0 || rest !== undefined || !whole || bits > (version === 4 ? 32 : 128)) {
      throw new TypeError(`trustedProxies: ${JSON.stringify(entry)} is neither an IP address nor a network`);
    }
    list.addSubnet(network, bits, version === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/**
 * Finds the client behind trusted proxies. `X-Forwarded-For` is read from its end, past every trusted
 * address; the first one that is not trusted is the client, whatever stands before it was written by the
 * client itself. Headers of a peer that is not trusted are not looked at.
 */
export function findPeer(
  socketAddress: string,
  tls: boolean,
  header: (name: string) => readonly string[],
  isTrusted: (address: string) => boolean,
): Peer {
  const direct = plainAddress(socketAddress);
  if (!isTrusted(direct)) return { address: direct, secure: tls || isLoopback(direct) };
  let address = direct;
  const forwarded = header('x-forwarded-for').flatMap((value) => value.split(','));
  for (const entry of forwarded.reverse()) {
    const hop = plainAddress(withoutPort(entry.trim()));
    if (isIP(hop) === 0) break;
    address = hop;
    if (!isTrusted(hop)) break;
  }
  const protocols = header('x-forwarded-proto').flatMap((value) => value.split(','));
  const protocol = protocols.at(-1)?.trim().toLowerCase();
  if (protocol !== undefined) return { address, secure: protocol === 'https' };
  // A trusted proxy that says nothing proves nothing; a client on this machine needs no proof.
  return { address, secure: isLoopback(direct) && isLoopback(address) };
}

function withoutPort(text: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1];
  if (bracketed !== undefined) return bracketed;
  return /^\d+\.\d+\.\d+\.\d+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text;
}

/**
 * The name under which an address is limited: an IPv4 address itself, the /64 of an IPv6 one, since a
 * single client owns at least that much.
 */
export function limitKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
