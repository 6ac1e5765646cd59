// A person at a browser: a context of their own in one shared Chromium, seen and used by what the page shows.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { DEADLINE_MS, until } from './until.js';

const CHROMIUM = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
// The last one: real addresses instead of mDNS names in candidates, which a machine without an mDNS responder needs.
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-features=WebRtcHideLocalIpsWithMdns'];

/** One Chromium for a test file. */
export const openBrowser = (...more) => chromium.launch({ executablePath: CHROMIUM, args: [...ARGUMENTS, ...more] });

/** For `Visitor.arrive`: the page's RTCPeerConnections are kept for `connections()`. */
export const countConnections = (page) => page.addInitScript(() => {
  globalThis.madeConnections = [];
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) {
      super(...options);
      globalThis.madeConnections.push(this);
    }
  };
});

/** What the browser itself complains about when a socket breaks; whether that is fine is for the test to say elsewhere. */
const isSocketNoise = (text) => /WebSocket connection to|net::ERR_/.test(text);

export class Visitor {
  #context; #page; #troubles = [];
  /** Every frame the page sent and received, over all its sockets. */
  sent = [];
  received = [];

  /** Opens `url` in a fresh profile, after `prepare(page)`; at the end of the test the page must not have complained about anything. */
  static async arrive(t, browser, url, prepare = async () => {}) {
    const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    const visitor = new Visitor(context, await context.newPage());
    t.after(async () => {
      await context.close();
      assert.deepEqual(visitor.#troubles, [], 'script errors, policy violations or invalid frames of the page');
    });
    await prepare(visitor.#page);
    await visitor.#page.goto(url);
    return visitor;
  }

  constructor(context, page) {
    this.#context = context;
    this.#page = page;
    page.setDefaultTimeout(DEADLINE_MS);
    page.on('pageerror', (error) => this.#troubles.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !isSocketNoise(message.text())) this.#troubles.push(message.text());
    });
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => this.sent.push(JSON.parse(payload)));
      socket.on('framereceived', ({ payload }) => this.#check(JSON.parse(payload)));
    });
  }

  /** Whatever else goes wrong in a test on purpose: the page never sends a frame that the server cannot read. */
  #check(frame) {
    this.received.push(frame);
    if (frame.type === 'error' && frame.category === 'INVALID_MESSAGE') this.#troubles.push(frame.message);
  }

  get page() { return this.#page; }

  async join(room, name) {
    await this.#page.getByLabel('Room', { exact: true }).fill(room);
    await this.#page.getByLabel('Your name').fill(name);
    await this.#page.getByRole('button', { name: 'Join' }).click();
  }

  async joined(room, name) {
    await this.join(room, name);
    await this.inRoom(room);
  }

  /** In the room, as the server confirmed it. */
  async inRoom(room) {
    await this.#page.getByRole('heading', { name: room, exact: true }).waitFor();
    await this.status('Connected to the server');
  }

  /** In the room again after a loss, with "Try now" pressed whenever it is there, so that no back-off is waited for. */
  async comesBack() {
    const retry = this.#page.getByRole('button', { name: 'Try now' });
    await until('back in the room', async () => {
      if (await retry.isVisible()) await retry.click({ timeout: 500 }).catch(() => {}); // gone again: it tries by itself
      return (await this.#page.getByRole('status').textContent()).includes('Connected to the server');
    });
  }

  async say(text) {
    await this.#page.getByRole('textbox', { name: 'Message' }).fill(text);
    await this.#page.getByRole('button', { name: 'Send' }).click();
  }

  /** The log shows `text` as said by `name` ("You" for oneself). */
  hears(text, name) {
    return this.#log.locator('.message').filter({ hasText: text }).filter({ hasText: name }).waitFor();
  }

  notices(text) {
    return this.#log.locator('.note').filter({ hasText: text }).last().waitFor();
  }

  /** The roster's line of `name` shows `state`. */
  sees(name, state) {
    return this.#people.filter({ hasText: name }).filter({ hasText: state }).waitFor();
  }

  /** Every RTCPeerConnection that the page ever made, as its state. Ask for it with `prepare: countConnections`. */
  connections() {
    return this.#page.evaluate(() => globalThis.madeConnections.map(({ connectionState }) => connectionState));
  }

  /** What the status line says now. */
  async nowStatus() {
    return this.#page.locator('#status-text').textContent();
  }

  /** Exactly these names, in any order, are in the roster. */
  async seesOnly(...names) {
    for (const name of names) await this.#people.filter({ hasText: name }).waitFor();
    await this.#people.nth(names.length).waitFor({ state: 'detached' });
  }

  alert(text) {
    return this.#page.getByRole('alert').filter({ hasText: text }).waitFor();
  }

  status(text) {
    return this.#page.getByRole('status').filter({ hasText: text }).waitFor();
  }

  press(button) {
    return this.#page.getByRole('button', { name: button }).click();
  }

  async closeTab() {
    await this.#page.close({ runBeforeUnload: false });
  }

  get #people() { return this.#page.getByRole('list', { name: 'People' }).getByRole('listitem'); }

  get #log() { return this.#page.getByRole('log'); }
}
