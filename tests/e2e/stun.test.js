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

/** For `Visitor.arrive`: what the page's RTCPeerConnections gather is kept. */
const keepCandidates = (page) => page.addInitScript(() => {
  globalThis.gathered = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) {
      super(...options);
      this.addEventListener('icecandidate', ({ candidate }) => {
        if (candidate) globalThis.gathered.push({ type: candidate.type, port: candidate.port, url: candidate.url });
      });
    }
  };
});

/** The server-reflexive candidates of all connections of the page. */
const reflexive = (visitor) => visitor.page.evaluate(() => globalThis.gathered.filter(({ type }) => type === 'srflx'));

scenario('a page behind a NAT gathers a server-reflexive candidate from the responder that comes with the server', async (t) => {
  const port = await freePort();
  await startStun(t, port);
  const nat = await openNat(t, port);
  const server = await startServer(t, { SWITCHBOARD__STUN__PORT: `${nat.port}`, SWITCHBOARD__STUN__SERVE: 'false' });
  const url = `http://localhost:${server.port}/`;
  const ada = await Visitor.arrive(t, browser, url, keepCandidates);
  const grace = await Visitor.arrive(t, browser, url, keepCandidates);
  await ada.joined('stun', 'Ada');
  await grace.joined('stun', 'Grace');
  for (const visitor of [ada, grace]) {
    const { iceServers } = visitor.received.find(({ type }) => type === 'joined');
    assert.deepEqual(iceServers, [{ urls: `stun:localhost:${nat.port}` }], 'the one, at the host that the page was asked from');
    const found = await until('a server-reflexive candidate', async () => {
      const all = await reflexive(visitor);
      return all.length > 0 && all;
    });
    for (const candidate of found) {
      assert.ok(nat.mapped().includes(candidate.port), `${candidate.port} is a port of the NAT: ${nat.mapped()}`);
      assert.match(candidate.url, new RegExp(`^stun:localhost:${nat.port}\\b`));
    }
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
