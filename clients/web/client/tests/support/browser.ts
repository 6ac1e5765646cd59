// Pages in a real Chromium, of an origin of their own, with what was built.

import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium, type Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

const CHROMIUM = process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium';

export const openBrowser = (...args: string[]): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', ...args] });

const PAGE = '<!doctype html><meta charset="utf-8"><title>client</title><script type="module" src="/page.js"></script>';
/** Leaves `arrive(url, options)` on the page. */
const PAGE_SCRIPT = `
import { SignalingClient } from '/signaling.js';
globalThis.arrive = (options) => {
  const client = new SignalingClient(options);
  globalThis.client = client;
  globalThis.heard = [];
  globalThis.states = [];
  client.on('signal', ({ data }) => globalThis.heard.push(data));
  client.on('state', ({ name }) => globalThis.states.push(name));
  return client.start();
};
`;
const WORKER_SCRIPT = `
import { SignalingClient } from '/signaling.js';
onmessage = async ({ data }) => {
  const client = new SignalingClient(data);
  client.on('signal', ({ data }) => postMessage({ heard: data }));
  await client.start();
  await client.signal('*', 'app', 'from a worker');
};
`;
const FILES: { [path: string]: [type: string, body: () => string | Buffer] } = {
  '/': ['text/html', () => PAGE],
  '/page.js': ['text/javascript', () => PAGE_SCRIPT],
  '/worker.js': ['text/javascript', () => WORKER_SCRIPT],
};
/** What was built, in as many files as it is. */
const built = (path: string): [type: string, body: () => string | Buffer] | [] => {
  const file = new URL(`../../dist${path}`, import.meta.url);
  return /^\/[\w-]+\.js$/.test(path) && existsSync(file) ? ['text/javascript', () => readFileSync(file)] : [];
};

/** A server of pages that ends with the test; `policy` is its Content-Security-Policy. */
export async function servePages(policy?: string): Promise<string> {
  const server = createServer((request, response) => {
    const [type, body] = FILES[request.url ?? ''] ?? built(request.url ?? '');
    if (!type || !body) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': type, ...(policy && { 'content-security-policy': policy }) }).end(body());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A page in a profile of its own; whatever it complains about is in `troubles`. */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; troubles: string[] }> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  await page.goto(url);
  await page.waitForFunction('globalThis.arrive');
  return { page, troubles };
}
