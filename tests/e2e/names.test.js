// Rooms by name: those that the page makes are not to be guessed, and links carry them whole.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const room = (visitor) => visitor.page.getByLabel('Room', { exact: true }).inputValue();

scenario('names that the page makes have at least 64 bits of chance, and two words to know them by', async (t) => {
  const { url } = await startServer(t);
  const visitor = await Visitor.arrive(t, browser, url);
  const { names, bytes } = await visitor.page.evaluate(async () => {
    const { randomRoom } = await import('/client.js');
    let asked = 0;
    const fill = crypto.getRandomValues.bind(crypto);
    crypto.getRandomValues = (array) => {
      asked += array.byteLength;
      return fill(array);
    };
    const made = Array.from({ length: 2_000 }, () => randomRoom());
    return { names: made, bytes: asked / made.length };
  });
  assert.ok(bytes >= 8, `${bytes} random bytes a name`);
  assert.equal(new Set(names).size, names.length);
  const secrets = names.map((name) => /^[a-z]+-[a-z]+-([0-9a-z]+)$/.exec(name)[1]);
  // Each place of the secret takes any of the 32 digits: 13 × 5 bits.
  const places = Array.from({ length: secrets[0].length }, (_, at) => new Set(secrets.map((secret) => secret[at])).size);
  assert.ok(places.reduce((bits, digits) => bits + Math.log2(digits), 0) >= 64, `digits at each place: ${places}`);
  assert.ok(Math.max(...names.map((name) => name.length)) <= 32, 'short enough for a link');
});

scenario('the first suggestion, another one, the link and the title go by such a name', async (t) => {
  const { url } = await startServer(t);
  const ada = await Visitor.arrive(t, browser, url);
  const first = await room(ada);
  await ada.press('Another name');
  const second = await room(ada);
  assert.notEqual(first, second);
  await ada.press('Join');
  await ada.inRoom(second);
  assert.equal(await ada.page.getByLabel('Link to this room').inputValue(), `${url}#room=${second}`);
  assert.equal(await ada.page.title(), `${second.split('-').slice(0, 2).join('-')} · Switchboard`);
  assert.ok(ada.page.url().endsWith(`#room=${second}`), 'a reload leads back');
});

scenario('a link survives what mail and chat programs do to links', async (t) => {
  const { url } = await startServer(t);
  const visitor = await Visitor.arrive(t, browser, url);
  const names = ['wow!', "it's (us)", 'a.b.', 'x*y_z~', 'a+b', '100 %', 'ende-', '#1', '日本語 🎸', 'a&b=c', '"quoted" <b>'];
  const links = await visitor.page.evaluate(async (all) => {
    const { linkToRoom, roomFromLink } = await import('/client.js');
    return all.map((name) => {
      const link = linkToRoom(name);
      return { link, back: roomFromLink(link) };
    });
  }, names);
  assert.deepEqual(links.map(({ back }) => back), names);
  for (const { link } of links) assert.match(link, /^http:\/\/[\w.:]+\/#room=[\w.%-]*[\w%]$/);
});

scenario('a link without a name is as good as none', async (t) => {
  const { url } = await startServer(t);
  for (const end of ['#room=', '#room=%20', '?room=', '#elsewhere']) {
    const visitor = await Visitor.arrive(t, browser, url + end);
    assert.match(await room(visitor), /^[a-z]+-[a-z]+-[0-9a-z]{13}$/, end);
  }
});
