// The page on small screens: whoever is in a room can write, without looking for where.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const SIZES = {
  'a phone': [360, 740],
  'a small phone': [320, 568],
  'a phone on its side': [740, 360],
  'a phone with letters of twice the size': [180, 370],
  'a desk': [1280, 800],
  'a desk with letters of twice the size': [640, 400],
  'a phone whose keyboard is out': [360, 380],
};
const LONG = `${'long-'.repeat(12)}${'x'.repeat(60)}`;
const shots = process.env.SCREENSHOTS;

/** Wholly on the screen, without scrolling anything. */
async function visible(page, locator, what) {
  const [box, view] = [await locator.boundingBox(), page.viewportSize()];
  assert.ok(box && box.width > 0 && box.height > 0, `${what} is shown`);
  const inside = box.x >= 0 && box.y >= 0 && box.x + box.width <= view.width + 0.5 && box.y + box.height <= view.height + 0.5;
  assert.ok(inside, `${what} is at ${JSON.stringify(box)} on a screen of ${view.width} × ${view.height}`);
}

async function usable(page, what) {
  await visible(page, page.getByRole('textbox', { name: 'Message' }), `the message box of ${what}`);
  await visible(page, page.getByRole('button', { name: 'Send' }), `the button beside the message box of ${what}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${what}: ${wide} pixels beyond the right edge`);
}

for (const [what, [width, height]] of Object.entries(SIZES)) {
  scenario(`the message box is on the screen of ${what}`, async (t) => {
    const server = await startServer(t);
    const ada = await Visitor.arrive(t, browser, server.url, (page) => page.setViewportSize({ width, height }));
    const shot = (name) => shots && ada.page.screenshot({ path: `${shots}/${width}x${height}-${name}.png` });
    await shot('lobby');
    await ada.joined(LONG, 'Ada');
    await usable(ada.page, what);
    await shot('alone');

    // Nine more, and much to read.
    for (let nth = 1; nth <= 9; nth += 1) {
      await ada.page.evaluate(async ([room, name]) => {
        const { SignalingClient } = await import('/client.js');
        await new SignalingClient({ url: 'ws', room, meta: { name }, identity: false }).start();
      }, [LONG, `Somebody of quite a long name, no. ${nth}`]);
    }
    await ada.notices('no. 9 joined');
    await ada.page.locator('#people').evaluate((list) => { list.open = true; });
    await ada.page.getByText('10 of 10').waitFor();
    await usable(ada.page, `${what}, with ten people`);
    await shot('ten');
    await ada.page.locator('#people > summary').click();
    assert.equal(await ada.page.getByRole('list', { name: 'People' }).isVisible(), false);
    await usable(ada.page, `${what}, with the list folded`);
    // Files that wait for an answer.
    await ada.page.locator('#files').evaluate((list) => {
      list.hidden = false;
      for (let nth = 0; nth < 6; nth += 1) {
        const line = document.createElement('li');
        line.className = 'file';
        line.append(Object.assign(document.createElement('span'), { className: 'title', textContent: 'long-name-'.repeat(6) }),
          Object.assign(document.createElement('button'), { textContent: 'Accept' }));
        list.append(line);
      }
    });
    await usable(ada.page, `${what}, with files`);
    await shot('files');
    await ada.page.locator('#alert').evaluate((alert) => {
      alert.textContent = 'The server is restarting. This page reconnects you by itself. '.repeat(3);
      alert.hidden = false;
    });
    await usable(ada.page, `${what}, with an alert`);
    await shot('alert');
  });
}

scenario('a keyboard that covers the page moves the message box up', async (t) => {
  const server = await startServer(t);
  const ada = await Visitor.arrive(t, browser, server.url, async (page) => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.addInitScript(() => {
      const seen = new EventTarget();
      Object.assign(seen, { height: 740, scale: 1 });
      Object.defineProperty(globalThis, 'visualViewport', { value: seen });
    });
  });
  await ada.joined('warm-river-900', 'Ada');
  const foot = () => ada.page.locator('#composer').evaluate((form) => form.getBoundingClientRect().bottom);
  const cover = (height) => ada.page.evaluate((left) => {
    globalThis.visualViewport.height = left;
    globalThis.visualViewport.dispatchEvent(new Event('resize'));
  }, height);
  await cover(400);
  assert.ok((await foot()) <= 400);
  await cover(740);
  assert.ok((await foot()) > 600);
});
