// The dialog before anything is sent, and the menu of devices: one and the same, since both show what there is to choose from.

import { closeMedia, openMedia } from './client.js';
import * as texts from './texts.js';

const $ = (id) => document.getElementById(id);
const KINDS = ['camera', 'microphone'];
const LISTS = { camera: 'cameras', microphone: 'microphones', speaker: 'speakers' };
/** Loudness at which the meter is full: that of somebody who speaks up. */
const LOUD = 0.25;

/** Whether this browser lets a page choose the loudspeaker. */
export const choosesSpeakers = 'setSinkId' in HTMLMediaElement.prototype;

/** The devices that somebody has chosen, by kind; until then the browser's own choice. */
const chosen = new Map();

const option = ({ id, label }) => Object.assign(document.createElement('option'), { value: id, textContent: label });

/** Fills the select of `kind`, and marks the device that is in use. */
const list = (kind, devices, used) => {
  const select = $(`choose-${kind}`);
  const found = devices.filter(({ id }) => id !== '');
  const none = { id: '', label: texts.NO_DEVICE[kind] };
  // Without an id it cannot be asked for: browsers give none before the first was allowed.
  select.replaceChildren(...(found.length ? found : [devices[0] ?? none]).map(option));
  select.disabled = found.length < 2;
  const now = used ?? chosen.get(kind);
  if (found.some(({ id }) => id === now)) select.value = now;
};

/** The deviceId of what a stream comes from. */
export const deviceOf = (track) => track?.getSettings().deviceId;

/** Tells `show` how loud a stream is, until what it returns is called. */
const meter = (stream, show) => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let frame = 0;
  const look = () => {
    analyser.getFloatTimeDomainData(samples);
    show(Math.min(1, Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length) / LOUD));
    frame = requestAnimationFrame(look);
  };
  look();
  return () => {
    cancelAnimationFrame(frame);
    context.close();
  };
};

/** The dialog while it is open, in either use. */
class Preview {
  #devices; #wanted; #resolve; #stopDevices; #stopMeter; #switch; #own; #speak;
  #streams = {}; // by kind: what was opened here
  #asked = {}; // by kind: the latest attempt, since answers may come late

  /** `own(kind)`: the track that is sent; `speak(id)`: another loudspeaker; `switchTo(kind, device)` makes it the menu. */
  constructor({ devices, wanted, own, switchTo, speak, resolve }) {
    this.#devices = devices;
    this.#wanted = new Set(wanted);
    this.#own = own;
    this.#switch = switchTo;
    this.#speak = speak;
    this.#resolve = resolve;
    this.#stopDevices = devices.subscribe(() => this.#showDevices());
    this.#show();
    for (const kind of this.#wanted) this.#open(kind);
  }

  get #isMenu() { return this.#switch !== undefined; }

  #show() {
    const { title, send } = this.#isMenu
      ? { title: texts.DEVICES_TITLE, send: texts.DEVICES_DONE }
      : texts.beforeSending(Object.fromEntries(KINDS.map((kind) => [kind, Boolean(this.#streams[kind])])));
    $('preview-title').textContent = title;
    $('preview-help').textContent = this.#isMenu ? texts.DEVICES_HELP : texts.PREVIEW_HELP;
    $('preview-send').textContent = send;
    $('preview-send').disabled = !this.#isMenu && Object.keys(this.#streams).length === 0;
    $('preview-cancel').hidden = this.#isMenu;
    for (const kind of KINDS) {
      const box = $(`use-${kind}`);
      box.hidden = this.#isMenu;
      box.disabled = !this.#isMenu && Boolean(this.#own(kind)); // it is sent already
      box.checked = this.#wanted.has(kind) || Boolean(this.#own(kind));
    }
    $('speaker-row').hidden = !choosesSpeakers;
    this.#picture();
    this.#showDevices();
  }

  #picture() {
    const track = this.#own('camera');
    const stream = this.#streams.camera ?? (track ? new MediaStream([track]) : null);
    const picture = $('preview-picture');
    if (picture.srcObject?.getTracks()[0] !== stream?.getTracks()[0]) picture.srcObject = stream;
    picture.hidden = !stream;
  }

  #showDevices() {
    const devices = this.#devices.getSnapshot();
    for (const kind of KINDS) list(kind, devices[LISTS[kind]], deviceOf(this.#streams[kind]?.getTracks()[0] ?? this.#own(kind)));
    list('speaker', devices.speakers);
  }

  #problem(text) {
    $('preview-problem').textContent = text;
    $('preview-problem').hidden = !text;
  }

  async #open(kind) {
    this.#problem('');
    const attempt = (this.#asked[kind] = Symbol(kind));
    try {
      const stream = await openMedia({ [kind]: constraints(kind) });
      if (this.#asked[kind] !== attempt) return closeMedia(stream); // meanwhile something else is wanted
      this.#keep(kind, stream);
      await this.#devices.refresh(); // now they have names
    } catch (error) {
      if (this.#asked[kind] !== attempt) return undefined;
      // Another device that does not start costs nothing: the former goes on.
      if (!this.#streams[kind]) this.#wanted.delete(kind);
      this.#problem(error.message);
    }
    return this.#asked[kind] === attempt && this.#show();
  }

  #keep(kind, stream) {
    this.#drop(kind);
    this.#streams[kind] = stream;
    if (kind !== 'microphone') return;
    this.#stopMeter = meter(stream, (level) => { $('level').value = level; });
    $('level').hidden = false;
  }

  #drop(kind) {
    if (kind === 'microphone') {
      this.#stopMeter?.();
      this.#stopMeter = undefined;
      $('level').hidden = true;
    }
    if (this.#streams[kind]) closeMedia(this.#streams[kind]);
    delete this.#streams[kind];
  }

  /** The box before a kind was ticked, or not any more. */
  want(kind, isWanted) {
    this.#asked[kind] = undefined;
    if (isWanted) {
      this.#wanted.add(kind);
      return this.#open(kind);
    }
    this.#wanted.delete(kind);
    this.#drop(kind);
    return this.#show();
  }

  async choose(kind, id) {
    const device = this.#devices.getSnapshot()[LISTS[kind]].find((one) => one.id === id);
    if (!device) return;
    this.#problem('');
    try {
      if (kind === 'speaker') await this.#speak(id);
      else if (this.#own(kind)) await this.#switch?.(kind, device);
      chosen.set(kind, id);
      if (this.#streams[kind]) await this.#open(kind);
    } catch (error) {
      this.#problem(kind === 'speaker' ? texts.speakerFailed : error.message);
    }
    if (open === this) this.#show();
  }

  /** `isSent`: what was opened goes to the caller, who closes it; otherwise it is closed here. */
  end(isSent) {
    open = null;
    const streams = isSent ? this.#streams : null;
    this.#asked = {};
    if (isSent) this.#streams = {};
    for (const kind of KINDS) this.#drop(kind);
    this.#stopMeter?.();
    this.#stopDevices();
    $('preview-picture').srcObject = null;
    this.#problem('');
    if ($('preview').open) $('preview').close();
    this.#resolve(streams);
  }
}

/** What is asked of a camera or a microphone: the chosen one, if any. */
export const constraints = (kind, more = {}) => {
  const id = chosen.get(kind);
  const own = kind === 'camera' ? { facingMode: 'user', ...more } : { echoCancellation: true, noiseSuppression: true, ...more };
  return id ? { ...own, deviceId: { ideal: id } } : own;
};

let open = null;

const begin = (more) => new Promise((resolve) => {
  open?.end(false);
  $('preview').showModal();
  open = new Preview({ ...more, resolve });
});

/** Shows somebody what the others would get of `kind`, and resolves with the streams by kind that they shall get; null: nothing. */
export const askToSend = (kind, { devices, own, speak }) => begin({ devices, own, speak, wanted: [kind] });

/** The menu of devices, in which what is sent changes at once. */
export const chooseDevices = ({ devices, own, switchTo, speak }) => begin({ devices, own, speak, switchTo, wanted: [] });

/** The room was left: there is nobody any more to send to. */
export const endPreview = () => open?.end(false);

for (const kind of KINDS) {
  $(`use-${kind}`).addEventListener('change', ({ target }) => open?.want(kind, target.checked));
}
for (const kind of [...KINDS, 'speaker']) {
  $(`choose-${kind}`).addEventListener('change', ({ target }) => open?.choose(kind, target.value));
}
$('preview-send').addEventListener('click', () => open?.end(true));
$('preview-cancel').addEventListener('click', () => open?.end(false));
$('preview').addEventListener('close', () => open?.end(false)); // by the key Escape
