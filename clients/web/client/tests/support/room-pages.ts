// Pages in a real Chromium that are in a room by the built library: each in a profile of its own, with a fake camera and microphone.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Browser, chromium, firefox, type Page } from 'playwright-core';
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

const FIREFOX = process.env['FIREFOX_BIN'] ?? '/usr/bin/firefox-esr';
const FIREFOX_PREFERENCES = {
  'media.navigator.permission.disabled': true,
  'media.navigator.streams.fake': true,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  // Real addresses, those of loopback included, for a machine without an mDNS responder and without a network.
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.peerconnection.ice.loopback': true,
};

/** A Firefox as its makers deliver it: by WebDriver BiDi, without a patch. */
export const openFirefox = (): Promise<Browser> =>
  firefox.launch({ executablePath: FIREFOX, channel: 'moz-firefox', firefoxUserPrefs: FIREFOX_PREFERENCES });

/** One whose processes are known, so that they can be stopped. Ends with the test. */
export async function openLaptop() {
  const server = await chromium.launchServer({ executablePath: CHROMIUM, args: ARGUMENTS });
  onTestFinished(() => server.kill());
  const { pid } = server.process();
  const each = (signal: string) => {
    for (const one of family(pid as number)) process.kill(one, signal);
  };
  return {
    browser: await chromium.connect(server.wsEndpoint()),
    /** Its lid is closed: nothing of it runs. Nothing may be asked of its pages meanwhile. */
    sleep: () => each('SIGSTOP'),
    wake: () => each('SIGCONT'),
  };
}

/** That process and all that came of it. */
function family(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/stat`)) continue;
    // `pid (name) state parent`: the name may hold anything.
    const parent = /^.*\) \S (\d+) /s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1];
    parents.set(Number(name), Number(parent));
  }
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}

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
  addIceCandidate(candidate) {
    return super.addIceCandidate(candidate?.candidate ? { ...candidate, candidate: through(candidate.candidate) } : candidate);
  }
  setRemoteDescription({ type, sdp }) {
    return super.setRemoteDescription({ type, sdp: through(sdp) });
  }
};
/** By which addresses the other is to be reached, where the test has a say in it. At once: what comes after must not overtake. */
const through = (text) => {
  if (!location.search.includes('through')) return text;
  const request = new XMLHttpRequest();
  request.open('POST', '/through', false);
  request.send(text);
  return request.responseText;
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
  globalThis.signals = [];
  room.signaling.on('signal', ({ kind, data }) => kind === 'app' && signals.push(data));
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
/**
 * Numbers go by way of the server, one every 200 ms while the other is in the room, until \`stopSignaling\`. That returns what became
 * of each: \`done\`, or the code of its error.
 */
globalThis.signal = () => {
  const outcomes = [];
  const timer = setInterval(() => {
    const [peer] = room.peers;
    if (!peer) return;
    const number = outcomes.length + 1;
    outcomes.push(room.signaling.signal(peer.id, 'app', number).then(() => 'done', ({ code }) => code));
  }, 200);
  globalThis.stopSignaling = () => {
    clearInterval(timer);
    return Promise.all(outcomes);
  };
};
/** Publishes a sound, which has to be negotiated. */
globalThis.sound = async () => {
  const context = new AudioContext();
  const oscillator = context.createOscillator();
  const { stream } = oscillator.connect(context.createMediaStreamDestination());
  oscillator.start();
  return room.publish(stream);
};
/** Publishes the microphone. */
globalThis.speak = async () => room.publish(await navigator.mediaDevices.getUserMedia({ audio: true }));
/** How the connections to all others are doing, by their names. */
globalThis.states = () => Object.fromEntries(room.peers.map((peer) => [peer.meta.name, peer.state]));
globalThis.ready = true;
`;
const html = (script: string) => `<!doctype html><meta charset="utf-8"><title>room</title>
<script type="importmap">{ "imports": { "@switchboard/client": "/index.js" } }</script>
<script type="module">${script}</script>`;

/** A server of pages that ends with the test. `through`: by which addresses the pages find each other, or by those that they tell. */
export async function serveRooms(script: string = SCRIPT, through?: Through): Promise<string> {
  const server = createServer(async (request, response) => {
    const path = (request.url ?? '/').split('?')[0] as string;
    if (path === '/through') return response.end(await through?.(await text(request)));
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
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/${through ? '?through' : ''}`;
}

/** A page that has loaded; whatever it complains about is in `complaints`. */
export async function openRoomPage(browser: Browser, url: string): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => {
    // Firefox tells of a connection that is lost as of an error that nobody has caught.
    if (!/^The connection to ws:\S+ was interrupted/.test(error.message)) complaints.push(error.stack ?? error.message);
  });
  await page.goto(url);
  return { page, complaints };
}

/** Candidates of the other's, or a description with such, with the addresses by which they are to be reached. */
export type Through = (text: string) => Promise<string>;

export interface Visitor {
  name: string;
  page: Page;
  complaints: string[];
}

/** Somebody in the room, whose page is served by `pages` and whose server is behind `server`. */
export async function enter(
  browser: Browser,
  pages: string,
  server: string,
  name: string,
  options: object = {},
): Promise<Visitor> {
  const { page, complaints } = await openRoomPage(browser, pages);
  await page.waitForFunction('globalThis.ready');
  const url = new URL('ws', server).href.replace('http', 'ws');
  await page.evaluate(`enter('blue', ${JSON.stringify({ url, meta: { name }, ...options })})`);
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
