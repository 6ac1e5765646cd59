// Tabs of one window of a real Chromium, of which one is in front: whatever a browser does to the others is done to them. (Playwright keeps all
// of its pages awake.)

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { Child } from '../../../../../tests/e2e/support/child.js';

const CHROMIUM = process.env['CHROMIUM_BIN'] ?? '/usr/bin/chromium';
const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--remote-debugging-port=0'];

export interface Tab {
  /** Runs `code` there; its value, once a promise is kept. */
  evaluate(code: string): Promise<unknown>;
}

/**
 * A browser that ends with the test. Five minutes after a tab was hidden Chromium lets its timers fire once a minute; here after
 * `graceSeconds`. `open` opens a tab at `url`; `cover` brings an empty one to the front.
 */
export async function openTabs(graceSeconds: number) {
  const home = mkdtempSync(join(tmpdir(), 'switchboard-tabs-'));
  const throttling = `--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/${graceSeconds}`;
  const child = new Child(CHROMIUM, [...ARGUMENTS, throttling, `--user-data-dir=${home}`, 'about:blank']);
  onTestFinished(async () => {
    await child.kill();
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  });
  const host = await child.line('Chromium listens', (line: string) => /DevTools listening on ws:\/\/([^/]+)/.exec(line)?.[1]);
  const ask = (path: string) => fetch(`http://${host}/json/${path}`, { method: 'PUT' });
  const open = async (url: string): Promise<Tab> => {
    const { webSocketDebuggerUrl } = (await (await ask(`new?${url}`)).json()) as { webSocketDebuggerUrl: string };
    return tabAt(webSocketDebuggerUrl);
  };
  return {
    open,
    cover: async () => {
      const { id } = (await (await ask('new?about:blank')).json()) as { id: string };
      await ask(`activate/${id}`);
    },
  };
}

async function tabAt(url: string): Promise<Tab> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  onTestFinished(() => socket.terminate());
  const waiting = new Map<number, (reply: Reply) => void>();
  let asked = 0;
  socket.on('message', (data) => {
    const reply = JSON.parse(String(data)) as Reply;
    waiting.get(reply.id)?.(reply);
    waiting.delete(reply.id);
  });
  return {
    evaluate: async (expression) => {
      const id = ++asked;
      const replied = new Promise<Reply>((resolve) => waiting.set(id, resolve));
      const params = { expression, awaitPromise: true, returnByValue: true };
      socket.send(JSON.stringify({ id, method: 'Runtime.evaluate', params }));
      const { result, error } = await replied;
      if (error ?? result?.exceptionDetails) throw new Error(JSON.stringify(error ?? result?.exceptionDetails));
      return result?.result.value;
    },
  };
}

interface Reply {
  id: number;
  result?: { result: { value?: unknown }; exceptionDetails?: unknown };
  error?: unknown;
}
