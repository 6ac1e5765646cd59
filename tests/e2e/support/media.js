// People with cameras and microphones: Chromium's own fake ones, which show a clock and beep once a second.

import { until } from './until.js';
import { countConnections, openBrowser, Visitor } from './visitor.js';

/** Chromium that has `count` cameras, at so many frames a second. Of the second WebRTC gets no frames here: its format is MJPEG. */
export const openBrowserWithDevices = ({ count = 3, framesPerSecond = 20 } = {}, ...more) => openBrowser(
  `--use-fake-device-for-media-stream=device-count=${count},fps=${framesPerSecond}`,
  '--use-fake-ui-for-media-stream', '--auto-select-desktop-capture-source=Entire screen', '--autoplay-policy=no-user-gesture-required', ...more,
);

/** Somebody at the page whose browser may use those devices, unless `permissions` says otherwise; connections are counted. */
export const arriveWithDevices = (t, browser, url, { permissions = ['camera', 'microphone'], prepare = async () => {} } = {}) =>
  Visitor.arrive(t, browser, url, async (page) => {
    await page.context().grantPermissions(permissions);
    await countConnections(page);
    await prepare(page);
  });

const button = (visitor, name) => visitor.page.getByRole('button', { name, exact: true });

/** What the button of that name says of what is sent: 'true' or 'false'. */
export const isOn = (visitor, name) => button(visitor, name).getAttribute('aria-pressed');

/** Turns camera and microphone on, or one of both, through the question and the preview. */
export async function turnOn(visitor, ...names) {
  const dialog = visitor.page.getByRole('dialog');
  await button(visitor, names[0]).click();
  for (const name of names.slice(1)) await dialog.getByRole('checkbox', { name }).check();
  const send = dialog.getByRole('button', { name: /^Let them/ });
  const both = names.length > 1 ? 'Let them see and hear you' : undefined;
  await until('the preview has all that is asked for', async () => (await send.isEnabled()) && (!both || (await send.textContent()) === both));
  await send.click();
  for (const name of names) await until(`${name} is on`, async () => (await isOn(visitor, name)) === 'true');
}

/** What a page gets and sends, of all its connections: sums, by kind, of the streams of RTP (W3C webrtc-stats). */
export const streams = (visitor) => visitor.page.evaluate(async () => {
  const kinds = () => ({ audio: 0, video: 0 });
  const sums = { received: kinds(), sent: kinds(), frames: 0, samples: 0, energy: 0, connected: 0, wide: [], each: [] };
  for (const connection of globalThis.madeConnections.filter(({ connectionState }) => connectionState === 'connected')) {
    const one = { frames: 0, samples: 0 };
    sums.connected += 1;
    for (const stats of (await connection.getStats()).values()) {
      if (stats.type === 'outbound-rtp') sums.sent[stats.kind] += stats.packetsSent ?? 0;
      if (stats.type !== 'inbound-rtp') continue;
      sums.received[stats.kind] += stats.packetsReceived;
      one.frames += stats.framesDecoded ?? 0;
      one.samples += stats.totalSamplesReceived ?? 0;
      sums.energy += stats.totalAudioEnergy ?? 0;
      if (stats.frameWidth) sums.wide.push(stats.frameWidth);
    }
    sums.frames += one.frames;
    sums.samples += one.samples;
    sums.each.push(one);
  }
  return sums;
});

/** Each of a page's `count` connections brings more of `what` (frames, samples) than it has so far. */
export async function advances(visitor, what, count = 1) {
  let before;
  await until(`${what} of ${count} others advance`, async () => {
    const { each } = await streams(visitor);
    if (each.length !== count) return null;
    before ??= each;
    return each.every((one, nth) => one[what] > before[nth][what]);
  });
}
