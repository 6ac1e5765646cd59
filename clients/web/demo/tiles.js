// Who is seen and heard: a tile for each, as large as the space allows, and the sound that goes with it.

import * as texts from './texts.js';

/** Width to height. */
const CAMERA_RATIO = 4 / 3;
const SCREEN_RATIO = 16 / 9;
const GAP = 6; // pixels
/** Narrower tiles show nothing: beyond that they are scrolled. */
const NARROWEST = 72;
/** What one peer is given: a camera, a screen, and two more streams of sound. A client of another kind may publish sixteen. */
const SOUNDS = 2;

/** The number of columns, and the width of each, with which `count` tiles of that ratio are largest in that space. */
export const fit = (count, width, height, ratio = CAMERA_RATIO) => {
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const size = Math.min((width - GAP * (columns - 1)) / columns, ((height - GAP * (rows - 1)) / rows) * ratio);
    if (size > best.size) best = { columns, size };
  }
  if (best.size >= NARROWEST) return { columns: best.columns, size: Math.floor(best.size) };
  const columns = Math.max(1, Math.min(count, Math.floor((width + GAP) / (NARROWEST + GAP))));
  return { columns, size: Math.max(1, Math.min(NARROWEST, Math.floor(width))) };
};

/** The first character of a name that one can see. */
const INITIAL = /[\p{L}\p{N}\p{Emoji}]/u;

const make = (name, className, more = {}) => Object.assign(document.createElement(name), { className, ...more });

const hasVideo = ({ tracks }) => tracks.some(({ kind, readyState }) => kind === 'video' && readyState === 'live');
const hasAudio = ({ tracks }) => tracks.some(({ kind }) => kind === 'audio');

/** What of somebody's publications is shown and heard, whatever they are called there. */
export const sortOut = (publications) => {
  const videos = publications.filter(hasVideo);
  const screen = videos.find(({ name }) => name === 'screen');
  const camera = videos.find((one) => one !== screen && one.name !== 'screen');
  const sounds = publications.filter((one) => hasAudio(one) && one !== screen && one !== camera).slice(0, SOUNDS);
  const voice = sounds.find(({ name }) => name === 'microphone') ?? [camera, ...sounds].find((one) => one && hasAudio(one));
  return { camera, screen, sounds, sound: voice ? (voice.muted ? 'muted' : 'on') : 'none' };
};

/** One tile: made once for each person or screen, and changed as they change, so that no picture flickers. */
class Tile {
  element = make('li', 'tile');
  #initial = make('span', 'initial', { ariaHidden: 'true' });
  #video = make('video', '', { autoplay: true, playsInline: true, hidden: true });
  #name = make('bdi', 'name');
  #after = make('span', 'after');
  #sound = make('span', 'sound');
  #way = make('span', 'way');
  #audios = new Map(); // stream -> its element
  #player;

  constructor(player) {
    this.#player = player;
    const line = make('span', 'who');
    line.append(this.#name, this.#after);
    const foot = make('span', 'foot');
    foot.append(line, this.#sound, this.#way);
    this.element.append(this.#initial, this.#video, foot);
  }

  show({ id, name, after = '', self, state, way = '', video, sounds, sound, mirrored }) {
    Object.assign(this.element.dataset, { peer: id, state });
    this.element.classList.toggle('mirrored', Boolean(mirrored));
    set(this.#name, name);
    set(this.#after, after);
    set(this.#sound, sound === undefined ? '' : texts.sound[sound]);
    this.#sound.dataset.sound = sound ?? '';
    set(this.#way, way);
    set(this.#initial, INITIAL.exec(name)?.[0] ?? '');
    this.#video.muted = Boolean(self);
    const stream = video && !video.muted ? video.stream : null;
    this.#video.hidden = !stream;
    this.#initial.hidden = Boolean(stream);
    // What is muted has sound to come: it stays in its element.
    this.#play(this.#video, video?.stream ?? null);
    this.#hear(self ? [] : sounds.map((one) => one.stream));
  }

  #hear(streams) {
    for (const [stream, audio] of this.#audios) {
      if (streams.includes(stream)) continue;
      audio.srcObject = null;
      audio.remove();
      this.#audios.delete(stream);
    }
    for (const stream of streams) {
      if (this.#audios.has(stream)) continue;
      const audio = make('audio', '', { autoplay: true });
      this.#audios.set(stream, audio);
      this.element.append(audio);
      this.#play(audio, stream);
    }
  }

  #play(media, stream) {
    if (media.srcObject === stream) return;
    media.srcObject = stream;
    if (stream) this.#player.play(media);
  }

  /** All that may have sound. */
  get media() { return [this.#video, ...this.#audios.values()]; }

  remove() {
    for (const media of this.media) media.srcObject = null;
    this.element.remove();
  }
}

/** Changes what differs only: a screen reader, and whoever selects the text, is not disturbed. */
const set = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/** A list of tiles that fills its space. */
class Grid {
  #list; #ratio; #observer;
  #tiles = new Map(); // by key
  #player;

  constructor(id, ratio, player) {
    this.#list = document.getElementById(id);
    this.#ratio = ratio;
    this.#player = player;
    this.#observer = new ResizeObserver(() => this.#fit());
    this.#observer.observe(this.#list);
  }

  show(items) {
    for (const [key, tile] of this.#tiles) {
      if (items.some((item) => item.key === key)) continue;
      tile.remove();
      this.#tiles.delete(key);
    }
    items.forEach((item, nth) => {
      let tile = this.#tiles.get(item.key);
      if (!tile) this.#tiles.set(item.key, (tile = new Tile(this.#player)));
      const { element } = tile;
      if (this.#list.children[nth] !== element) this.#list.insertBefore(element, this.#list.children[nth] ?? null);
      tile.show(item);
    });
    this.#list.hidden = items.length === 0;
    this.#fit();
  }

  #fit() {
    const { clientWidth, clientHeight } = this.#list;
    if (this.#tiles.size === 0 || clientWidth === 0) return;
    const { columns, size } = fit(this.#tiles.size, clientWidth, clientHeight, this.#ratio);
    this.#list.style.setProperty('--columns', columns);
    this.#list.style.setProperty('--size', `${size}px`);
    // What is scrolled has to be reached by keyboard, too.
    if (this.#list.scrollHeight > this.#list.clientHeight + 1) this.#list.tabIndex = 0;
    else this.#list.removeAttribute('tabindex');
  }

  get media() { return [...this.#tiles.values()].flatMap((tile) => tile.media); }

  close() {
    this.#observer.disconnect();
    this.show([]);
  }
}

/** All tiles of a call. `silenced(isSo)`: the browser plays no sound before its user has clicked something. */
export class Tiles {
  #tiles = new Grid('tiles', CAMERA_RATIO, this);
  #screens = new Grid('screens', SCREEN_RATIO, this);
  #silenced;
  #speaker = '';

  constructor({ silenced }) {
    this.#silenced = silenced;
  }

  /** `people`: [{id, name, self, state, way, publications}]. Tiles are shown while there is anything to see or hear. */
  show(people) {
    const all = people.map((person) => ({ ...person, ...sortOut(person.publications) }));
    const isCall = all.some(({ publications }) => publications.length > 0);
    this.#tiles.show(isCall ? all.map(({ camera, ...person }) => ({ ...person, key: person.id, video: camera, mirrored: person.self })) : []);
    this.#screens.show(all.filter(({ screen }) => screen).map(({ id, name, self, state, screen }) => {
      const [first, after] = self ? [texts.OWN_SCREEN, ''] : texts.screenOf(name);
      return { id, name: first, after, self, state, key: id, video: screen, sounds: [] };
    }));
  }

  /** For tiles: plays it, by the chosen loudspeaker. */
  async play(media) {
    if (this.#speaker) await media.setSinkId(this.#speaker).catch(() => {}); // gone meanwhile: the system's then
    media.play().catch(({ name }) => {
      // Anything else is a stream that was taken away meanwhile.
      if (name === 'NotAllowedError') this.#silenced(true);
    });
  }

  /** After a click: now the browser plays. */
  unsilence() {
    this.#silenced(false);
    for (const media of this.#media) if (media.srcObject && media.paused) this.play(media);
  }

  /** By which loudspeaker all are heard. Rejects when that cannot be. */
  async useSpeaker(id) {
    await Promise.all(this.#media.map((media) => media.setSinkId(id)));
    this.#speaker = id;
  }

  get #media() { return [...this.#tiles.media, ...this.#screens.media]; }

  close() {
    this.#tiles.close();
    this.#screens.close();
  }
}
