// Whatever goes wrong is said in words that somebody understands who knows nothing of servers, with what to do about it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as texts from '../../clients/web/demo/texts.js';
import { scenario } from './support/scenario.js';
import { REPOSITORY, startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

const ROOM = 'brave-comet-404';

/** Only a mistake of this page's own could cause these: for them the server's words have to do. */
const MISTAKES = ['invalid_message', 'unknown_type', 'already_joined', 'not_in_room', 'peer_not_found', 'peer_busy', 'session_not_found', 'session_taken',
  'join_timeout', 'slow_consumer', 'ping_timeout'];

test('each error code that a join may meet has words of its own', () => {
  const source = readFileSync(join(REPOSITORY, 'clients/web/client/src/wire.generated.ts'), 'utf8');
  const table = /export const ERROR_CODES = \{\n(.*?)\n\} as const/s.exec(source)[1];
  const codes = [...table.matchAll(/^ {2}(\w+):/gm)].map(([, code]) => code);
  assert.ok(codes.length > 20);
  const error = (code) => ({ code, message: 'words of a server', retryAfterMs: 5_000 });
  for (const code of [...codes, 'token_failed', 'socket_failed', 'client_failed']) {
    const text = texts.refused(error(code), ROOM, { peersPerRoom: 10 });
    assert.equal(text.includes('words of a server'), MISTAKES.includes(code), `${code}: ${text}`);
    assert.doesNotMatch(text, /undefined|_/, code);
  }
});

test('each reason for which a pair may not be there has words of its own', () => {
  const source = readFileSync(join(REPOSITORY, 'clients/web/client/src/mesh/recovery.ts'), 'utf8');
  const reasons = [.../export type UnreachableReason = (.*?);/s.exec(source)[1].matchAll(/'(\w+)'/g)].map(([, reason]) => reason);
  assert.ok(reasons.length >= 5);
  for (const reason of reasons) assert.notEqual(texts.unreachable(reason), texts.unreachable('something else'), reason);
});

/** A page whose server's frames pass through `change`, which may answer itself. */
const through = (onServer) => (page) => page.routeWebSocket(/\/ws\?/, (socket) => {
  const server = socket.connectToServer();
  server.onMessage((text) => onServer(JSON.parse(text), (frame) => socket.send(JSON.stringify(frame)), socket));
});

for (const [what, frame, words] of [
  ['an invitation that is over', { code: 'token_expired', category: 'AUTH', retryable: false }, 'Your invitation to this room is over. Ask for another one.'],
  ['a room that asks for an invitation', { code: 'unauthorized', category: 'AUTH', retryable: false }, `You need an invitation to the room “${ROOM}”.`],
]) {
  scenario(`${what} is told`, async (t) => {
    const { url } = await startServer(t);
    const ada = await Visitor.arrive(t, browser, url, through((one, send) =>
      send(one.type === 'joined' ? { type: 'error', re: one.re, message: 'no', ...frame } : one)));
    await ada.join(ROOM, 'Ada');
    await ada.alert(words);
    await ada.page.getByRole('button', { name: 'Join' }).waitFor();
  });
}

scenario('an invitation that ends during the stay is told', async (t) => {
  const { url } = await startServer(t);
  let end;
  const ada = await Visitor.arrive(t, browser, url, through((one, send, socket) => {
    send(one);
    end = () => {
      send({ type: 'bye', reason: 'token_expired', action: 'disconnect', retryAfterMs: 0 });
      socket.close({ code: 4401 });
    };
  }));
  await ada.joined(ROOM, 'Ada');
  end();
  await ada.alert('Your invitation to this room is over. Ask for another one.');
});

scenario('somebody who cannot be reached without a TURN server is told of as such, with what helps', async (t) => {
  const { url } = await startServer(t);
  const relayed = async (page) => {
    await page.addInitScript(() => {
      globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) { super({ ...configuration, iceTransportPolicy: 'relay' }); }
      };
    });
    await page.clock.install();
  };
  const ada = await Visitor.arrive(t, browser, url, relayed);
  await ada.joined(ROOM, 'Ada');
  const grace = await Visitor.arrive(t, browser, url, relayed);
  await grace.joined(ROOM, 'Grace');
  await ada.sees('Grace', 'connecting');
  const note = ada.page.getByRole('log').locator('.note').filter({ hasText: 'your two networks let no direct connection through' });
  await until('Ada is told', async () => {
    for (const { page } of [ada, grace]) await page.clock.runFor(1_000);
    return await note.count() > 0;
  });
  assert.match(await note.first().textContent(), /^Grace cannot be reached.*Another network may help.*TURN server/);
  await ada.say('hello?');
  await ada.notices('Not sent: nobody can be reached.');
});

scenario('the time until the next attempt is counted down, and silently for who listens', async (t) => {
  const { url } = await startServer(t);
  let cut = false;
  const ada = await Visitor.arrive(t, browser, url, async (page) => {
    await page.addInitScript(() => { Math.random = () => 0.99; });
    await page.clock.install();
    await page.routeWebSocket(/\/ws\?/, (socket) => {
      if (cut) return socket.close({ code: 1013 });
      const server = socket.connectToServer();
      server.onMessage((text) => socket.send(text));
      ada.cut = () => socket.close({ code: 1011 });
      return undefined;
    });
  });
  await ada.joined(ROOM, 'Ada');
  cut = true;
  await ada.cut();
  const timer = ada.page.locator('#next-attempt');
  const left = async () => Number(/in (\d+) s/.exec(await timer.textContent())?.[1] ?? NaN);
  // Attempts thin out: sooner or later there are some seconds to count.
  const seconds = await until('some seconds to wait', async () => {
    await ada.page.clock.runFor(500);
    const found = await left();
    return found >= 4 && found;
  });
  await ada.page.clock.runFor(2_000);
  const later = await left();
  assert.ok(later <= seconds - 2 && later >= seconds - 3, `${seconds} s, and two seconds later ${later} s`);
  assert.equal(await timer.getAttribute('aria-live'), 'off');
});
