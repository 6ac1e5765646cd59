// Who comes by a link, who comes back, and what the page keeps of them.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'amber-cedar-0123456789abc';

scenario('who is invited is asked for a name and not for a room, and may choose another one', async (t) => {
  const { url } = await startServer(t);
  const { page } = await Visitor.arrive(t, browser, `${url}#room=${ROOM}`);
  await page.getByText('You are invited to amber-cedar.').waitFor();
  assert.equal(await page.getByLabel('Room', { exact: true }).isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'your-name');
  await page.getByRole('button', { name: 'Other room' }).click();
  assert.equal(await page.getByLabel('Room', { exact: true }).isVisible(), true);
});

scenario('a reload comes back into the room, by the same name and as the same person; after leaving it does not', async (t) => {
  const { url } = await startServer(t);
  const ada = await Visitor.arrive(t, browser, url);
  await ada.joined(ROOM, 'Ada');
  await ada.page.reload();
  await ada.inRoom(ROOM);
  await ada.sees('Ada', 'you');
  const who = ada.received.filter(({ type }) => type === 'joined').map(({ self }) => self.who);
  assert.equal(who.length, 2);
  assert.equal(who[0], who[1]);
  await ada.press('Leave');
  await ada.page.reload();
  await ada.page.getByRole('button', { name: 'Join' }).waitFor();
  assert.equal(ada.sent.filter(({ type }) => type === 'join').length, 2);
});

scenario('an invitation is used and out of sight: neither in the address nor in the link for others', async (t) => {
  const { url } = await startServer(t);
  const ada = await Visitor.arrive(t, browser, `${url}#room=${ROOM}&token=to.be.hidden`);
  assert.equal(new URL(ada.page.url()).hash, `#room=${ROOM}`);
  assert.equal(await ada.page.evaluate((room) => sessionStorage.getItem(`switchboard.token ${room}`), ROOM), 'to.be.hidden');
  await ada.press('Join');
  await ada.inRoom(ROOM);
  assert.equal(await ada.page.getByLabel('Link to this room').inputValue(), `${url}#room=${ROOM}`);
  assert.ok(!ada.page.url().includes('hidden'));
});

scenario('"Forget me here" leaves nothing of the page in the browser, and the next stay is somebody else', async (t) => {
  const { url } = await startServer(t);
  const ada = await Visitor.arrive(t, browser, url);
  await ada.joined(ROOM, 'Ada');
  await ada.press('Leave');
  await ada.press('Forget me here');
  await ada.alert('This browser has forgotten');
  const kept = await ada.page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)]);
  assert.deepEqual(kept, []);
  assert.equal(await ada.page.getByLabel('Your name').inputValue(), '');
  await ada.press('Join');
  await ada.inRoom(ROOM);
  const [first, second] = ada.sent.filter(({ type }) => type === 'join').map(({ identity }) => identity);
  assert.notEqual(first, second);
});

scenario('a changed name is seen by the others, and told', async (t) => {
  const { url } = await startServer(t);
  const [ada, grace] = [await Visitor.arrive(t, browser, url), await Visitor.arrive(t, browser, url)];
  await ada.joined(ROOM, 'Ada');
  await grace.joined(ROOM, 'Grace');
  await grace.sees('Ada', 'connected');
  await ada.page.getByText('Change how the others see you').click();
  await ada.page.getByLabel('New name').fill('Countess');
  await ada.press('Save');
  await grace.notices('Ada is called Countess now');
  await grace.sees('Countess', 'connected');
  await ada.sees('Countess', 'you');
});

scenario('room names that look the same are the same', async (t) => {
  const { url } = await startServer(t);
  const [ada, grace] = [await Visitor.arrive(t, browser, url), await Visitor.arrive(t, browser, url)];
  await ada.joined('caf\u00e9', 'Ada');
  await grace.join('cafe\u0301', 'Grace');
  await grace.inRoom('caf\u00e9');
  await ada.sees('Grace', 'connected');
});

scenario('links that somebody writes can be followed to the web, without a way back, and nothing else can', async (t) => {
  const { url } = await startServer(t);
  const [ada, grace] = [await Visitor.arrive(t, browser, url), await Visitor.arrive(t, browser, url)];
  await ada.joined(ROOM, 'Ada');
  await grace.joined(ROOM, 'Grace');
  await grace.sees('Ada', 'connected');
  await ada.say('see https://example.org/a?b=c#d. and (http://example.com) not javascript:alert(1) data:text/html,x file:///etc/passwd');
  await grace.hears('see https://example.org', 'Ada');
  const links = await grace.page.locator('#log a').evaluateAll((all) => all.map(({ href, target, rel }) => [href, target, rel]));
  assert.deepEqual(links, [
    ['https://example.org/a?b=c#d', '_blank', 'noopener noreferrer'],
    ['http://example.com/', '_blank', 'noopener noreferrer'],
  ]);
});

scenario('names, rooms and reasons that are written to harm run nothing', async (t) => {
  const { url } = await startServer(t);
  const hostile = '<img src=x onerror=globalThis.ran=1>"\'><script>globalThis.ran=1</script>';
  const room = hostile.slice(0, 90);
  const ada = await Visitor.arrive(t, browser, `${url}#room=${encodeURIComponent(room)}`);
  await ada.page.getByLabel('Your name').fill(hostile.slice(0, 40));
  await ada.press('Join');
  await ada.inRoom(room);
  const grace = await Visitor.arrive(t, browser, url, (page) => page.routeWebSocket(/\/ws\?/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((text) => {
      socket.send(text);
      if (JSON.parse(text).type !== 'joined') return;
      socket.send(JSON.stringify({ type: 'bye', reason: 'kicked', action: 'disconnect', retryAfterMs: 0, message: hostile }));
      socket.close({ code: 4501 });
    });
  }));
  await grace.join(room, hostile.slice(0, 40));
  await grace.alert(hostile);
  for (const { page } of [ada, grace]) {
    assert.equal(await page.evaluate(() => globalThis.ran), undefined);
    assert.equal(await page.locator('img, main script').count(), 0);
  }
  await until('Ada still there', async () => (await ada.nowStatus()) === 'Connected to the server');
});
