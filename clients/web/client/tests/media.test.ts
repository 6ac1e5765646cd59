// Devices as Chromium has them, with what it says when there are none to be had.

import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { Devices, MediaError, type MediaErrorCode, mediaError, openMedia, openScreen, switchDevice } from '../src/media.ts';
import { openBrowser } from './support/browser.ts';
import { bundle, servePage } from './support/bundle.ts';

const PAGE = `
import * as media from '@switchboard/client/media';
globalThis.media = media;
globalThis.outcome = (promise) => promise.then((value) => value, (error) => ({ name: error.name, code: error.code, message: error.message }));
globalThis.ready = true;
`;

async function open(url: (port: number) => string, args: string[], headers?: Record<string, string>) {
  const port = await servePage(await bundle(PAGE), headers);
  const browser = await openBrowser(...args);
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(url(port));
  await page.waitForFunction('globalThis.ready');
  return page;
}
const local = (port: number) => `http://127.0.0.1:${port}/`;
const FAKE = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

test('camera, microphone and screen are opened, and devices are listed with their names', async () => {
  const page = await open(local, [...FAKE, '--auto-select-desktop-capture-source=Entire screen']);
  const kinds = await page.evaluate(`outcome(media.openMedia({ camera: true, microphone: true }).then((stream) => {
    globalThis.stream = stream;
    return stream.getTracks().map(({ kind }) => kind).sort();
  }))`);
  expect(kinds).toEqual(['audio', 'video']);
  const list = (await page.evaluate('new media.Devices().refresh()')) as { [kind: string]: { id: string; label: string }[] };
  expect(list['cameras']?.[0]?.label).toMatch(/fake/);
  expect(list['microphones']?.length).toBeGreaterThan(0);
  const [camera] = list['cameras'] as unknown as [{ id: string }];
  const label = await page.evaluate(
    `media.openMedia({ camera: ${JSON.stringify(camera.id)} }).then((stream) => stream.getTracks()[0].label)`,
  );
  expect(label).toBe(list['cameras']?.[0]?.label);
  expect(await page.evaluate(`outcome(media.openMedia({ camera: 'no such device' }))`)).toMatchObject({
    name: 'MediaError',
    code: 'overconstrained',
  });
  const screen = `outcome(media.openScreen({ frameRate: 5 }).then((stream) => stream.getTracks().map(({ kind }) => kind)))`;
  expect(await page.evaluate(screen)).toEqual(['video']);
  await page.evaluate('media.closeMedia(stream)');
  expect(await page.evaluate('stream.getTracks().map(({ readyState }) => readyState)')).toEqual(['ended', 'ended']);
});

test('who says no, a policy, and an insecure origin are told apart', async () => {
  const denied = await open(local, ['--use-fake-device-for-media-stream', '--deny-permission-prompts']);
  expect(await denied.evaluate('outcome(media.openMedia({ microphone: true }))')).toMatchObject({ code: 'denied' });
  const insecure = await open(
    (port) => `http://phone.test:${port}/`,
    [...FAKE, '--host-resolver-rules=MAP phone.test 127.0.0.1'],
  );
  expect(await insecure.evaluate('outcome(media.openMedia({ camera: true }))')).toEqual({
    name: 'MediaError',
    code: 'insecure_origin',
    message: 'Browsers give the camera to pages with https only. Open this page by an address that begins with https.',
  });
  expect(await insecure.evaluate('outcome(media.openScreen())')).toMatchObject({ code: 'insecure_origin' });
  expect(await insecure.evaluate('new media.Devices().refresh()')).toEqual({ cameras: [], microphones: [], speakers: [] });
});

/** A browser with these devices. */
function browserWith(mediaDevices: object | undefined, isSecureContext = true) {
  vi.stubGlobal('navigator', { mediaDevices });
  vi.stubGlobal('isSecureContext', isSecureContext);
}
afterEach(() => void vi.unstubAllGlobals());
const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: MediaError) => {
      expect(error).toBeInstanceOf(MediaError);
      expect(error.message).toMatch(/^[A-Z].*\.$/);
      return error.code;
    },
  );

test('every error of a browser has a code and words', async () => {
  const refusals: [string, string, MediaErrorCode][] = [
    ['NotAllowedError', 'Permission denied', 'denied'],
    ['NotAllowedError', 'Permission denied by system', 'denied_by_system'],
    ['NotAllowedError', 'Access to the feature is disallowed by permissions policy.', 'denied_by_policy'],
    ['SecurityError', '', 'denied_by_policy'],
    ['NotFoundError', 'Requested device not found', 'not_found'],
    ['NotReadableError', 'Could not start video source', 'in_use'],
    ['OverconstrainedError', '', 'overconstrained'],
    ['NotSupportedError', '', 'unsupported'],
    ['AbortError', '', 'aborted'],
    ['SomethingNew', '', 'aborted'],
  ];
  for (const [name, message, expected] of refusals) {
    const fails = () => Promise.reject(Object.assign(new DOMException(message, name), { constraint: 'width' }));
    browserWith({ getUserMedia: fails, getDisplayMedia: fails });
    expect([name, await code(openMedia({ camera: true }))]).toEqual([name, expected]);
    expect([name, await code(openScreen())]).toEqual([name, expected]);
  }
  expect(
    mediaError(Object.assign(new DOMException('', 'OverconstrainedError'), { constraint: 'width' }), 'camera').constraint,
  ).toBe('width');
  expect(mediaError(undefined, 'camera').code).toBe('aborted');
  browserWith({ getUserMedia: () => Promise.reject(new Error()) });
  expect(await code(openScreen()), 'a phone').toBe('unsupported');
  browserWith(undefined);
  expect(await code(openMedia({ camera: true }))).toBe('unsupported');
  browserWith(undefined, false);
  expect(await code(openMedia({ camera: true, microphone: true }))).toBe('insecure_origin');
});

test('a list of devices follows what is plugged in, is the same object while nothing changes, and stops listening', async () => {
  const all = [{ deviceId: 'a', kind: 'videoinput', label: '' }];
  const listeners = new Set<() => void>();
  browserWith({
    enumerateDevices: async () => [...all],
    addEventListener: (_: string, listener: () => void) => listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => listeners.delete(listener),
  });
  const devices = new Devices();
  let changes = 0;
  const off = devices.subscribe(() => {
    changes += 1;
  });
  await vi.waitFor(() => expect(changes).toBe(1));
  expect(devices.getSnapshot().cameras).toEqual([{ id: 'a', kind: 'camera', label: 'Camera 1' }]);
  const before = devices.getSnapshot();
  expect(await devices.refresh()).toBe(before);
  all.push({ deviceId: 'b', kind: 'audioinput', label: 'Headset' });
  for (const listener of listeners) listener();
  await vi.waitFor(() => expect(changes).toBe(2));
  expect(devices.getSnapshot()).not.toBe(before);
  expect(devices.getSnapshot().microphones).toEqual([{ id: 'b', kind: 'microphone', label: 'Headset' }]);
  off();
  expect(listeners.size).toBe(0);
});

test('switching tells of a device by the same errors, and of a publication that is over by its own', async () => {
  browserWith({});
  const publication = (error: unknown) => ({ switchDevice: () => Promise.reject(error) }) as never;
  const camera = { id: 'b', kind: 'camera', label: '' } as const;
  expect(await code(switchDevice(publication(new DOMException('', 'NotReadableError')), camera))).toBe('in_use');
  const over = Object.assign(new Error('over'), { name: 'MeshError' });
  await expect(switchDevice(publication(over), camera)).rejects.toBe(over);
  const asked: unknown[] = [];
  await switchDevice({ switchDevice: async (...what: unknown[]) => asked.push(what) } as never, {
    ...camera,
    kind: 'microphone',
  });
  expect(asked).toEqual([['audio', 'b']]);
});
