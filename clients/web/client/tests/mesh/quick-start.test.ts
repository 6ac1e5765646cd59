// The quick start of README.md, as it is written, in two pages of a real Chromium.

import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { startServer } from '../support/real.ts';
import { openRoomBrowser, openRoomPage, serveRooms } from '../support/room-pages.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const [, quickStart] = /```ts\n(.*?)```/s.exec(readme) as unknown as [string, string];

const VIDEOS = `
const videos = new Map();
globalThis.videoOf = (peer) => {
  const video = videos.get(peer) ?? Object.assign(document.createElement('video'), { autoplay: true, muted: true });
  videos.set(peer, video);
  document.body.append(video);
  return video;
};
`;

test('the quick start works as it is written: two see and hear each other, and the second greets the first', async () => {
  const server = await startServer({ SWITCHBOARD__HTTP__ALLOWED_ORIGINS: '*' });
  expect(quickStart).toContain("'wss://sb.example/ws'");
  const url = await serveRooms(VIDEOS + quickStart.replace('wss://sb.example/ws', `${server.url.replace('http', 'ws')}ws`));
  const browser = await openRoomBrowser();
  try {
    const people: { page: Page; complaints: string[]; lines: string[] }[] = [];
    for (let nth = 0; nth < 2; nth += 1) {
      const { page, complaints } = await openRoomPage(browser, 'about:blank');
      const lines: string[] = [];
      page.on('console', (message) => lines.push(message.text()));
      await page.goto(`${url}#room=quick`);
      people.push({ page, complaints, lines });
    }
    for (const { page, complaints, lines } of people) {
      await page.waitForFunction(
        '[...document.querySelectorAll("video")].some(({ videoWidth, currentTime }) => videoWidth > 0 && currentTime > 0)',
      );
      await expect.poll(() => lines).toContain('Ada state connected');
      expect(complaints).toEqual([]);
    }
    // The first was alone when it greeted everybody.
    await expect.poll(() => people[0]?.lines).toContain('Ada {hello: everybody}');
  } finally {
    await browser.close();
  }
});
