// The path between a page and its server: a TCP proxy that can lose connections, swallow bytes, be slow, and let nobody through.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Starts one for the test `t` in front of `port`. */
export async function openPath(t, port) {
  const pairs = new Set();
  let [swallows, refuses, delayMs] = [false, false, 0];
  const server = createServer((near) => {
    if (refuses) return near.destroy();
    const far = connect(port, '127.0.0.1');
    const pair = { near, far, swallowed: swallows };
    pairs.add(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      const pass = (bytes) => { if (!pair.swallowed) to.write(bytes); };
      from.on('data', (bytes) => { if (delayMs) setTimeout(pass, delayMs, bytes); else pass(bytes); });
      from.on('error', () => {});
      // In a black hole nobody learns that the other end has gone.
      from.on('close', () => {
        if (pair.swallowed) return;
        pairs.delete(pair);
        to.destroy();
      });
    }
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const each = (act) => { for (const pair of [...pairs]) act(pair); };
  const end = () => each(({ near, far }) => { near.destroy(); far.destroy(); });
  t.after(async () => {
    end();
    server.close();
    await once(server, 'close');
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Resets what is open; both ends notice. */
    cut: () => each(({ near, far }) => { near.resetAndDestroy(); far.resetAndDestroy(); }),
    /** Turns nobody through, or everybody again. What is open stays open. */
    close: () => { refuses = true; },
    open: () => { refuses = false; },
    /** From now on each piece takes so long, and none overtakes another. */
    slow: (ms) => { delayMs = ms; },
    /** From now on nothing comes through, on new connections either, and nobody is told. */
    swallow: () => {
      swallows = true;
      each((pair) => { pair.swallowed = true; });
    },
    /** New connections get through. What was swallowed is lost, and so is what it was swallowed from. */
    heal: () => { swallows = false; },
  };
}
