/**
 * Holds many streams open beside the measuring process, and notes when each one ends and with which code.
 * Told by messages: `open` a list of tokens under a tag, `close` some of them, `report` how the rest have ended.
 */
import { connect } from 'node:net';

const [port, path] = process.argv.slice(2);
/** How many connects are under way at once: more would only queue in the kernel. */
const AT_ONCE = 200;
/** tag -> { open, sockets, ended: [[hrtime in ns, code]] } */
const groups = new Map();

function open(group, token) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    let live = false;
    let code = 'none';
    let at;
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      if (!live && text.includes('"type":"connected"')) {
        live = true;
        group.open++;
        group.sockets.add(socket);
        resolve();
      } else if (!live && /^HTTP\/1.1 (?!200)/.test(text)) reject(new Error(text.slice(0, 300)));
      const error = /"type":"error".*?"code":"(\w+)"/.exec(text);
      if (!error) return;
      code = error[1];
      at = process.hrtime.bigint();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!live) return reject(new Error('closed before it was open'));
      group.open--;
      if (!group.sockets.delete(socket)) return;
      group.ended.push([Number(at ?? process.hrtime.bigint()), code]);
    });
  });
}

process.on('message', (message) => void obey(message));

async function obey({ type, tag, tokens, count }) {
  const group = groups.get(tag) ?? { open: 0, sockets: new Set(), ended: [] };
  groups.set(tag, group);
  if (type === 'report') {
    process.send({ type, ended: group.ended, open: [...groups].map(([name, { open }]) => [name, open]) });
    group.ended = [];
    return;
  }
  if (type === 'close') {
    const closed = [...group.sockets].slice(0, count);
    for (const socket of closed) {
      group.sockets.delete(socket);
      socket.destroy();
    }
    process.send({ type, closed: closed.length });
    return;
  }
  try {
    let next = 0;
    const worker = async () => {
      while (next < tokens.length) await open(group, tokens[next++]);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    process.send({ type: 'opened', open: group.open });
  } catch (error) {
    process.send({ type: 'failed', message: String(error) });
  }
}
process.on('disconnect', () => process.exit(0));
