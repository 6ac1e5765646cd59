// The tiles: whoever is there is on the screen, whatever they are called, and the message box is, too.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { arriveWithDevices, openBrowserWithDevices, turnOn } from './support/media.js';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';

let browser;
before(async () => { browser = await openBrowserWithDevices(); });
after(() => browser?.close());

const shots = process.env.SCREENSHOTS;
const HOSTILE = [
  `${'W'.repeat(40)}`, '<img src=x onerror=alert(1)>', '\u202Eesrever ni nettirw', 'שלום עולם, איך קוראים לך היום', 'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘', '👩‍👩‍👧‍👦'.repeat(4), 'a b c d e f g h i j k l m n o p q r s t', ' ', '“quoted”',
];

scenario('tiles of any number are as large as the space allows, and never wider than it', async (t) => {
  const { url } = await startServer(t);
  const ada = await arriveWithDevices(t, browser, url);
  const wrong = await ada.page.evaluate(async () => {
    const { fit } = await import('./tiles.js');
    const found = [];
    for (let count = 1; count <= 10; count += 1) {
      for (const [width, height] of [[328, 300], [328, 90], [900, 420], [1200, 700], [150, 120], [40, 40], [900, 0]]) {
        const { columns, size } = fit(count, width, height);
        const rows = Math.ceil(count / columns);
        const wide = size * columns + 6 * (columns - 1);
        if (wide > width || size < 1 || columns < 1) found.push({ count, width, height, columns, size });
        // By hand: no other number of columns gives larger ones that fit.
        for (let other = 1; other <= count; other += 1) {
          const more = Math.ceil(count / other);
          const best = Math.min((width - 6 * (other - 1)) / other, ((height - 6 * (more - 1)) / more) * (4 / 3));
          if (size >= 72 && rows > 0 && Math.floor(best) > size) found.push({ count, width, height, size, best });
        }
      }
    }
    return found;
  });
  assert.deepEqual(wrong, []);
});

for (const scheme of ['light', 'dark']) {
  for (const [width, height] of [[360, 740], [1280, 800]]) {
    scenario(`ten people of any name fit on a screen of ${width} × ${height}, ${scheme}`, async (t) => {
      const { url } = await startServer(t);
      const ada = await arriveWithDevices(t, browser, url, {
        prepare: async (page) => {
          await page.setViewportSize({ width, height });
          await page.emulateMedia({ colorScheme: scheme });
        },
      });
      const shot = (name) => shots && ada.page.screenshot({ path: `${shots}/stage-${width}-${scheme}-${name}.png` });
      await ada.joined('stage', 'Ada');
      await shot('nobody');
      await ada.page.getByRole('button', { name: 'Camera', exact: true }).click();
      await until('the preview', () => ada.page.locator('#preview video').evaluate((video) => video.videoWidth > 0));
      await shot('preview');
      await ada.page.getByRole('button', { name: 'Not now' }).click();
      await turnOn(ada, 'Camera');
      await shot('alone');
      for (const [nth, name] of HOSTILE.entries()) {
        await ada.page.evaluate(async ([called]) => {
          const { SignalingClient } = await import('/client.js');
          await new SignalingClient({ url: 'ws', room: 'stage', meta: { name: called }, identity: false }).start();
        }, [name]);
        await ada.page.locator('#tiles .tile').nth(nth + 1).waitFor({ state: 'attached' });
      }
      const found = await until('ten tiles that fit', () => ada.page.evaluate(() => {
        const tiles = [...document.querySelectorAll('#tiles .tile')].map((one) => one.getBoundingClientRect());
        const list = document.querySelector('#tiles').getBoundingClientRect();
        const inside = ({ left, right, top, bottom }) => left >= list.left - 1 && right <= list.right + 1 && top >= list.top - 1 && bottom <= list.bottom + 1;
        const beyond = [...document.querySelectorAll('#tiles .foot')].filter((foot) => foot.scrollWidth > foot.clientWidth + 1);
        const page = document.documentElement;
        return { tiles: tiles.length, inside: tiles.every(inside), wide: page.scrollWidth - page.clientWidth, beyond: beyond.map(({ textContent }) => textContent) };
      }).then((seen) => seen.tiles === 10 && seen));
      await shot('ten');
      assert.deepEqual(found, { tiles: 10, inside: true, wide: 0, beyond: [] });
      const box = await ada.page.getByRole('textbox', { name: 'Message' }).boundingBox();
      assert.ok(box.y + box.height <= height && box.x + box.width <= width, JSON.stringify(box));
    });
  }
}
