// Pages in a real Chromium that are in a room by the built library: each in a profile of its own, with a fake camera and microphone.

import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const CHROMIUM = process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  // Real addresses instead of mDNS names in candidates, which a machine without an mDNS responder needs.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

export const openRoomBrowser = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });

/** `client`: the library. The rest is what tests look at. */
const SCRIPT = `
import * as client from '@switchboard/client';
globalThis.client = client;
globalThis.made = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    made.push(this);
  }
};
globalThis.enter = async (name, options) => {
  // No back-off is waited for.
  const room = await client.joinRoom(name, { random: () => 0.02, ...options });
  globalThis.room = room;
  globalThis.heard = [];
  globalThis.troubles = [];
  globalThis.tracks = 0;
  room.on('message', ({ peer, data }) => heard.push({ from: peer.meta.name, data }));
  room.on('track', () => (tracks += 1));
  room.channel('numbers').on('message', ({ peer, data }) => (numbers[peer.meta.name] ??= []).push(data));
  room.on('error', (error) => troubles.push(error.code + ': ' + error.message + (error.cause ? ' (' + error.cause + ')' : '')));
};
/** Numbers go to everybody, one every 20 ms, until \`stopCounting\`, which returns how many it were. */
globalThis.count = () => {
  let sent = 0;
  const timer = setInterval(() => room.channel('numbers').send((sent += 1)), 20);
  globalThis.stopCounting = () => {
    clearInterval(timer);
    return sent;
  };
};
/** What has come of the numbers that \`name\` sends. */
globalThis.numbers = {};
/** Publishes a sound, which has to be negotiated. */
globalThis.sound = async () => {
  const context = new AudioContext();
  const oscillator = context.createOscillator();
  const { stream } = oscillator.connect(context.createMediaStreamDestination());
  oscillator.start();
  return room.publish(stream);
};
/** How the connections to all others are doing, by their names. */
globalThis.states = () => Object.fromEntries(room.peers.map((peer) => [peer.meta.name, peer.state]));
globalThis.ready = true;
`;
const html = (script: string) => `<!doctype html><meta charset="utf-8"><title>room</title>
<script type="importmap">{ "imports": { "@switchboard/client": "/index.js" } }</script>
<script type="module">${script}</script>`;

/** A server of pages that ends with the test. */
export async function serveRooms(script: string = SCRIPT): Promise<string> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] as string;
    if (path === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end(html(script));
    const file = new URL(`../../dist${path}`, import.meta.url);
    if (!/^\/[\w-]+\.js$/.test(path) || !existsSync(file)) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A page that has loaded; whatever it complains about is in `complaints`. */
export async function openRoomPage(browser: Browser, url: string): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.stack ?? error.message));
  await page.goto(url);
  return { page, complaints };
}

export interface Visitor {
  name: string;
  page: Page;
  complaints: string[];
}

/** Somebody in the room, who publishes what the function `publish` of the page does, whose page is served by `pages` and whose server is behind `server`. */
export async function enter(
  browser: Browser,
  pages: string,
  server: string,
  name: string,
  options: object = {},
  publish = '',
): Promise<Visitor> {
  const { page, complaints } = await openRoomPage(browser, pages);
  await page.waitForFunction('globalThis.ready');
  const url = new URL('ws', server).href.replace('http', 'ws');
  await page.evaluate(`enter('blue', ${JSON.stringify({ url, meta: { name }, ...options })})`);
  if (publish) await page.evaluate(`${publish}()`);
  return { name, page, complaints };
}

/** All of them are connected with each other. */
export const connected = (visitors: readonly Visitor[], timeout = 30_000): Promise<unknown> =>
  Promise.all(
    visitors.map(async (visitor) => {
      const others = visitors.filter((other) => other !== visitor).map(({ name }) => name);
      const whole = `${JSON.stringify(others)}.every((name) => states()[name] === 'connected')`;
      try {
        await visitor.page.waitForFunction(whole, undefined, { timeout });
      } catch (cause) {
        const states = JSON.stringify(await visitor.page.evaluate('[states(), troubles]'));
        throw new Error(`${visitor.name} is not connected with all: ${states}`, { cause });
      }
    }),
  );
