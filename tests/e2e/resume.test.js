// Losing the server costs nobody what they have with each other: connections between browsers outlive those to the server.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { openPath } from './support/path.js';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { countConnections, openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'brave-falcon-220';
const count = (visitor, type) => visitor.received.filter((frame) => frame.type === type).length;

/** Ada and Grace, connected with each other, each over a path of her own to the server. */
async function couple(t, settings) {
  const server = await startServer(t, settings);
  const paths = [];
  const people = [];
  for (const name of ['Ada', 'Grace']) {
    paths.push(await openPath(t, server.port));
    people.push(await Visitor.arrive(t, browser, paths.at(-1).url, countConnections));
    await people.at(-1).joined(ROOM, name);
  }
  await connected(people);
  return { server, people, paths };
}

async function connected([ada, grace]) {
  await Promise.all([ada.sees('Grace', 'connected'), grace.sees('Ada', 'connected')]);
}

/** Nobody made a second connection, and the first is up. */
async function untouched(people) {
  for (const person of people) assert.deepEqual(await person.connections(), ['connected']);
}

async function talk(from, to, name, lines) {
  for (const line of lines) await from.say(line);
  for (const line of lines) await to.hears(line, name);
}

scenario('a cut connection to the server costs no line, no connection and no seat', async (t) => {
  const { people, paths } = await couple(t);
  const [ada, grace] = people;
  const lines = Array.from({ length: 21 }, (_, nth) => `line ${nth + 1} of all`);
  for (const [nth, line] of lines.entries()) {
    if (nth === 5) paths[0].cut();
    await ada.say(line);
  }
  for (const line of lines) await grace.hears(line, 'Ada');
  await ada.comesBack();
  await talk(grace, ada, 'Grace', ['welcome back']);
  await connected(people);
  await untouched(people);
  assert.equal(ada.received.filter(({ type }) => type === 'joined').at(-1).complete, true);
  await until('Grace hears that Ada is back', () => count(grace, 'peer_back') === count(grace, 'peer_away'));
  assert.equal(count(grace, 'peer_left'), 0);
});

scenario('a cut while two find each other only delays it', async (t) => {
  const server = await startServer(t);
  const path = await openPath(t, server.port);
  const ada = await Visitor.arrive(t, browser, server.url, countConnections);
  await ada.joined(ROOM, 'Ada');
  const grace = await Visitor.arrive(t, browser, path.url, async (page) => {
    await countConnections(page);
    // Her first offer is lost with the socket that carries it, and whatever she says there after it.
    await page.exposeFunction('cutPath', () => path.cut());
    await page.addInitScript(() => {
      const send = WebSocket.prototype.send;
      let lost = null;
      WebSocket.prototype.send = function lose(text) {
        if (!lost && JSON.parse(text).kind === 'offer') {
          lost = this;
          globalThis.cutPath();
        }
        if (this !== lost) send.call(this, text);
      };
    });
  });
  await grace.join(ROOM, 'Grace');
  await until('her session goes on', () => grace.received.some(({ type, complete }) => type === 'joined' && complete));
  await connected([ada, grace]);
  await untouched([ada, grace]);
});

scenario('who comes back too late for the session keeps the connections all the same', async (t) => {
  const { people, paths } = await couple(t, { SWITCHBOARD__LIMITS__RESUME_WINDOW_MS: '1000' });
  const [ada, grace] = people;
  paths[0].close();
  paths[0].cut();
  await grace.notices('Ada is gone from the server; what you write still gets there directly');
  await talk(grace, ada, 'Grace', ['can you still read this?']);
  await talk(ada, grace, 'Ada', ['every word']);
  paths[0].open();
  await ada.comesBack();
  await connected(people);
  await grace.seesOnly('Ada', 'Grace');
  await ada.seesOnly('Ada', 'Grace');
  await untouched(people);
  await talk(ada, grace, 'Ada', ['as if nothing had been']);
  assert.equal(await grace.page.locator('.message').filter({ hasText: 'as if nothing had been' }).count(), 1);
});

scenario('a server that died and came back finds people who never lost each other', async (t) => {
  const { server, people, paths } = await couple(t);
  const [ada, grace] = people;
  await server.crash();
  await talk(ada, grace, 'Ada', ['no server, no matter']);
  await startServer(t, { SWITCHBOARD__SERVER__PORT: server.port });
  await Promise.all(people.map((person) => person.comesBack()));
  await connected(people);
  await Promise.all(people.map((person) => person.seesOnly('Ada', 'Grace')));
  await untouched(people);

  // And what they have now is as good as new: signals find it under its new name.
  await ada.page.evaluate(() => globalThis.madeConnections[0].restartIce());
  await until('new routes are agreed on', () => grace.sent.some(({ kind }) => kind === 'answer'));
  paths[1].cut();
  await talk(grace, ada, 'Grace', ['still here']);
  await untouched(people);
});

scenario('a session of which something was lost goes on with the connections that there are', async (t) => {
  const { people, paths, server } = await couple(t, { SWITCHBOARD__LIMITS__RESUME_FRAMES: '2' });
  const [ada] = people;
  paths[0].close();
  paths[0].cut();
  const others = [];
  for (let nth = 0; nth < 2; nth += 1) {
    others.push(await Visitor.arrive(t, browser, server.url));
    await others[nth].joined(ROOM, `Hedy ${nth}`);
  }
  await others[0].press('Leave');
  paths[0].open();
  await ada.comesBack();
  await until('the server says that it is not complete', () => ada.received.some(({ complete }) => complete === false));
  await ada.sees('Hedy 1', 'connected');
  await others[1].sees('Ada', 'connected');
  await ada.seesOnly('Ada', 'Grace', 'Hedy 1');
  await connected(people);
  assert.equal((await ada.connections())[0], 'connected', 'the connection to Grace is the first');
  assert.deepEqual((await ada.connections()).filter((state) => state !== 'closed').length, 2);
});

scenario('who meant to leave is let go at once, and an away peer is shown as such', async (t) => {
  const { people: [ada, grace], paths } = await couple(t);
  paths[0].close();
  paths[0].cut();
  await grace.sees('Ada', 'connected, away from the server');
  paths[0].open();
  await ada.comesBack();
  await grace.sees('Ada', 'connected');
  await until('not away', async () => !(await grace.page.locator('#roster').textContent()).includes('away'));
  await ada.press('Leave');
  await grace.notices('Ada left');
  await until('closed', async () => (await grace.connections()).every((state) => state === 'closed'));
  await grace.seesOnly('Grace');
});

scenario('a page that is reloaded while nobody hears of it gets its own seat in a full room', async (t) => {
  const { people, paths } = await couple(t, { SWITCHBOARD__LIMITS__PEERS_PER_ROOM: '2' });
  const [ada, grace] = people;
  const former = ada.received.find(({ type }) => type === 'joined').self;
  paths[0].swallow();
  paths[0].heal();
  await ada.page.reload();
  await ada.inRoom(ROOM);
  await connected(people);
  await grace.seesOnly('Ada', 'Grace');
  const news = grace.received.filter(({ type }) => ['peer_left', 'peer_joined'].includes(type)).slice(-2);
  assert.deepEqual(news.map(({ type, reason, replaces, who }) => [type, reason ?? replaces, who]), [
    ['peer_left', 'replaced', undefined],
    ['peer_joined', former.id, former.who],
  ]);
});

scenario('a copied tab is somebody else', async (t) => {
  const { people: [ada, grace] } = await couple(t);
  // A copy has what the storage has.
  const kept = await ada.page.evaluate(() => Object.entries(sessionStorage).filter(([key]) => key.includes('identity')));
  assert.deepEqual(kept, []);
  const [one, other] = [ada, grace].map(({ sent }) => sent.find(({ type }) => type === 'join').identity);
  assert.match(one, /^[!-~]{43}$/);
  assert.notEqual(one, other);
});
