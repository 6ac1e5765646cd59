// The hooks with the real React, in StrictMode, in a real Chromium; and where there is no browser at all.

import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { usePeers, useRoom, useTrack } from '../src/react.ts';
import { openBrowser } from './support/browser.ts';
import { bundle, servePage } from './support/bundle.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser('--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream');
});
afterAll(() => browser.close());

/** Two people on one page, each with a connection to a server in memory, and a real one to each other. */
const PAGE = `
import { createElement as h, StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { TestServer } from '@switchboard/client/testing';
import { usePeers, useRoom, useTrack } from '@switchboard/client/react';

const server = (globalThis.server = new TestServer({ latencyMs: 5 }));
globalThis.rooms = {};
globalThis.renders = 0;
const memory = () => ({ getItem: () => null, setItem() {}, removeItem() {} });

function Tile({ room, peer }) {
  const { track, stream, muted } = useTrack(room, peer, { kind: 'video', name: 'camera' });
  const kind = track ? track.kind + (muted ? ' muted' : '') + (stream.getTracks().includes(track) ? '' : ' elsewhere') : 'nothing';
  return h('li', null, peer.meta.name + ' ' + peer.presence + ' ' + peer.state + ' ' + kind);
}
globalThis.aborts = { Ada: new AbortController(), Grace: new AbortController() };
function Person({ name, to }) {
  globalThis.renders += 1;
  const { room, state, error } = useRoom(to, { url: server.url, meta: { name }, WebSocket: server.WebSocket, storage: memory(), wait: false, signal: aborts[name].signal });
  const peers = usePeers(room);
  globalThis.rooms[name] = room;
  return h('section', { id: name }, h('h2', null, error ? error.code : state.name), h('ul', null, peers.map((peer) => h(Tile, { key: peer.who ?? peer.id, room, peer }))));
}
function App() {
  const [there, show] = useState({ Ada: 'lobby', Grace: 'lobby' });
  globalThis.show = (change) => show((now) => ({ ...now, ...change }));
  return Object.entries(there).map(([name, to]) => to === undefined ? null : h(Person, { key: name, name, to }));
}
createRoot(document.querySelector('main')).render(h(StrictMode, null, h(App)));
`;

test('who is in the room is on the page, with state, tracks and all that changes; under StrictMode one connection each', async () => {
  const port = await servePage(await bundle(PAGE));
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(message.text());
  });
  await page.goto(`http://127.0.0.1:${port}/`);
  const reads = async (name: string, text: string) => {
    await page
      .waitForFunction(([name, text]) => document.querySelector(`#${name}`)?.textContent === text, [name, text] as const, {
        timeout: 15_000,
      })
      .catch(async () => expect(await page.locator(`#${name}`).textContent(), `${troubles}`).toBe(text));
  };
  await reads('Ada', 'joinedGrace here connected nothing');
  await reads('Grace', 'joinedAda here connected nothing');
  expect(await page.evaluate('server.sockets.length'), 'mounted twice, connected once').toBe(2);
  await page.evaluate(`(async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ video: true });
    globalThis.publication = await rooms.Ada.publish(stream, { name: 'camera' });
  })()`);
  await reads('Grace', 'joinedAda here connected video');
  await page.evaluate('publication.mute()');
  await reads('Grace', 'joinedAda here connected video muted');
  await page.evaluate(`rooms.Ada.update({ name: 'Countess' })`);
  await reads('Grace', 'joinedCountess here connected video muted');
  const before = Number(await page.evaluate('renders'));
  await page.evaluate('new Promise((resolve) => setTimeout(resolve, 300))');
  expect(Number(await page.evaluate('renders')), 'nothing has changed').toBe(before);
  await page.evaluate('server.cut(); show({})');
  await reads('Grace', 'joinedCountess here connected video muted');
  // Another room is another room: the old one is left.
  await page.evaluate(`show({ Ada: 'elsewhere' })`);
  await reads('Grace', 'joined');
  await reads('Ada', 'joined');
  expect(await page.evaluate(`[...server.rooms.keys()].sort().join()`)).toBe('elsewhere,lobby');
  await page.evaluate('show({ Ada: null })');
  await reads('Ada', 'idle');
  // What the application gives ends it, too.
  await page.evaluate(`show({ Ada: 'again' })`);
  await reads('Ada', 'joined');
  await page.evaluate('aborts.Ada.abort()');
  await reads('Ada', 'closed');
  await page.evaluate(`show({ Ada: 'once more' })`);
  await reads('Ada', 'aborted');
  expect(await page.evaluate(`[...server.rooms.keys()].join()`)).toBe('lobby');
  await page.evaluate('aborts.Ada = new AbortController(); show({ Ada: null })');
  await page.evaluate('show({ Grace: undefined })');
  await page.waitForFunction('server.rooms.size === 0 && server.openSockets.length === 0');
  await page.evaluate(`server.limits.peersPerRoom = 0; show({ Ada: 'full' })`);
  await reads('Ada', 'room_full');
  expect(troubles).toEqual([]);
});

/** As an application has them. */
function Person() {
  const { room, state, error } = useRoom('lobby', { url: 'wss://sb.example/ws' });
  const peers = usePeers(room);
  const peer = { publications: [] } as never;
  const { track } = useTrack(room, peer, { kind: 'video' });
  return createElement('p', null, `${state.name} ${peers.length} ${String(error)} ${String(track)}`);
}

test('the example of README.md works as it is written', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const example = [...readme.matchAll(/```js\n(.*?)```/gs)]
    .map(([, code]) => code as string)
    .find((code) => code.includes('useRoom'));
  const script = `
    import { createElement as h } from 'react';
    import { createRoot } from 'react-dom/client';
    import { joinRoom } from '@switchboard/client';
    import { TestServer } from '@switchboard/client/testing';
    ${example}
    const server = new TestServer();
    globalThis.WebSocket = server.WebSocket;
    globalThis.joinRoom = joinRoom;
    createRoot(document.querySelector('main')).render(h(Call, { name: 'lobby', url: server.url }));
    globalThis.url = server.url;
    globalThis.ready = true;
  `;
  const port = await servePage(await bundle(script));
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.waitForFunction('globalThis.ready');
  await page.waitForFunction(`document.querySelector('ul.joined')`);
  await page.evaluate(`(async () => {
    const room = await joinRoom('lobby', { url, meta: { name: 'Grace' }, identity: 'of-grace-and-nobody-else-at-all' });
    await room.publish(await navigator.mediaDevices.getUserMedia({ video: true }));
  })()`);
  await page.waitForFunction(
    `document.querySelector('li')?.textContent === 'Grace' && document.querySelector('video').videoWidth > 0`,
  );
});

test('where there is no browser there is no room, and nothing fails', () => {
  expect(renderToString(createElement(Person))).toBe('<p>idle 0 undefined undefined</p>');
});
