// The mesh as a picture: a dot for each person, a line for each pair. Of our own connections we know; of those between others we know
// what they tell, over a channel of its own, which costs each page one short message to each other one after a change.

import * as texts from './texts.js';

const SVG = 'http://www.w3.org/2000/svg';
/** More people make no picture but a ball of wool. */
export const PEOPLE_DRAWN = 16;
/** Peers that one page tells of: more than a room is made for. What is beyond is left out. */
export const PEERS_TOLD = 64;
/** Changes of that time are told as one: who joins a room of ten makes nine connections in a second. */
const TELL_MS = 500;
/** What is told of a connection, and what becomes of the states that the browser has. */
const STATES = { connected: 'connected', new: 'connecting', connecting: 'connecting', disconnected: 'connecting', failed: 'failed', closed: 'failed' };
const [WIDTH, HEIGHT, RADIUS, DOT] = [360, 250, 78, 15];
/** Letters of a name in the picture. */
const NAME_LETTERS = 9;

const stateOf = (peer) => (peer.unreachable ? 'failed' : STATES[peer.state] ?? 'connecting');

/** What a page may have told: states by id; null if that is nothing of the kind. */
export function readTold(data) {
  const reaches = data?.reaches;
  if (typeof reaches !== 'object' || reaches === null || Array.isArray(reaches)) return null;
  const told = Object.entries(reaches).slice(0, PEERS_TOLD);
  return new Map(told.filter(([, state]) => ['connected', 'connecting', 'failed'].includes(state)));
}

/**
 * Every pair with its state. `says(one, other)` is what `one` says of its connection to `other`; undefined: nothing. It stands if either says
 * so; it has failed if nobody who says anything hopes any more.
 */
export function pairsOf(ids, says) {
  return ids.flatMap((one, nth) => ids.slice(nth + 1).map((other) => {
    const said = [says(one, other), says(other, one)].filter(Boolean);
    const state = ['connected', 'connecting', 'failed'].find((each) => said.includes(each)) ?? 'unknown';
    return { one, other, state };
  }));
}

/** Where the dots are: on a circle, ourselves on top. */
export const places = (count) => Array.from({ length: count }, (_, nth) => {
  const angle = (2 * Math.PI * nth) / count - Math.PI / 2;
  return { x: Math.cos(angle), y: Math.sin(angle) };
});

const shape = (name, attributes, ...children) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

const cut = (name) => {
  const letters = [...name];
  return letters.length > NAME_LETTERS ? `${letters.slice(0, NAME_LETTERS - 1).join('')}…` : name;
};

const at = ({ x, y }, radius) => ({ x: (WIDTH / 2 + x * radius).toFixed(1), y: (HEIGHT / 2 + y * radius).toFixed(1) });

function line(pair, from, to, title) {
  const [start, end] = [at(from, RADIUS), at(to, RADIUS)];
  const edge = shape('g', { class: 'pair', 'data-state': pair.state });
  edge.append(shape('title', {}, title), shape('line', { x1: start.x, y1: start.y, x2: end.x, y2: end.y }));
  if (pair.state === 'failed') {
    const middle = at({ x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }, RADIUS);
    edge.append(shape('text', { ...middle, class: 'cross', 'text-anchor': 'middle', dy: '.35em' }, '✕'));
  }
  return edge;
}

function dot(name, place, isSelf) {
  const centre = at(place, RADIUS);
  const label = at(place, RADIUS + DOT + 6 + 6 * Math.abs(place.y)); // letters are high, too
  const anchor = Math.abs(place.x) < 0.2 ? 'middle' : place.x > 0 ? 'start' : 'end';
  // A name is a text of its own, and turns nothing but itself.
  return shape('g', { class: isSelf ? 'dot self' : 'dot' },
    shape('circle', { cx: centre.x, cy: centre.y, r: DOT }),
    shape('text', { ...label, 'text-anchor': anchor, dy: '.35em' }, cut(name)));
}

/** The picture of a room, and what goes into it. */
export class MeshGraph {
  #room; #nameOf; #channel; #timer; #frame;
  #told = new Map(); // peer: what it tells of its connections
  #last = '';

  /** `nameOf(peer)`: by which name a peer is shown. */
  constructor(room, nameOf) {
    this.#room = room;
    this.#nameOf = nameOf;
    this.#channel = room.channel('mesh');
    this.#channel.on('message', ({ peer, data }) => {
      const told = readTold(data);
      if (!told) return;
      this.#told.set(peer, told);
      this.#drawSoon();
    });
    room.on('peer', ({ peer, change }) => {
      // What it told is old when it cannot tell more.
      if (peer.state !== 'connected') this.#told.delete(peer);
      // To one that is connected now, nothing was told yet.
      if (change === 'state' && peer.state === 'connected') this.#last = '';
      this.#tellSoon();
      this.#drawSoon();
    });
    this.#drawSoon();
  }

  close() {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    this.#timer = this.#frame = undefined;
    this.#told.clear();
    this.#drawSoon = () => {};
    this.#tellSoon = () => {};
  }

  #tellSoon = () => {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const { peers } = this.#room;
      const reaches = Object.fromEntries(peers.slice(0, PEERS_TOLD).map((peer) => [peer.id, stateOf(peer)]));
      const news = JSON.stringify(reaches);
      if (news === this.#last) return;
      this.#last = news;
      const near = peers.filter(({ state }) => state === 'connected');
      // Who does not get it now is told when it is connected again.
      this.#channel.send({ reaches }, { to: near }).catch(() => {});
    }, TELL_MS);
  };

  #drawSoon = () => {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined;
      this.#draw();
    });
  };

  /** All pairs of those who are in the room, ourselves first. */
  #pairs() {
    const { self, peers } = this.#room;
    const here = peers.filter(({ presence }) => presence !== 'gone');
    const byId = new Map(here.map((peer) => [peer.id, peer]));
    const says = (one, other) => (one === self.id ? stateOf(byId.get(other)) : this.#told.get(byId.get(one))?.get(other));
    const ids = [self.id, ...byId.keys()];
    return { ids, names: ids.map((id) => this.#nameOf(byId.get(id) ?? self)), pairs: pairsOf(ids, says) };
  }

  #draw() {
    const { ids, names, pairs } = this.#pairs();
    const [figure, picture, summary] = ['mesh', 'mesh-picture', 'mesh-summary'].map((id) => document.getElementById(id));
    figure.hidden = ids.length < 2;
    const nameOf = (id) => names[ids.indexOf(id)];
    const failed = pairs.filter(({ state }) => state === 'failed').map(({ one, other }) => [nameOf(one), nameOf(other)]);
    const told = texts.mesh({ total: pairs.length, connected: pairs.filter(({ state }) => state === 'connected').length, failed });
    summary.textContent = told;
    picture.hidden = ids.length > PEOPLE_DRAWN;
    if (picture.hidden) return;
    const where = places(ids.length);
    picture.replaceChildren(
      ...pairs.map((pair) => {
        const [from, to] = [pair.one, pair.other].map((id) => where[ids.indexOf(id)]);
        return line(pair, from, to, `${nameOf(pair.one)} – ${nameOf(pair.other)}: ${texts.PAIR_DRAWN[pair.state]}`);
      }),
      ...ids.map((id, nth) => dot(id === this.#room.self.id ? 'You' : names[nth], where[nth], nth === 0)),
    );
  }
}
