// Camera, microphone and screen on the page, with Chromium's fake devices: that each sees and hears the others, and what the page says where nobody does.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { advances, arriveWithDevices, isOn, openBrowserWithDevices, streams, turnOn } from './support/media.js';
import { scenario } from './support/scenario.js';
import { startServer } from './support/server.js';
import { until } from './support/until.js';
import { openBrowser, Visitor } from './support/visitor.js';

const ROOM = 'silver-comet-512';

let browser;
before(async () => { browser = await openBrowserWithDevices(); });
after(() => browser?.close());

/** Two people who are connected, and send nothing yet. */
async function two(t) {
  const { url } = await startServer(t);
  const [ada, grace] = [await arriveWithDevices(t, browser, url), await arriveWithDevices(t, browser, url)];
  await ada.joined(ROOM, 'Ada');
  await grace.joined(ROOM, 'Grace');
  await ada.sees('Grace', 'connected');
  await grace.sees('Ada', 'connected');
  return [ada, grace];
}

const tile = (visitor, name) => visitor.page.locator('#tiles .tile').filter({ hasText: name });
const screen = (visitor, name) => visitor.page.locator('#screens .tile').filter({ hasText: name });
const click = (visitor, name) => visitor.page.getByRole('button', { name, exact: true }).click();
const offers = ({ sent }) => sent.filter(({ type, kind }) => type === 'signal' && kind === 'offer').length;

scenario('nothing is sent before its owner has seen it and said so; then two people see and hear each other', async (t) => {
  const [ada, grace] = await two(t);
  const dialog = ada.page.getByRole('dialog');
  await click(ada, 'Camera');
  await until('Ada sees herself', () => dialog.locator('video').evaluate((video) => video.videoWidth > 0 && !video.paused));
  await dialog.getByRole('checkbox', { name: 'Microphone' }).check();
  await until('Ada sees how loud she is', () => dialog.locator('meter').evaluate((meter) => meter.value > 0));
  assert.deepEqual((await streams(ada)).sent, { audio: 0, video: 0 });
  await dialog.getByRole('button', { name: 'Not now' }).click();
  assert.equal(await isOn(ada, 'Camera'), 'false');
  assert.deepEqual((await streams(grace)).received, { audio: 0, video: 0 });
  assert.equal(await tile(grace, 'Ada').count(), 0);

  await turnOn(ada, 'Camera', 'Microphone');
  await turnOn(grace, 'Camera', 'Microphone');
  for (const [one, other] of [[ada, 'Grace'], [grace, 'Ada']]) {
    await advances(one, 'frames');
    await advances(one, 'samples');
    await until(`${other} is on the screen`, () => tile(one, other).locator('video').evaluate((video) => video.videoWidth > 0 && !video.paused));
    await tile(one, other).getByText(/direct \((host|prflx|srflx)/).waitFor({ state: 'attached' });
  }
});

scenario('who is muted is not heard, and who turns the camera off is not seen; both are told, and end without another question', async (t) => {
  const [ada, grace] = await two(t);
  await turnOn(ada, 'Camera', 'Microphone');
  await advances(grace, 'frames');
  const heard = async () => (await streams(grace)).energy;
  const first = await heard();
  await until('Grace hears Ada', async () => (await heard()) > first);

  await click(ada, 'Microphone');
  await tile(grace, 'Ada').getByText('muted').waitFor();
  // The last of it is on its way; then nothing is heard while sound goes on coming.
  await until('Grace hears nothing', async () => {
    const before = await heard();
    await advances(grace, 'samples');
    return (await heard()) - before < 1e-9;
  });
  await click(ada, 'Microphone');
  const silent = await heard();
  await until('Grace hears Ada again', async () => (await heard()) > silent + 1e-6);

  const light = () => ada.page.evaluate(() => globalThis.madeConnections.flatMap((connection) => connection.getSenders())
    .find(({ track }) => track?.kind === 'video').track.readyState);
  await click(ada, 'Camera');
  await tile(grace, 'Ada').locator('video').waitFor({ state: 'hidden' });
  assert.equal(await light(), 'ended', 'the light is out');
  const made = offers(ada) + offers(grace);
  await click(ada, 'Camera');
  await tile(grace, 'Ada').locator('video').waitFor();
  assert.equal(await light(), 'live');
  await advances(grace, 'frames');
  assert.equal(offers(ada) + offers(grace), made, 'nothing was negotiated');
});

scenario('another camera and another microphone are used at once, and nothing is negotiated', async (t) => {
  const [ada, grace] = await two(t);
  await turnOn(ada, 'Camera', 'Microphone');
  await advances(grace, 'frames');
  await advances(grace, 'samples');
  const made = offers(ada) + offers(grace);
  await click(ada, 'Devices');
  const dialog = ada.page.getByRole('dialog');
  for (const [what, kind] of [['Which camera', 'camera'], ['Which microphone', 'microphone']]) {
    const menu = dialog.getByLabel(what);
    const now = await menu.inputValue();
    const ids = await menu.locator('option').evaluateAll((all) => all.map(({ value }) => value));
    assert.ok(ids.length > 1 && ids.includes(now), `${what}: ${ids} with ${now}`);
    const other = ids.at(-1);
    assert.notEqual(other, now);
    await menu.selectOption(other);
    await until(`the ${kind} that is sent is the other one`, () => ada.page.evaluate(([id, type]) => globalThis.madeConnections
      .flatMap((connection) => connection.getSenders())
      .some(({ track }) => track?.kind === type && track.getSettings().deviceId === id), [other, kind === 'camera' ? 'video' : 'audio']));
    assert.equal(await menu.inputValue(), other);
  }
  await dialog.getByRole('button', { name: 'Done' }).click();
  await advances(grace, 'frames');
  await advances(grace, 'samples');
  assert.equal(offers(ada) + offers(grace), made);
});

scenario('the loudspeaker is chosen, too', async (t) => {
  const [ada, grace] = await two(t);
  await turnOn(ada, 'Microphone');
  await turnOn(grace, 'Microphone');
  await tile(grace, 'Ada').waitFor();
  await click(grace, 'Devices');
  const menu = grace.page.getByLabel('Loudspeaker');
  const ids = await menu.locator('option').evaluateAll((all) => all.map(({ value }) => value));
  assert.ok(ids.length > 1, `${ids}`);
  await menu.selectOption(ids.at(-1));
  await until('Ada is heard there', () => tile(grace, 'Ada').locator('audio').evaluate((audio, id) => audio.sinkId === id, ids.at(-1)));
});

scenario('devices come and go: the menu follows, and who loses the one that is in use is told', async (t) => {
  const [ada, grace] = await two(t);
  await turnOn(ada, 'Camera', 'Microphone');
  await tile(grace, 'Ada').locator('video').waitFor();
  await click(ada, 'Devices');
  const dialog = ada.page.getByRole('dialog');
  await ada.page.evaluate(async () => {
    const found = await navigator.mediaDevices.enumerateDevices();
    navigator.mediaDevices.enumerateDevices = async () => [...found, { deviceId: 'new', kind: 'videoinput', label: 'A microscope', groupId: '' }];
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  });
  await dialog.getByRole('option', { name: 'A microscope' }).waitFor({ state: 'attached' });
  await dialog.getByRole('button', { name: 'Done' }).click();

  // A fake device cannot be pulled out: its track is told what a real one's is.
  await ada.page.locator('#tiles .tile[data-state="self"] video').evaluate(({ srcObject }) => {
    const [track] = srcObject.getTracks();
    track.stop();
    track.dispatchEvent(new Event('ended'));
  });
  await ada.alert('Your camera is gone');
  assert.equal(await isOn(ada, 'Camera'), 'false');
  await tile(grace, 'Ada').locator('video').waitFor({ state: 'hidden' });
  await click(ada, 'Camera');
  await tile(grace, 'Ada').locator('video').waitFor();
  await advances(grace, 'frames');
});

scenario('a screen is shown to the others until it is stopped here or by the browser', async (t) => {
  const [ada, grace] = await two(t);
  for (const [how, stop] of [
    ['here', () => click(ada, 'Screen')],
    ['by the browser', () => screen(ada, 'Your screen').locator('video').evaluate(({ srcObject }) => {
      const [track] = srcObject.getVideoTracks();
      track.stop();
      track.dispatchEvent(new Event('ended'));
    })],
  ]) {
    await click(ada, 'Screen');
    await screen(grace, 'Ada’s screen').waitFor();
    await until(`Grace sees it (${how})`, () => screen(grace, 'Ada').locator('video').evaluate((video) => video.videoWidth > 0));
    assert.equal(await isOn(ada, 'Screen'), 'true');
    await stop();
    await screen(grace, 'Ada').waitFor({ state: 'detached' });
    await screen(ada, 'Your screen').waitFor({ state: 'detached' });
    assert.equal(await isOn(ada, 'Screen'), 'false');
  }
});

scenario('who says no to the browser is told what it means, and goes on writing', async (t) => {
  const { url } = await startServer(t);
  const denying = await openBrowser('--use-fake-device-for-media-stream', '--deny-permission-prompts');
  t.after(() => denying.close());
  const ada = await arriveWithDevices(t, denying, url, { permissions: [] });
  await ada.joined(ROOM, 'Ada');
  await click(ada, 'Camera');
  await ada.alert('This page may not use the camera. Allow it in the browser');
  const dialog = ada.page.getByRole('dialog');
  assert.ok(await dialog.getByRole('button', { name: 'Send nothing' }).isDisabled());
  await dialog.getByRole('checkbox', { name: 'Microphone' }).click();
  await ada.alert('This page may not use the microphone.');
  await ada.page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.equal(await isOn(ada, 'Camera'), 'false');

  const grace = await Visitor.arrive(t, denying, url);
  await grace.joined(ROOM, 'Grace');
  await ada.sees('Grace', 'connected');
  await ada.say('Without a camera');
  await grace.hears('Without a camera', 'Ada');
});

scenario('a machine without devices says so', async (t) => {
  const { url } = await startServer(t);
  const bare = await openBrowserWithDevices({ count: 0 });
  t.after(() => bare.close());
  const ada = await arriveWithDevices(t, bare, url);
  await ada.joined(ROOM, 'Ada');
  await click(ada, 'Camera');
  await ada.alert('No camera was found. Connect one, and try again.');
});

scenario('who leaves, or closes the dialog, has no device open any more', async (t) => {
  const { url } = await startServer(t);
  const ada = await arriveWithDevices(t, browser, url, {
    prepare: (page) => page.addInitScript(() => {
      globalThis.opened = [];
      const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await open(wanted);
        globalThis.opened.push(...stream.getTracks());
        return stream;
      };
    }),
  });
  const states = () => ada.page.evaluate(() => globalThis.opened.map(({ readyState }) => readyState));
  await ada.joined(ROOM, 'Ada');
  await click(ada, 'Camera');
  await until('a camera is open', async () => (await states()).length === 1);
  await ada.page.keyboard.press('Escape');
  await until('it is closed', async () => (await states()).join() === 'ended');
  await turnOn(ada, 'Camera', 'Microphone');
  assert.ok((await states()).includes('live'));
  await ada.press('Leave');
  await ada.page.getByRole('button', { name: 'Join' }).waitFor();
  await until('all are closed', async () => (await states()).every((state) => state === 'ended'));
});

scenario('a page that came without TLS says why it has no camera, and what helps; text works', async (t) => {
  const server = await startServer(t);
  const phones = await openBrowser('--host-resolver-rules=MAP phone.test 127.0.0.1', '--use-fake-device-for-media-stream');
  t.after(() => phones.close());
  const url = `http://phone.test:${server.port}/`;
  const [ada, grace] = [await Visitor.arrive(t, phones, url), await Visitor.arrive(t, phones, url)];
  assert.equal(await ada.page.evaluate(() => globalThis.isSecureContext), false);
  await ada.joined(ROOM, 'Ada');
  await grace.joined(ROOM, 'Grace');
  await ada.sees('Grace', 'connected');
  await ada.say('From a phone');
  await grace.hears('From a phone', 'Ada');
  assert.equal(await ada.page.getByRole('button', { name: 'Camera' }).count(), 0);
  const why = ada.page.getByText('this page came without https');
  await why.click();
  await ada.page.getByText('tls.cert_file').waitFor();
});
