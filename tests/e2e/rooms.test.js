// Two people on two browsers: what the page at / promises, with nothing replaced by a double.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'quiet-otter-417';

/** A server, and as many visitors as names, all in one room and connected with each other. */
async function gathering(t, names, settings) {
  const server = await startServer(t, settings);
  const people = [];
  for (const name of names) {
    const person = await Visitor.arrive(t, browser, server.url);
    await person.joined(ROOM, name);
    people.push(person);
  }
  await allConnected(people, names);
  return { server, people };
}

const allConnected = (people, names) => Promise.all(people.flatMap((person, own) =>
  names.map((name, other) => person.sees(name, own === other ? 'you' : 'connected'))));

scenario('two browsers open a data channel through the server and exchange text both ways', async (t) => {
  const { people: [ada, grace] } = await gathering(t, ['Ada', 'Grace']);
  await ada.say('Can you hear me?');
  await grace.hears('Can you hear me?', 'Ada');
  await grace.say('Loud and clear.');
  await ada.hears('Loud and clear.', 'Grace');
  await ada.hears('Can you hear me?', 'You');
});

scenario('four browsers form a mesh, and a message reaches all of them', async (t) => {
  const names = ['Ada', 'Grace', 'Hedy', 'Joan'];
  const { people } = await gathering(t, names);
  await people[2].say('Hello, everybody');
  await Promise.all([0, 1, 3].map((i) => people[i].hears('Hello, everybody', 'Hedy')));
});

scenario('a third is told that the room is full when it takes two', async (t) => {
  const { server, people: [ada] } = await gathering(t, ['Ada', 'Grace'], { SWITCHBOARD__LIMITS__PEERS_PER_ROOM: '2' });
  const third = await Visitor.arrive(t, browser, server.url);
  await third.join(ROOM, 'Hedy');
  await third.alert(`The room “${ROOM}” is full: 2 people are the most it takes.`);
  await third.page.getByRole('button', { name: 'Join' }).waitFor();
  await ada.seesOnly('Ada', 'Grace');

  await third.joined('another-room', 'Hedy');
  await third.seesOnly('Hedy');
});

scenario('one closes the tab, and the other sees it leave', async (t) => {
  const { people: [ada, grace] } = await gathering(t, ['Ada', 'Grace']);
  await grace.closeTab();
  await ada.notices('Grace left');
  await ada.seesOnly('Ada');
});

scenario('one leaves by the button, may come back, and is connected again', async (t) => {
  const { people: [ada, grace] } = await gathering(t, ['Ada', 'Grace']);
  await grace.press('Leave');
  await ada.notices('Grace left');
  await grace.press('Join');
  await allConnected([ada, grace], ['Ada', 'Grace']);
  await grace.say('Here I am again');
  await ada.hears('Here I am again', 'Grace');
});

scenario('a name and a message are shown as they are written, whatever they contain', async (t) => {
  const name = '<b>Ada</b>';
  const text = '<img src=x onerror=alert(1)> & <script>alert(2)</script>';
  const { people: [ada, grace] } = await gathering(t, [name, 'Grace']);
  await ada.say(text);
  await grace.hears(text, name);
  assert.equal(await grace.page.locator('#log img, #log script, #log b, #roster b').count(), 0);
});

scenario('two people of one name can be told apart', async (t) => {
  const server = await startServer(t);
  const visitors = [];
  for (let i = 0; i < 2; i += 1) {
    const visitor = await Visitor.arrive(t, browser, server.url);
    await visitor.joined(ROOM, 'Ada');
    visitors.push(visitor);
  }
  await visitors[1].sees('Ada (', 'connected');
  const shown = await visitors[1].page.locator('#roster .name').allTextContents();
  assert.equal(new Set(shown).size, 2, `both are shown as ${shown[0]}`);
});

scenario('the link of a room leads into that room', async (t) => {
  const room = 'café & co #1';
  const server = await startServer(t);
  const ada = await Visitor.arrive(t, browser, server.url);
  await ada.joined(room, 'Ada');
  await ada.press('Copy link');
  await ada.notices('Link copied');
  const link = await ada.page.evaluate(() => navigator.clipboard.readText());

  const grace = await Visitor.arrive(t, browser, link);
  assert.equal(await grace.page.getByLabel('Room', { exact: true }).inputValue(), room);
  await grace.press('Join');
  await ada.sees('Guest', 'connected');

  const hedy = await Visitor.arrive(t, browser, `${server.url}?room=${encodeURIComponent(room)}`);
  assert.equal(await hedy.page.getByLabel('Room', { exact: true }).inputValue(), room);
});

scenario('a server that takes no more connections is spoken of plainly, and the page gets in once there is space', async (t) => {
  const server = await startServer(t, { SWITCHBOARD__SERVER__MAX_CONNECTIONS: '1' });
  const ada = await Visitor.arrive(t, browser, server.url);
  await ada.joined(ROOM, 'Ada');
  const grace = await Visitor.arrive(t, browser, server.url);
  await grace.join(ROOM, 'Grace');
  await grace.status('The server takes no connection: it is full, restarting or out of reach.');
  await ada.press('Leave');
  await grace.comesBack();
});

scenario('a draining server is announced, and after its restart everybody meets again', async (t) => {
  const { server, people: [ada, grace] } = await gathering(t, ['Ada', 'Grace'], { SWITCHBOARD__SERVER__DRAIN_MS: '3000' });
  server.terminate();
  await Promise.all([ada, grace].map((person) => person.alert('The server is restarting.')));
  assert.equal(await server.exit(), 0);
  await Promise.all([ada, grace].map((person) => person.status('Next attempt in')));

  await startServer(t, { SWITCHBOARD__SERVER__PORT: server.port });
  await Promise.all([ada, grace].map((person) => person.comesBack()));
  await allConnected([ada, grace], ['Ada', 'Grace']);
  await ada.say('Back again');
  await grace.hears('Back again', 'Ada');
  const joins = ada.sent.filter(({ type }) => type === 'join');
  assert.equal(joins[0].attempt, undefined);
  assert.ok(joins.at(-1).attempt >= 1, 'the server is told that this is a reconnection');
});

scenario('a server that died is missed, what is connected stays connected, and its successor is found', async (t) => {
  const { server, people: [ada, grace] } = await gathering(t, ['Ada', 'Grace']);
  await server.crash();
  await ada.status('Next attempt in');
  await ada.say('The server is gone, we are not');
  await grace.hears('The server is gone, we are not', 'Ada');

  await startServer(t, { SWITCHBOARD__SERVER__PORT: server.port });
  await Promise.all([ada, grace].map((person) => person.comesBack()));
  await allConnected([ada, grace], ['Ada', 'Grace']);
});
