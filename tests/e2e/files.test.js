// Files from browser to browser: offered, accepted, moved, and put among the downloads, whatever they are called.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { countConnections, openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'amber-brook-512';

async function meet(t, names = ['Ada', 'Grace']) {
  const { url } = await startServer(t);
  const people = [];
  for (const name of names) {
    const person = await Visitor.arrive(t, browser, url, countConnections);
    await person.joined(ROOM, name);
    people.push(person);
  }
  for (const person of people) for (const name of names) await person.sees(name, person === people[names.indexOf(name)] ? 'you' : 'connected');
  return people;
}

const pick = ({ page }, name, buffer) => page.locator('#file').setInputFiles({ name, mimeType: 'text/html', buffer });
const line = ({ page }, text) => page.getByRole('list', { name: 'Files' }).getByRole('listitem').filter({ hasText: text });
const press = (person, text, name) => line(person, text).getByRole('button', { name, exact: true }).click();
const bytes = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 7919) >> 3));
/** Drops a file of as many such bytes onto the conversation: too large to be handed to the browser from outside. */
const drop = ({ page }, name, size) => page.evaluate(([called, length]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from({ length }, (_, at) => (at * 7919) >> 3)], called));
  document.querySelector('.talk').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
}, [name, size]);
const digest = (buffer) => createHash('sha256').update(buffer).digest('hex');

/** Bytes that a page got from others by data channels. */
const received = ({ page }) => page.evaluate(async () => {
  let sum = 0;
  for (const one of globalThis.madeConnections) {
    for (const { type, bytesReceived } of (await one.getStats()).values()) if (type === 'data-channel') sum += bytesReceived;
  }
  return sum;
});

scenario('a file goes to those who accept it, as it is, and to nobody else', async (t) => {
  const [ada, grace, hedy] = await meet(t, ['Ada', 'Grace', 'Hedy']);
  const content = bytes(3_000_000);
  await pick(ada, 'report.html', content);
  await ada.notices('You offer report.html to 2 people.');
  await grace.notices('Ada offers you report.html (3.0 MB)');
  await line(hedy, 'report.html').getByRole('button', { name: 'Accept' }).waitFor();
  assert.ok(await received(grace) < 10_000 && await received(hedy) < 10_000, 'nothing moves before it is accepted');

  await press(hedy, 'report.html', 'Decline');
  const saved = grace.page.waitForEvent('download');
  await press(grace, 'report.html', 'Accept');
  const download = await saved;
  assert.equal(download.suggestedFilename(), 'report.html');
  assert.equal(digest(readFileSync(await download.path())), digest(content));
  await grace.notices('report.html has arrived. It is among your downloads.');
  await line(ada, 'Grace: has got it').waitFor();
  await line(ada, 'Hedy: does not want it').waitFor();
  assert.ok(await received(hedy) < 10_000);
  assert.equal(grace.page.url().startsWith('http'), true, 'it was saved, and not opened');
  assert.equal(await grace.page.locator('a[href^="blob:"]').count(), 0, 'there is nothing on the page by which it could be opened');

  const again = grace.page.waitForEvent('download');
  await press(grace, 'report.html', 'Save again');
  assert.equal((await again).suggestedFilename(), 'report.html');
  await press(grace, 'report.html', 'Remove');
  await line(grace, 'report.html').waitFor({ state: 'detached' });
});

for (const [who, word] of [['sender', 'cancelled by the other side'], ['receiver', 'cancelled by you']]) {
  scenario(`the ${who} may cancel a file on its way`, async (t) => {
    const [ada, grace] = await meet(t);
    await drop(ada, 'film.mkv', 40_000_000);
    await press(grace, 'film.mkv', 'Accept');
    await until('some of it has arrived', async () => await grace.page.locator('#files progress').evaluate(({ value }) => value) > 0);
    await press(who === 'sender' ? ada : grace, 'film.mkv', 'Cancel');
    await line(grace, word).waitFor();
    await line(ada, who === 'sender' ? 'cancelled by you' : 'cancelled by the other side').waitFor();
    // Only what was on its way already still comes.
    const counts = [];
    await until('nothing more comes', async () => {
      counts.push(await received(grace));
      return counts.length > 8 && counts.at(-1) === counts.at(-8);
    });
    assert.ok(counts.at(-1) < 40_000_000);
    await ada.say('and we still talk');
    await grace.hears('and we still talk', 'Ada');
  });
}

scenario('a connection that ends on the way is made anew, and the file goes on from where it was', async (t) => {
  const [ada, grace] = await meet(t);
  await drop(ada, 'film.mkv', 30_000_000);
  const saved = grace.page.waitForEvent('download');
  await press(grace, 'film.mkv', 'Accept');
  await until('some of it has arrived', async () => await grace.page.locator('#files progress').evaluate(({ value }) => value) > 1_000_000);
  await grace.page.evaluate(() => globalThis.madeConnections.at(-1).close());
  assert.equal(digest(readFileSync(await (await saved).path())), digest(bytes(30_000_000)));
  await line(ada, 'Grace: has got it').waitFor();
  assert.ok((await grace.connections()).length >= 2, 'over another connection');
});

scenario('files with names that are written to harm run nothing, and are saved by harmless ones', async (t) => {
  const [ada, grace] = await meet(t);
  const names = ['<img src=x onerror=globalThis.ran=1>.svg', 'invoice\u202egpj.html', '../../../.profile', `${'long '.repeat(60)}.txt`];
  const saved = [];
  grace.page.on('download', (download) => saved.push(download.suggestedFilename()));
  const opened = [];
  grace.page.context().on('page', (page) => opened.push(page.url()));
  for (const [nth, name] of names.entries()) {
    // As another page would: whatever it likes.
    await ada.page.evaluate(({ called, text }) => {
      const data = new DataTransfer();
      data.items.add(new File([text], called, { type: 'text/html' }));
      document.querySelector('.talk').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }, { called: name, text: '<script>globalThis.ran=1</script>' });
    await grace.page.getByRole('button', { name: 'Accept' }).click();
    await until(`${nth + 1} are saved`, () => saved.length === nth + 1);
  }
  for (const name of saved) assert.doesNotMatch(name, /[<>/\\\p{C}]|^\./u);
  assert.ok(saved.every((name) => name.length <= 60) && saved[1] === 'invoicegpj.html', `${saved}`);
  assert.deepEqual(opened, []);
  for (const { page } of [ada, grace]) {
    assert.equal(await page.evaluate(() => globalThis.ran), undefined);
    assert.equal(await page.locator('#files img, #files script, #log img').count(), 0);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
  }
});

scenario('what cannot be sent is said: nobody there, too large, too many at once', async (t) => {
  const { url } = await startServer(t);
  const ada = await Visitor.arrive(t, browser, url);
  await ada.joined(ROOM, 'Ada');
  await pick(ada, 'a.txt', Buffer.from('a'));
  await ada.notices('Nobody is connected who could get a file.');
  const grace = await Visitor.arrive(t, browser, url);
  await grace.joined(ROOM, 'Grace');
  await ada.sees('Grace', 'connected');
  await ada.page.evaluate(() => {
    const file = new File(['x'], 'disk.img');
    Object.defineProperty(file, 'size', { value: 2 ** 40 });
    const drop = new DragEvent('drop', { bubbles: true, cancelable: true });
    Object.defineProperty(drop, 'dataTransfer', { value: { types: ['Files'], files: [file] } });
    document.querySelector('.talk').dispatchEvent(drop);
  });
  await ada.notices('disk.img is too large: 250 MB are the most.');
  const many = Array.from({ length: 9 }, (_, nth) => ({ name: `${nth}.txt`, mimeType: 'text/plain', buffer: Buffer.from('x') }));
  await ada.page.locator('#file').setInputFiles(many);
  await ada.notices('At most 8 files at once: the others were left out.');
  await pick(ada, 'ten.txt', Buffer.from('x'));
  await ada.notices('Not offered yet: ten.txt. Too many files wait for an answer.');
  await grace.closeTab();
  await line(ada, '0.txt').filter({ hasText: 'the connection has ended' }).waitFor();
});
