/**
 * Cameras, microphones and screens: a list of devices, streams of them, and errors that say what to do.
 *
 * @packageDocumentation
 */
import type { Publication } from './mesh/publication.ts';

/** What somebody wanted to have. */
export type MediaSource = 'camera' | 'microphone' | 'camera and microphone' | 'screen';

/**
 * Why there is no stream.
 *
 * - `denied`: the user, or the settings of the browser, said no; of a screen also that the user has chosen none.
 * - `denied_by_system`: the operating system lets the browser have none.
 * - `denied_by_policy`: the page may not: its Permissions-Policy, or that of the frame around it.
 * - `insecure_origin`: the page did not come by https, nor from this machine.
 * - `unsupported`: this browser has no such thing (a phone: screens).
 * - `not_found`: there is no such device.
 * - `in_use`: another program has it, or it does not work.
 * - `overconstrained`: no device can do what was asked for; `constraint` names it.
 * - `aborted`: something else was in the way; trying again may help.
 */
export type MediaErrorCode =
  | 'denied'
  | 'denied_by_system'
  | 'denied_by_policy'
  | 'insecure_origin'
  | 'unsupported'
  | 'not_found'
  | 'in_use'
  | 'overconstrained'
  | 'aborted';

const WORDS: { [code in MediaErrorCode]: (what: string) => string } = {
  denied: (what) => `This page may not use the ${what}. Allow it in the browser's address bar, and try again.`,
  denied_by_system: (what) =>
    `The system does not let this browser use the ${what}. Allow it in the system's privacy settings.`,
  denied_by_policy: (what) => `This page is not permitted to use the ${what}.`,
  insecure_origin: (what) =>
    `Browsers give the ${what} to pages with https only. Open this page by an address that begins with https.`,
  unsupported: (what) => `This browser cannot share the ${what}.`,
  not_found: (what) => `No ${what} was found. Connect one, and try again.`,
  in_use: (what) => `The ${what} does not start. Another program may be using it: close that, and try again.`,
  overconstrained: (what) => `The ${what} cannot do what was asked for.`,
  aborted: (what) => `The ${what} could not be started. Try again.`,
};

/** A device, or a screen, that is not to be had. Its `message` is English for people. */
export class MediaError extends Error {
  /** Its class, for logs: `MediaError`. */
  override readonly name: string = 'MediaError';
  /** What is the matter. */
  readonly code: MediaErrorCode;
  /** What was asked for. */
  readonly source: MediaSource;
  /** With `overconstrained`: what cannot be satisfied, such as `width`. */
  readonly constraint: string | undefined;

  constructor(code: MediaErrorCode, source: MediaSource, cause?: unknown) {
    super(WORDS[code](source), { cause });
    this.code = code;
    this.source = source;
    this.constraint = (cause as { constraint?: string } | undefined)?.constraint;
  }
}

/** By the names that W3C mediacapture-streams (section 10.2) and screen-capture give, and those of older browsers. */
const CODES: { [name: string]: MediaErrorCode } = {
  NotAllowedError: 'denied',
  PermissionDeniedError: 'denied',
  SecurityError: 'denied_by_policy',
  NotFoundError: 'not_found',
  DevicesNotFoundError: 'not_found',
  NotReadableError: 'in_use',
  TrackStartError: 'in_use',
  OverconstrainedError: 'overconstrained',
  NotSupportedError: 'unsupported',
};

/** The error that a browser's refusal is. */
export function mediaError(cause: unknown, source: MediaSource): MediaError {
  if (cause instanceof MediaError) return cause;
  const { name = '', message = '' } = (cause ?? {}) as { name?: string; message?: string };
  const code = CODES[name] ?? 'aborted';
  // Only in words are these told apart.
  if (code === 'denied' && /system/i.test(message)) return new MediaError('denied_by_system', source, cause);
  if (code === 'denied' && /policy/i.test(message)) return new MediaError('denied_by_policy', source, cause);
  return new MediaError(code, source, cause);
}

interface Surroundings {
  isSecureContext?: boolean;
  navigator?: { mediaDevices?: MediaDevices };
}

function devicesOf(source: MediaSource): MediaDevices {
  const { navigator, isSecureContext } = globalThis as Surroundings;
  const { mediaDevices } = navigator ?? {};
  if (!mediaDevices) throw new MediaError(isSecureContext === false ? 'insecure_origin' : 'unsupported', source);
  if (source === 'screen' && !mediaDevices.getDisplayMedia) throw new MediaError('unsupported', source);
  return mediaDevices;
}

/** What to open: `true`, or a device by its id, or a browser's own constraints. */
export type Wanted = boolean | string | MediaTrackConstraints;

const constraintsOf = (wanted: Wanted): boolean | MediaTrackConstraints =>
  typeof wanted === 'string' ? { deviceId: { exact: wanted } } : wanted;

/**
 * A stream of a camera, a microphone, or both, which the user is asked for once. Rejects with a {@link MediaError}.
 *
 * @example
 * ```ts
 * try {
 *   await room.publish(await openMedia({ camera: { width: 1280 }, microphone: true }));
 * } catch (error) {
 *   if (error instanceof MediaError) alert(error.message);
 * }
 * ```
 */
export async function openMedia({
  camera = false,
  microphone = false,
}: {
  camera?: Wanted;
  microphone?: Wanted;
}): Promise<MediaStream> {
  const source = camera ? (microphone ? 'camera and microphone' : 'camera') : 'microphone';
  try {
    return await devicesOf(source).getUserMedia({ video: constraintsOf(camera), audio: constraintsOf(microphone) });
  } catch (cause) {
    throw mediaError(cause, source);
  }
}

/** A stream of a screen, a window or a tab that the user chooses; with its sound, if `audio`, where the browser can. */
export async function openScreen({
  audio = false,
  ...video
}: { audio?: boolean } & MediaTrackConstraints = {}): Promise<MediaStream> {
  try {
    return await devicesOf('screen').getDisplayMedia({ video: Object.keys(video).length > 0 ? video : true, audio });
  } catch (cause) {
    throw mediaError(cause, 'screen');
  }
}

/** Ends the use of its devices: lights go out. */
export const closeMedia = (stream: MediaStream): void => {
  for (const track of stream.getTracks()) track.stop();
};

/** A device that can be chosen. */
export interface Device {
  /** What the browser knows it by: for `openMedia` and `switchDevice`. */
  id: string;
  /** What it is. */
  kind: 'camera' | 'microphone' | 'speaker';
  /** Its name; before the user has allowed any, one such as `Camera 2`. */
  label: string;
}

/** The devices of each kind, the default first. */
export interface DeviceList {
  /** For `openMedia({ camera })`. */
  readonly cameras: readonly Device[];
  /** For `openMedia({ microphone })`. */
  readonly microphones: readonly Device[];
  /** For `setSinkId` of a media element. */
  readonly speakers: readonly Device[];
}

const NO_DEVICES: DeviceList = { cameras: [], microphones: [], speakers: [] };
const KINDS = { videoinput: 'camera', audioinput: 'microphone', audiooutput: 'speaker' } as const;
const LABELS = { camera: 'Camera', microphone: 'Microphone', speaker: 'Speaker' } as const;

function listOf(all: readonly MediaDeviceInfo[]): DeviceList {
  const devices = all.map(({ deviceId, kind, label }): Device => ({ id: deviceId, kind: KINDS[kind], label }));
  const of = (kind: Device['kind']) =>
    devices
      .filter((device) => device.kind === kind)
      .map((device, index) => ({ ...device, label: device.label || `${LABELS[kind]} ${index + 1}` }));
  return { cameras: of('camera'), microphones: of('microphone'), speakers: of('speaker') };
}

/**
 * The list of devices, and its changes, while somebody listens. For UI frameworks: `getSnapshot` returns the same object until something has
 * changed. Before the user has allowed any, browsers tell neither ids nor names: call `refresh` when a stream was opened.
 *
 * @example
 * ```ts
 * const devices = new Devices();
 * const off = devices.subscribe(() => console.log(devices.getSnapshot().cameras));
 * ```
 */
export class Devices {
  readonly #listeners = new Set<() => void>();
  #list: DeviceList = NO_DEVICES;
  readonly #changed = (): void => void this.refresh();

  /** Calls `listener` when the list has changed. Returns what ends that. */
  subscribe = (listener: () => void): (() => void) => {
    const entry = () => listener();
    if (this.#listeners.size === 0)
      (globalThis as Surroundings).navigator?.mediaDevices?.addEventListener('devicechange', this.#changed);
    this.#listeners.add(entry);
    void this.refresh();
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size > 0) return;
      (globalThis as Surroundings).navigator?.mediaDevices?.removeEventListener('devicechange', this.#changed);
    };
  };

  /** The list as it was found last. */
  getSnapshot = (): DeviceList => this.#list;

  /** Asks the browser anew. Where there are no devices to be had, the list is empty. */
  async refresh(): Promise<DeviceList> {
    const { mediaDevices } = (globalThis as Surroundings).navigator ?? {};
    const found = listOf((await mediaDevices?.enumerateDevices().catch(() => [])) ?? []);
    if (JSON.stringify(found) === JSON.stringify(this.#list)) return this.#list;
    this.#list = found;
    for (const listener of [...this.#listeners]) listener();
    return found;
  }
}

/**
 * Changes what is published to another camera or microphone, in all connections and without a pause; the former is stopped. Rejects with a
 * {@link MediaError}; then the former goes on.
 *
 * @example
 * ```ts
 * const [, second] = devices.getSnapshot().cameras;
 * if (second) await switchDevice(publication, second);
 * ```
 */
export async function switchDevice(publication: Publication, { id, kind }: Device): Promise<MediaStreamTrack> {
  const source = kind === 'camera' ? 'camera' : 'microphone';
  try {
    devicesOf(source);
    return await publication.switchDevice(kind === 'camera' ? 'video' : 'audio', id);
  } catch (cause) {
    // That it is not published any more is no trouble of a device.
    if ((cause as { name?: string }).name === 'MeshError') throw cause;
    throw mediaError(cause, source);
  }
}
