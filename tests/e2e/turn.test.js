// A real coturn, as this repository configures it: who gets in with the credentials that the server makes, and how far they get.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { startCoturn } from './support/coturn.js';
import { scenario } from './support/scenario.js';
import { REPOSITORY, startServer } from './support/server.js';
import { TurnClient } from './support/turn.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

const SECRET = 'the-secret-that-both-of-them-know';
const ROOM = 'silver-harbor-120';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const now = () => Math.floor(Date.now() / 1000);

/** Credentials by the scheme, made by nobody's server. */
const made = (secret, expiry) => {
  const username = `${expiry}:${'3f1c9a52d07e4b6f8a1b2c3d4e5f6071'}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
};

/** A server that hands out credentials for `turn`, as settings. */
const settingsFor = ({ host, port, secretFile }, more = {}) => ({
  SWITCHBOARD__ICE__SERVERS: JSON.stringify([{ urls: [`turn:${host}:${port}?transport=udp`], secret_file: secretFile }]),
  ...more,
});

/** Joins over a socket that a page opens by hand; returns `joined`, and what sends and what waits for a frame. */
async function joinBySocket(t, server) {
  const { page } = await Visitor.arrive(t, browser, server.url);
  await page.evaluate((room) => {
    const socket = new WebSocket(`${location.href.replace('http', 'ws')}ws`, 'switchboard.v1');
    Object.assign(globalThis, { socket, frames: [] });
    socket.onmessage = ({ data }) => globalThis.frames.push(JSON.parse(data));
    socket.onopen = () => socket.send(JSON.stringify({ type: 'join', room }));
  }, ROOM);
  const frame = (type) => until(`a ${type}`, () => page.evaluate((wanted) => globalThis.frames.find((one) => one.type === wanted), type));
  const send = (json) => page.evaluate((text) => globalThis.socket.send(text), JSON.stringify(json));
  return { joined: await frame('joined'), send, frame };
}

scenario('coturn lets in who has credentials of the server, and nobody with expired, altered or other ones', async (t) => {
  const turn = await startCoturn(t, [SECRET]);
  const server = await startServer(t, settingsFor(turn));
  const { joined, send, frame } = await joinBySocket(t, server);
  const code = (credentials) => new TurnClient(t, turn, credentials).allocate();
  const [entry] = joined.iceServers;
  assert.equal(await code(entry), 200);
  await send({ type: 'ice' });
  const [fresh] = (await frame('ice_servers')).iceServers;
  assert.equal(await code(fresh), 200);

  const [expiry, name] = entry.username.split(':');
  const altered = [
    { ...entry, username: `${Number(expiry) + 1}:${name}` },
    { ...entry, username: `${expiry}:${'0'.repeat(32)}` },
    { ...entry, credential: `${entry.credential.startsWith('A') ? 'B' : 'A'}${entry.credential.slice(1)}` },
    { ...entry, credential: '' },
    made('a-secret-that-nobody-knows', now() + 600),
    made(SECRET, now() - 60),
  ];
  for (const credentials of altered) assert.equal(await code(credentials), 401, JSON.stringify(credentials));
  // What stands in the way of the last one is its time alone.
  assert.equal(await code(made(SECRET, now() + 60)), 200);
});

scenario('credentials end when the server says, and what was made with them by then goes on', async (t) => {
  const turn = await startCoturn(t, [SECRET]);
  const server = await startServer(t, settingsFor(turn, { SWITCHBOARD__ICE__CREDENTIAL_TTL_MS: '4000' }));
  const { joined } = await joinBySocket(t, server);
  assert.equal(joined.iceTtlMs, 4000);
  const [entry] = joined.iceServers;
  const relay = new TurnClient(t, turn, entry);
  assert.equal(await relay.allocate(), 200);
  await until('the credentials to end', async () => (await new TurnClient(t, turn, entry).allocate()) === 401);
  assert.equal(await relay.permit('8.8.8.8'), 200);
  assert.equal(await relay.refresh(600), 200);
});

scenario('another secret follows the first without a gap', async (t) => {
  const NEXT = 'the-secret-that-follows-the-first';
  const turn = await startCoturn(t, [SECRET, NEXT]);
  const server = await startServer(t, settingsFor(turn));
  const { joined, send, frame } = await joinBySocket(t, server);
  const code = (credentials) => new TurnClient(t, turn, credentials).allocate();
  assert.equal(await code(joined.iceServers[0]), 200);
  writeFileSync(turn.secretFile, `${NEXT}\n${SECRET}\n`);
  await until('the server to take the other secret', async () => {
    const { joined: { iceServers: [entry] } } = await joinBySocket(t, server);
    return entry.credential === createHmac('sha1', NEXT).update(entry.username).digest('base64');
  });
  await send({ type: 'ice' });
  assert.equal(await code((await frame('ice_servers')).iceServers[0]), 200);
  assert.equal(await code(joined.iceServers[0]), 200, 'those of the former secret are good until they end');
});

scenario('coturn relays into the internet, and into no network that is none', async (t) => {
  const turn = await startCoturn(t, [SECRET]);
  const of = (family) => async (addresses, expected) => {
    const client = new TurnClient(t, turn, made(SECRET, now() + 600));
    assert.equal(await client.allocate({ family }), 200);
    for (const address of addresses) assert.equal(await client.permit(address), expected, address);
  };
  const [four, six] = [of(4), of(6)];
  await four(['8.8.8.8', '1.1.1.1', '100.63.255.255', '172.15.255.255', '172.32.0.0', '169.253.255.255', '223.255.255.255'], 200);
  await four(['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.2', '127.255.255.255', '169.254.0.1', '169.254.169.254', '172.16.0.1',
    '172.31.255.255', '192.0.0.192', '192.168.0.1', '198.18.0.1', '168.63.129.16', '224.0.0.1', '239.255.255.250',
    '255.255.255.255'], 403);
  await six(['2606:4700:4700::1111', '2a00:1450::1'], 200);
  await six(['::1', '::10.0.0.1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', '64:ff9b:1::a00:1',
    '2002:a9fe:a9fe::1', '2001:0:a00:1::1', 'fd00:ec2::254', 'fd20:ce::254', 'fc00::1', 'fe80::1', 'fec0::1', 'ff02::1'], 403);
});

scenario('coturn gives one peer no more relays than its share', async (t) => {
  const quota = Number(/^user-quota=(\d+)$/m.exec(readFileSync(join(REPOSITORY, 'config/coturn/turnserver.conf'), 'utf8'))[1]);
  const turn = await startCoturn(t, [SECRET]);
  // The name counts, not the time before it: a fresh set is no fresh share.
  const codes = await Promise.all(Array.from({ length: quota + 3 }, (_, n) => new TurnClient(t, turn, made(SECRET, now() + 600 + n)).allocate()));
  assert.equal(codes.filter((code) => code === 200).length, quota);
  assert.deepEqual([...new Set(codes)].sort(), [200, 486]);
});

scenario('two pages that may only be relayed talk through coturn', async (t) => {
  const turn = await startCoturn(t, [SECRET]);
  const server = await startServer(t, settingsFor(turn));
  const { ada, grace } = await meetRelayed(t, server);
  await ada.say('can you hear me?');
  await grace.hears('can you hear me?', 'Ada');
  await grace.say('loud and clear');
  await ada.hears('loud and clear', 'Grace');
});

scenario('a page asks for other credentials in time, and finds a new way with them when the first ones have ended', async (t) => {
  const turn = await startCoturn(t, [SECRET]);
  const server = await startServer(t, settingsFor(turn, { SWITCHBOARD__ICE__CREDENTIAL_TTL_MS: '12000' }));
  const { ada, grace } = await meetRelayed(t, server);
  const first = ada.received.find(({ type }) => type === 'joined').iceServers[0];
  const fresh = await until('a fresh set', () => ada.received.find(({ type }) => type === 'ice_servers')?.iceServers[0]);
  assert.ok(fresh.username > first.username, `${fresh.username} after ${first.username}`);
  await until('the first ones to end', async () => (await new TurnClient(t, turn, first).allocate()) === 401);
  const configured = (visitor) => visitor.page.evaluate(() => globalThis.madeConnections.at(-1).getConfiguration().iceServers[0].username);
  const latest = (visitor) => visitor.received.filter(({ type }) => type === 'ice_servers').at(-1).iceServers[0].username;
  await until('the connection to have the latest', async () => (await configured(ada)) === latest(ada));
  const candidates = () => ada.sent.filter(({ kind, data }) => kind === 'candidate' && data.candidate?.includes('typ relay')).length;
  const before = candidates();
  await ada.page.evaluate(() => globalThis.madeConnections.at(-1).restartIce());
  await until('a relay that the fresh credentials got', () => candidates() > before);
  await ada.say('still here');
  await grace.hears('still here', 'Ada');
});

/** Two pages in one room that reach each other by relays alone. */
async function meetRelayed(t, server) {
  const onlyRelayed = (page) => page.addInitScript(() => {
    globalThis.madeConnections = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(configuration) {
        super({ ...configuration, iceTransportPolicy: 'relay' });
        globalThis.madeConnections.push(this);
      }

      setConfiguration(configuration) {
        super.setConfiguration({ ...configuration, iceTransportPolicy: 'relay' });
      }
    };
  });
  const ada = await Visitor.arrive(t, browser, server.url, onlyRelayed);
  await ada.joined(ROOM, 'Ada');
  const grace = await Visitor.arrive(t, browser, server.url, onlyRelayed);
  await grace.joined(ROOM, 'Grace');
  await ada.sees('Grace', 'connected');
  for (const visitor of [ada, grace]) {
    const pair = await visitor.page.evaluate(async () => {
      const stats = [...(await globalThis.madeConnections.at(-1).getStats()).values()];
      const used = stats.find((one) => one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded');
      const kind = (id) => stats.find((one) => one.id === id).candidateType;
      return [kind(used.localCandidateId), kind(used.remoteCandidateId)];
    });
    assert.deepEqual(pair, ['relay', 'relay']);
  }
  return { ada, grace };
}
