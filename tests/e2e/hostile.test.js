// What somebody may choose – a name, a room, a reason, a file – is text on both pages, whatever it is written to do.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const TEXTS = [
  '<img src=x onerror=globalThis.ran=1>',
  '"><script>globalThis.ran=1</script>',
  '</script><svg/onload=globalThis.ran=1>',
  "javascript:globalThis.ran=1//'",
  '\u202e\u2066${globalThis.ran=1}{{constructor}}',
];

/** Nothing ran, nothing was loaded, and no element was made of what is text. */
async function harmless(page, what) {
  assert.equal(await page.evaluate(() => globalThis.ran), undefined, what);
  const made = await page.evaluate(() => [
    ...document.querySelectorAll('img, iframe, object, embed, main script, dialog script, svg svg, [onload], [onerror], a[href^="javascript"]'),
  ].map(({ outerHTML }) => outerHTML.slice(0, 100)));
  assert.deepEqual(made, [], what);
}

for (const text of TEXTS) {
  scenario(`${JSON.stringify(text)} is a text, here and on the ops page`, async (t) => {
    const server = await startServer(t);
    const [ada, grace] = [await Visitor.arrive(t, browser, server.url), await Visitor.arrive(t, browser, server.url)];
    await ada.joined(text.replace(/[\u202e\u2066]/g, ''), text.slice(0, 40));
    const room = await ada.page.locator('#room-title').getAttribute('title');
    await grace.joined(room, 'Grace');
    await grace.page.locator('#people .person').nth(1).filter({ hasText: 'connected' }).waitFor();
    await ada.say(text);
    await grace.page.locator('.message').filter({ hasText: 'ran=1' }).waitFor();
    await grace.page.locator('#mesh-picture .dot').nth(1).waitFor({ state: 'attached' });
    await ada.page.locator('#file').setInputFiles({ name: `${text.replaceAll('/', '_')}.html`, mimeType: 'text/html', buffer: Buffer.from(text) });
    const saved = grace.page.waitForEvent('download');
    await grace.press('Accept');
    await saved;
    await grace.press('Invite…');
    await grace.page.locator('#qr path').waitFor({ state: 'attached' });

    const operator = await Visitor.arrive(t, browser, server.opsUrl);
    const { page } = operator;
    await page.getByRole('button', { name: 'Show rooms' }).click();
    await page.locator('#rooms-list button').first().click();
    await page.locator('#members tr').nth(1).waitFor();
    await page.locator('#recorder-room').fill(room);
    await page.locator('#recorder-show').click();
    await page.locator('#recording').waitFor();
    await page.locator('#room-name').filter({ hasText: room }).waitFor();
    for (const [one, what] of [[ada.page, 'the page of its author'], [grace.page, 'the page of somebody else'], [page, 'the ops page']]) await harmless(one, what);

    // Sent out with it as the reason.
    const id = grace.received.find(({ type }) => type === 'joined').self.id;
    const answer = await fetch(`${server.opsUrl}admin/v1/kick`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ room, peer: id, reason: text }),
    });
    assert.ok(answer.ok, `${answer.status} ${await answer.text()}`);
    await grace.alert('You were sent out of the room.');
    await grace.alert('ran=1');
    await harmless(grace.page, 'the page of somebody who was sent out');
  });
}
