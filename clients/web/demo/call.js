// What somebody sends of themselves, camera, microphone and screen, and what they see and hear of the others. Nothing is opened without a
// click, and nothing is sent before its owner has seen what: in the preview, or for screens in the browser's own.

import { closeMedia, Devices, openMedia, openScreen, switchDevice } from './client.js';
import { askToSend, chooseDevices, constraints, endPreview } from './preview.js';
import * as texts from './texts.js';
import { Tiles } from './tiles.js';

const $ = (id) => document.getElementById(id);

/** What a camera gives, by how many others it is sent to: each of them costs this machine as much again. */
const CAMERA = [
  { others: 2, width: 640, height: 480, frameRate: 24 },
  { others: Infinity, width: 320, height: 240, frameRate: 15 },
];
const SCREEN_FRAMES = 15; // a second, which suffices for texts and slides

/** For that many others. */
export const cameraFor = (others) => {
  const { width, height, frameRate } = CAMERA.find((one) => others <= one.others);
  return { width: { ideal: width }, height: { ideal: height }, frameRate: { max: frameRate } };
};

/** Why there are no devices at all: 'insecure', 'unsupported'; null where there are. */
const lack = () => {
  if (navigator.mediaDevices?.getUserMedia) return null;
  return globalThis.isSecureContext ? 'unsupported' : 'insecure';
};

/** One list for the page: what is plugged in does not depend on rooms. */
const devices = new Devices();

let current = null;

export class Call {
  #room;
  #people = [];
  #publications = {}; // by kind: camera, microphone, screen
  #busy = new Set(); // kinds whose last click is not done yet
  #over = false;
  #tiles = new Tiles({ silenced: (isSo) => { $('unsilence').hidden = !isSo; } });
  #off;

  constructor(room) {
    this.#room = room;
    this.#off = room.on('peer', ({ change }) => {
      if (change === 'media' || change === 'left') this.#showTiles();
      if (change === 'joined' || change === 'left') this.#fitCamera();
    });
    current = this;
    this.#problem('');
    this.#showControls();
  }

  /** `people`: as for the list of people. */
  show(people) {
    this.#people = people;
    this.#showTiles();
  }

  #showTiles() {
    if (this.#over) return;
    const { peers } = this.#room;
    const find = (id) => peers.find((peer) => peer.id === id);
    this.#tiles.show(this.#people.map((person) => ({
      ...person,
      state: person.self ? 'self' : person.state,
      way: person.path ? texts.path(person.path) : '',
      publications: person.self ? Object.values(this.#publications) : find(person.id)?.publications ?? [],
    })));
  }

  #showControls() {
    for (const kind of ['microphone', 'camera', 'screen']) {
      const publication = this.#publications[kind];
      $(kind).ariaPressed = String(Boolean(publication) && !publication.muted);
      $(kind).ariaBusy = String(this.#busy.has(kind));
    }
    this.#showTiles();
  }

  #problem(text) {
    $('media-problem').textContent = text;
    $('media-problem').hidden = !text;
  }

  /** One click at a time: who clicks twice does not want two questions. */
  async toggle(kind) {
    if (this.#busy.has(kind)) return;
    this.#busy.add(kind);
    this.#problem('');
    try {
      if (kind === 'screen') await this.#toggleScreen();
      else if (!this.#publications[kind]) await this.#start(kind);
      else if (this.#publications[kind].muted) await this.#unmute(kind);
      else this.#mute(kind);
    } catch (error) {
      if (!this.#over) this.#problem(error.name === 'MediaError' ? error.message : texts.notPublished(error));
    }
    this.#busy.delete(kind);
    if (!this.#over) this.#showControls();
  }

  async #start(kind) {
    const streams = await askToSend(kind, this.#menu);
    for (const [each, stream] of Object.entries(streams ?? {})) await this.#publish(each, stream);
    this.#fitCamera();
  }

  async #publish(kind, stream) {
    if (this.#over) return closeMedia(stream);
    for (const track of stream.getTracks()) this.#watch(kind, track);
    try {
      this.#publications[kind] = await this.#room.publish(stream, { name: kind });
    } catch (error) {
      closeMedia(stream);
      throw error;
    }
    return this.#showControls();
  }

  /** The light of a camera goes out. A microphone stays open, so that nobody's first word is lost. */
  #mute(kind) {
    const publication = this.#publications[kind];
    publication.mute();
    if (kind === 'camera') closeMedia(publication.stream);
  }

  async #unmute(kind) {
    const publication = this.#publications[kind];
    if (publication.tracks[0].readyState === 'ended') {
      const [track] = (await openMedia({ [kind]: this.#wanted(kind) })).getTracks();
      if (this.#over) return track.stop();
      this.#watch(kind, track);
      await publication.replaceTrack(track);
    }
    return publication.unmute();
  }

  #wanted(kind) {
    return constraints(kind, kind === 'camera' ? cameraFor(this.#room.peers.length) : {});
  }

  async #toggleScreen() {
    const publication = this.#publications.screen;
    if (publication) return this.#unpublish(publication);
    // Before anything is waited for: browsers want a click just before.
    const stream = await openScreen({ audio: true, frameRate: { max: SCREEN_FRAMES } });
    const [picture] = stream.getVideoTracks();
    picture.contentHint = 'detail';
    return this.#publish('screen', stream);
  }

  #unpublish(publication) {
    delete this.#publications.screen;
    publication.unpublish();
    closeMedia(publication.stream);
    this.#showControls();
  }

  /** Tracks end without us where a device is unplugged, or sharing is ended by the browser's own button. */
  #watch(kind, track) {
    track.addEventListener('ended', () => {
      const publication = this.#publications[kind];
      if (this.#over || !publication?.tracks.includes(track)) return;
      if (kind === 'screen') {
        if (track.kind === 'video') this.#unpublish(publication);
        return;
      }
      publication.mute();
      this.#problem(texts.deviceGone(kind));
      this.#showControls();
    });
  }

  /** Smaller pictures for more people. What the camera cannot do it does as well as it can. */
  #fitCamera() {
    const [track] = this.#publications.camera?.tracks ?? [];
    if (track?.readyState !== 'live') return;
    const { facingMode, deviceId } = track.getConstraints();
    track.applyConstraints({ ...(facingMode && { facingMode }), ...(deviceId && { deviceId }), ...cameraFor(this.#room.peers.length) }).catch(() => {});
  }

  get #menu() {
    const sent = (kind) => {
      const publication = this.#publications[kind];
      return publication && !publication.muted ? publication.tracks[0] : undefined;
    };
    return {
      devices, own: sent,
      switchTo: async (kind, device) => {
        const track = await switchDevice(this.#publications[kind], device);
        this.#watch(kind, track);
        this.#showTiles();
      },
      speak: (id) => this.#tiles.useSpeaker(id),
    };
  }

  chooseDevices() {
    return chooseDevices(this.#menu);
  }

  unsilence() { this.#tiles.unsilence(); }

  /** The room is left: lights go out. */
  close() {
    if (this.#over) return;
    this.#over = true;
    this.#off();
    if (current === this) {
      current = null;
      endPreview();
    }
    for (const { stream } of Object.values(this.#publications)) closeMedia(stream);
    this.#tiles.close();
  }
}

for (const kind of ['microphone', 'camera', 'screen']) $(kind).addEventListener('click', () => current?.toggle(kind));
$('devices').addEventListener('click', () => current?.chooseDevices());
$('unsilence').addEventListener('click', () => current?.unsilence());

const lacking = lack();
$('controls').hidden = lacking !== null;
$('no-media').hidden = lacking === null;
$('screen').hidden = !navigator.mediaDevices?.getDisplayMedia; // phones
if (lacking) {
  const [summary, help] = $('no-media').children;
  summary.textContent = texts.NO_MEDIA[lacking].why;
  help.textContent = texts.NO_MEDIA[lacking].help;
}
