// Both pages behind a proxy that serves them under a path: nothing they ask for is outside of it.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { openPrefix } from './support/prefix.js';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'lucky-maple-640';

for (const prefix of ['/rooms/', '/a/b%20c/']) {
  scenario(`people meet, and invite others by link, below ${prefix}`, async (t) => {
    const server = await startServer(t);
    const { url, strays } = await openPrefix(t, `127.0.0.1:${server.port}`, prefix);
    const ada = await Visitor.arrive(t, browser, `${url}?utm=mail`);
    await ada.joined(ROOM, 'Ada');
    const link = await ada.page.getByLabel('Link to this room').inputValue();
    assert.equal(link, `${url}#room=${ROOM}`);
    const grace = await Visitor.arrive(t, browser, link);
    await grace.press('Join');
    await ada.sees('Guest', 'connected');
    await ada.page.reload();
    await ada.inRoom(ROOM);
    assert.deepEqual(strays, []);
  });
}

scenario('the live page of the ops listener shows the server below a path', async (t) => {
  const server = await startServer(t);
  const { url, strays } = await openPrefix(t, server.ops, '/ops/switchboard/');
  const operator = await Visitor.arrive(t, browser, url);
  await operator.status('Healthy');
  await until('figures', async () => (await operator.page.locator('.card .value').first().textContent()) === '0');
  for (const name of ['metrics', 'errors', 'health']) {
    const href = await operator.page.getByRole('link', { name, exact: true }).evaluate((link) => link.href);
    assert.equal((await fetch(href)).status, 200, href);
  }
  assert.deepEqual(strays, []);
});

scenario('a page that came over TLS asks for a socket over TLS, at its own path', async (t) => {
  const { url } = await startServer(t);
  const visitor = await Visitor.arrive(t, browser, url);
  const urls = await visitor.page.evaluate(async () => {
    const { SignalingClient } = await import('/client.js');
    const asked = [];
    class WebSocket {
      constructor(url) { asked.push(url); }
      close() {}
    }
    for (const base of ['https://example.org/', 'https://example.org/rooms/?room=x#room=y', 'http://[::1]:8080/rooms/index.html']) {
      const client = new SignalingClient({ url: new URL('ws', base), room: 'café & co', WebSocket });
      client.start();
      client.close();
    }
    return asked;
  });
  const query = '?room=caf%C3%A9%20%26%20co';
  assert.deepEqual(urls, [`wss://example.org/ws${query}`, `wss://example.org/rooms/ws${query}`, `ws://[::1]:8080/rooms/ws${query}`]);
});
