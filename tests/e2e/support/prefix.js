// A reverse proxy that serves the server under a path and takes the path off, as nginx does for
// `location /rooms/ { proxy_pass http://server/; }`. Whatever else is asked for is not there.

import { once } from 'node:events';
import { createServer, request } from 'node:http';

/** Starts one for the test `t`, before `target` ("host:port"); the URL of the path. `strays` collects what was asked for beside it. */
export async function openPrefix(t, target, prefix) {
  const strays = [];
  const [host, port] = target.split(':');
  const forward = (from) => {
    if (!from.url.startsWith(prefix)) {
      strays.push(from.url);
      return null;
    }
    return request({ host, port, method: from.method, path: `/${from.url.slice(prefix.length)}`, headers: from.headers });
  };
  const server = createServer((from, to) => {
    const onward = forward(from);
    if (!onward) return to.writeHead(404).end();
    onward.on('response', (answer) => answer.pipe(to.writeHead(answer.statusCode, answer.headers)));
    onward.on('error', () => to.destroy());
    return from.pipe(onward);
  });
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (from, near, nearHead) => {
    const onward = forward(from);
    near.on('error', () => onward?.destroy());
    if (!onward) return near.end('HTTP/1.1 404 Not Found\r\n\r\n');
    onward.on('upgrade', (answer, far, farHead) => {
      const lines = answer.rawHeaders.map((word, at) => (at % 2 ? `${word}\r\n` : `${word}: `));
      near.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      // What was read along with a head is the first of the frames: the server's welcome is seldom a read of its own.
      near.write(farHead);
      far.write(nearHead);
      far.on('error', () => near.destroy());
      near.pipe(far).pipe(near);
      near.on('close', () => far.destroy());
    });
    onward.on('error', () => near.destroy());
    return onward.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { url: `http://127.0.0.1:${server.address().port}${prefix}`, strays };
}
