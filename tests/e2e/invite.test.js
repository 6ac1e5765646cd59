// The invitation: by link and by QR code, and by an address that leads here from elsewhere.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import zxing from '@zxing/library';
import { openPrefix } from './support/prefix.js';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'café & co – northern-willow-0123456789abc';

/** What a camera reads in the code that is on the screen, by a reader that has nothing to do with what wrote it. */
async function scan({ page }) {
  const png = await page.getByRole('img', { name: 'QR code of the link' }).screenshot();
  const camera = await browser.newPage();
  const { data, width, height } = await camera.evaluate(async (picture) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    // Without its round corners, through which the page is seen: the code's own margin is four times as wide.
    const [edge, width, height] = [image.width * 0.02, Math.round(image.width * 0.96), Math.round(image.height * 0.96)];
    const context = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d');
    context.drawImage(image, -edge, -edge);
    return { data: [...context.getImageData(0, 0, width, height).data], width, height };
  }, png.toString('base64'));
  await camera.close();
  const grey = Uint8ClampedArray.from({ length: width * height }, (_, at) => (data[4 * at] + data[4 * at + 1] + data[4 * at + 2]) / 3);
  const { BinaryBitmap, DecodeHintType, GlobalHistogramBinarizer, HybridBinarizer, QRCodeReader, RGBLuminanceSource } = zxing;
  const source = new RGBLuminanceSource(grey, width, height);
  // A camera looks many times, this picture is always the same: what one way of finding the squares misses, another may see.
  const hints = [DecodeHintType.TRY_HARDER, DecodeHintType.PURE_BARCODE].map((hint) => new Map([[hint, true]]));
  const readings = [HybridBinarizer, GlobalHistogramBinarizer].flatMap((Binarizer) => hints.map((hint) => {
    try {
      return new QRCodeReader().decode(new BinaryBitmap(new Binarizer(source)), hint).getText();
    } catch {
      return null;
    }
  }));
  return readings.find((reading) => reading !== null) ?? null;
}

for (const colorScheme of ['light', 'dark']) {
  scenario(`the QR code is the link, on a ${colorScheme} phone, and leads into the room`, async (t) => {
    const { url } = await startServer(t);
    const ada = await Visitor.arrive(t, browser, `${url}#room=${encodeURIComponent(ROOM)}&token=not.for.others`, async (page) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width: 360, height: 740 });
      // As fine as phones' screens are: with one pixel for each of CSS a square of the code has three and a half.
      const devtools = await page.context().newCDPSession(page);
      await devtools.send('Emulation.setDeviceMetricsOverride', { width: 360, height: 740, deviceScaleFactor: 3, mobile: false });
    });
    await ada.press('Join');
    await ada.inRoom(ROOM);
    await ada.press('Invite…');
    const dialog = ada.page.getByRole('dialog', { name: 'Invite others' });
    await dialog.locator('#qr path').waitFor({ state: 'attached' });
    const link = await scan(ada);
    assert.equal(link, await ada.page.locator('#link').inputValue());
    assert.ok(!link.includes('not.for.others') && !link.includes('token'), link);
    const { search, pathname, hash } = new URL(link);
    assert.deepEqual([search, pathname], ['', '/'], 'the room is in the fragment, which no server sees');
    assert.ok(hash.startsWith('#room='));
    if (colorScheme === 'light') {
      const grace = await Visitor.arrive(t, browser, link);
      await grace.press('Join');
      await grace.inRoom(ROOM);
    }
    await ada.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    assert.equal(await ada.page.evaluate(() => document.activeElement.id), 'show-invite', 'back where it was opened');
  });
}

for (const [told, host] of [['192.168.7.20', '192.168.7.20'], ['fd00::7', '[fd00::7]'], [null, 'localhost']]) {
  scenario(`opened as localhost, and told ${told}, the page invites to ${host}`, async (t) => {
    const { port } = await startServer(t);
    const ada = await Visitor.arrive(t, browser, `http://localhost:${port}/`, (page) =>
      page.route('**/address', (route) => route.fulfill({ json: { address: told } })));
    await ada.joined(ROOM, 'Ada');
    const link = ada.page.locator('#link');
    await ada.page.waitForFunction((name) => document.getElementById('link').value.startsWith(`http://${name}:`), host);
    assert.equal(new URL(await link.inputValue()).port, `${port}`);
    assert.equal(new URL(ada.page.url()).hostname, 'localhost', 'the page itself stays where it is, which is a secure origin');
    await ada.press('Invite…');
    await ada.page.getByText(told ? 'for everybody in the same network' : 'works on this machine only').waitFor();
    assert.equal(await ada.page.locator('#invite-link').textContent(), await link.inputValue());
  });
}

scenario('without a clipboard, as over plain http, the link is selected for whoever copies it', async (t) => {
  const { url } = await startServer(t);
  const ada = await Visitor.arrive(t, browser, url, (page) => page.addInitScript(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
  }));
  await ada.joined(ROOM, 'Ada');
  await ada.press('Copy link');
  await ada.page.getByRole('dialog', { name: 'Invite others' }).waitFor();
  assert.equal(await ada.page.evaluate(() => `${getSelection()}`), await ada.page.locator('#link').inputValue());
});

scenario('the address that a server for everybody tells leads to it, and through a proxy it tells none', async (t) => {
  const { port } = await startServer(t, { SWITCHBOARD__SERVER__HOST: '0.0.0.0' });
  const ada = await Visitor.arrive(t, browser, `http://localhost:${port}/`);
  const { address } = await ada.page.evaluate(() => fetch('address').then((answer) => answer.json()));
  await ada.joined(ROOM, 'Ada');
  if (address !== null) {
    await ada.page.waitForFunction((host) => document.getElementById('link').value.includes(host), address);
    assert.equal((await fetch(new URL('healthz', await ada.page.locator('#link').inputValue()))).status, 200);
  }
  const { url } = await openPrefix(t, `127.0.0.1:${port}`, '/rooms/');
  const grace = await Visitor.arrive(t, browser, url);
  await grace.joined(ROOM, 'Grace');
  const told = await grace.page.evaluate(() => fetch('address').then((answer) => answer.json()));
  assert.deepEqual(told, { address: null });
  assert.ok((await grace.page.locator('#link').inputValue()).startsWith(`${url}#room=`));
});
