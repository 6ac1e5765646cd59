// Channels over the data channels of a real Chromium.

import { expect, onTestFinished, test } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { bundle, servePage } from '../support/bundle.ts';

const PAGE = `
import { Channel } from '/src/mesh/channel.ts';
globalThis.pair = async (init) => {
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
  a.onicecandidate = ({ candidate }) => b.addIceCandidate(candidate);
  b.onicecandidate = ({ candidate }) => a.addIceCandidate(candidate);
  const raw = a.createDataChannel('test', init);
  const ada = new Channel(raw);
  const there = new Promise((resolve) => { b.ondatachannel = ({ channel }) => resolve(new Channel(channel)); });
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  const grace = await there;
  const heard = [];
  grace.on('message', ({ data }) => heard.push(data));
  const ends = [];
  for (const [name, channel] of Object.entries({ ada, grace })) channel.on('close', ({ error }) => ends.push(name + ' ' + error.code));
  return { a, b, raw, ada, grace, heard, ends };
};
globalThis.until = async (probe) => { while (!probe()) await new Promise((resolve) => setTimeout(resolve, 10)); };
globalThis.ready = true;
`;

test('16 MiB, many messages, a request and a Blob arrive whole; the browser never holds more than a little', async () => {
  const port = await servePage(await bundle(PAGE));
  const browser = await openBrowser('--disable-features=WebRtcHideLocalIpsWithMdns');
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.waitForFunction('globalThis.ready');
  const big = await page.evaluate(`(async () => {
    const { ada, grace, heard, raw } = globalThis.first = await pair({});
    const large = crypto.getRandomValues(new Uint32Array(16384));
    const bytes = new Uint8Array(16 * 1024 * 1024);
    for (let at = 0; at < bytes.length; at += 65536) bytes.set(new Uint8Array(large.buffer), at);
    bytes[bytes.length - 1] = 7;
    let most = 0;
    const watch = setInterval(() => { most = Math.max(most, raw.bufferedAmount); }, 1);
    grace.onRequest((data) => ({ doubled: data * 2 }));
    const sent = [ada.send(bytes), ada.send(new Blob([bytes.subarray(0, 300000)])), ...Array.from({ length: 500 }, (_, n) => ada.send(n))];
    const reply = await ada.request(21, { timeoutMs: 60000 });
    await Promise.all(sent);
    await until(() => heard.length === 502);
    clearInterval(watch);
    const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
    return { most, reply, large: same(heard[0], bytes), blob: same(heard[1], bytes.subarray(0, 300000)), rest: heard.slice(2).every((data, n) => data === n) };
  })()`);
  expect(big).toMatchObject({ reply: { doubled: 42 }, large: true, blob: true, rest: true });
  expect((big as { most: number }).most).toBeLessThan(300_000);
  expect(
    await page.evaluate(`(async () => {
      const { ada, heard } = await pair({ ordered: false });
      void ada.send(new Uint8Array(8 * 1024 * 1024));
      void ada.send('short');
      await until(() => heard.length === 2);
      return heard.map((data) => typeof data);
    })()`),
  ).toEqual(['string', 'object']);
  // What a browser tells when either end closes.
  expect(
    await page.evaluate(`(async () => {
      const { b, ada, grace, ends } = first;
      const lost = ada.request('?').catch(({ code }) => code);
      grace.onRequest(() => new Promise(() => {}));
      grace.close();
      b.close();
      await until(() => ends.length === 2);
      return [await lost, ...ends.sort()];
    })()`),
  ).toEqual(['closed', 'ada closed', 'grace closed']);
});
