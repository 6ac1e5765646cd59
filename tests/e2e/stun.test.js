// A page that knows no ICE server but the server's own STUN responder learns from it by which address it is seen.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { freePort, openNat } from './support/nat.js';
import { scenario } from './support/scenario.js';
import { startServer, startStun } from './support/server.js';
import { until } from './support/until.js';
import { Visitor, openBrowser } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser.close());

/** What a connection of the page's gathers with these servers. It has no peer: who is connected first gathers no further. */
const gather = (visitor, iceServers) => visitor.page.evaluate(async (iceServers) => {
  const connection = new RTCPeerConnection({ iceServers });
  const gathered = [];
  const done = new Promise((resolve) => {
    connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate) gathered.push({ type: candidate.type, port: candidate.port, url: candidate.url });
      else resolve();
    });
  });
  connection.createDataChannel('any');
  await connection.setLocalDescription();
  await done;
  connection.close();
  return gathered;
}, iceServers);

scenario('a page behind a NAT gathers a server-reflexive candidate from the responder that comes with the server', async (t) => {
  const port = await freePort();
  await startStun(t, port);
  const nat = await openNat(t, port);
  const server = await startServer(t, { SWITCHBOARD__STUN__PORT: `${nat.port}`, SWITCHBOARD__STUN__SERVE: 'false' });
  const url = `http://localhost:${server.port}/`;
  const ada = await Visitor.arrive(t, browser, url);
  await ada.joined('stun', 'Ada');
  const { iceServers } = ada.received.find(({ type }) => type === 'joined');
  assert.deepEqual(iceServers, [{ urls: `stun:localhost:${nat.port}` }], 'the one, at the host that the page was asked from');
  const found = (await gather(ada, iceServers)).filter(({ type }) => type === 'srflx');
  assert.ok(found.length > 0, 'a server-reflexive candidate');
  for (const candidate of found) {
    assert.ok(nat.mapped().includes(candidate.port), `${candidate.port} is a port of the NAT: ${nat.mapped()}`);
    assert.match(candidate.url, new RegExp(`^stun:localhost:${nat.port}\\b`));
  }
});

scenario('without a NAT and with the responder in the server itself the page still meets its friend', async (t) => {
  const port = await freePort();
  const server = await startServer(t, { SWITCHBOARD__STUN__PORT: `${port}`, SWITCHBOARD__STUN__HOST: '127.0.0.1', SWITCHBOARD__ICE__CHECK_INTERVAL_MS: '0' });
  const ada = await Visitor.arrive(t, browser, server.url);
  const grace = await Visitor.arrive(t, browser, server.url);
  await ada.joined('stun', 'Ada');
  await grace.joined('stun', 'Grace');
  await ada.sees('Grace', 'connected');
  await until('the responder was asked', async () => {
    const metrics = await (await fetch(`${server.opsUrl}metrics`)).text();
    return Number(/^switchboard_stun_requests_total\{outcome="answered"\} (\d+)$/m.exec(metrics)[1]) > 0;
  });
});
