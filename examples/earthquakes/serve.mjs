/** The application's own server: the page, its data, and a token for each visitor. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { world } from './data.mjs';
import { rings } from './land.mjs';

const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.mjs': ['app.mjs', 'text/javascript'],
  '/map.mjs': ['map.mjs', 'text/javascript'],
  '/style.css': ['style.css', 'text/css'],
};

/**
 * Starts the server on loopback; resolves with its URL and `close`. `visitorToken` resolves with a token
 * for someone who looks at the page: here everyone is a viewer, elsewhere one asks who it is first.
 */
export async function serve({ baseUrl, workspace }, { port, visitorToken }) {
  const texts = new Map([
    ['/config.json', [JSON.stringify({ baseUrl, workspace }), 'application/json']],
    ['/land.json', [JSON.stringify(rings(world(), 'land').map(round)), 'application/json']],
  ]);
  for (const [path, [file, type]] of Object.entries(FILES)) {
    texts.set(path, [readFileSync(new URL(`page/${file}`, import.meta.url), 'utf8'), type]);
  }
  const server = createServer((request, response) => {
    if (request.url === '/token') {
      visitorToken().then(
        (token) => {
          response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(token);
        },
        (error) => {
          console.error(error.message);
          response.writeHead(503).end();
        },
      );
      return;
    }
    const [text, type] = texts.get(request.url) ?? ['Not found', 'text/plain'];
    response.writeHead(texts.has(request.url) ? 200 : 404, { 'content-type': type }).end(text);
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A hundredth of a degree is a pixel at most. */
function round(ring) {
  return ring.map(([x, y]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100]);
}
