// Switchboard's example client: the page's controls, the signaling connection and the mesh, tied together.
// Read signaling.js for the wire and mesh.js for WebRTC; nothing in those two knows this page.

import { identityFor } from './identity.js';
import { Mesh } from './mesh.js';
import { linkTo, randomRoom, roomFromLink, roomProblem } from './rooms.js';
import { Signaling } from './signaling.js';
import * as texts from './texts.js';
import * as view from './view.js';

const NAME_KEY = 'switchboard.name';

/** Reasons of a leave that was meant. After any other, known or not, the peer may be back: a connection that is up stays. */
const MEANT = ['left', 'kicked', 'replaced', 'room_closed'];

/** The stay in a room: from the click on "Join" until it has ended. */
let stay = null;

class Stay {
  #room; #link; #signaling; #mesh;
  #self = null;
  #peers = new Map(); // id -> the peer as the server describes it
  #gone = new Map(); // those that are not in the room any more and still connected to us
  #capacity = null;
  #limits = null;
  #queued = false; // waiting for a place, with the lobby shown

  constructor({ room, name, link }) {
    this.#room = room;
    this.#link = link;
    this.#signaling = new Signaling({ room, meta: name ? { name } : {}, identity: identityFor(room) });
    this.#mesh = new Mesh((to, kind, data) => this.#signaling.signal(to, kind, data));
    const hear = (source, type, handle) => source.addEventListener(type, ({ detail }) => handle(detail));
    hear(this.#signaling, 'phase', (phase) => this.#phase(phase));
    hear(this.#signaling, 'welcome', ({ limits }) => { this.#limits = limits; });
    hear(this.#signaling, 'joined', (frame) => this.#joined(frame));
    hear(this.#signaling, 'peer_joined', (peer) => this.#peerJoined(peer));
    hear(this.#signaling, 'peer_left', (peer) => this.#peerLeft(peer));
    hear(this.#signaling, 'peer_away', ({ id, until }) => this.#peerAway(id, { until }));
    hear(this.#signaling, 'peer_back', ({ id }) => this.#peerAway(id, undefined));
    hear(this.#signaling, 'kicked', ({ who }) => who && this.#letGo(who)); // without: the reply to a kick
    hear(this.#signaling, 'room_state', ({ locked }) => view.note(texts.roomState(locked)));
    hear(this.#signaling, 'notice', ({ text }) => view.note(texts.notice(text)));
    hear(this.#signaling, 'peer_updated', ({ id, meta }) => this.#peerUpdated(id, meta));
    hear(this.#signaling, 'signal', (signal) => this.#mesh.receive(signal));
    hear(this.#signaling, 'ice_servers', ({ iceServers }) => this.#mesh.renew(iceServers));
    hear(this.#signaling, 'error', (error) => this.#error(error));
    hear(this.#signaling, 'dropped', () => view.note('Too much waits for the server: some of it is lost.'));
    hear(this.#signaling, 'bye', (bye) => view.alertUser(texts.bye(bye)));
    hear(this.#mesh, 'state', ({ id, state }) => this.#pairChanged(id, state));
    hear(this.#mesh, 'message', ({ id, text }) => view.message({ name: this.#name(id), text }));
    hear(this.#mesh, 'problem', ({ error }) => view.note(`The browser reports: ${error.message}`));
    this.#signaling.start();
  }

  get room() { return this.#room; }

  leave() { this.#signaling.leave(); }

  retry() { this.#signaling.retryNow(); }

  /** Another room is being chosen: this one is not waited for any more. */
  stopWaiting() {
    if (this.#queued) this.leave();
  }

  /** True when somebody heard it. */
  say(text) {
    const heardBy = this.#mesh.broadcast(text);
    const others = this.#peers.size + this.#gone.size;
    if (heardBy) view.message({ name: 'You', text, self: true });
    else view.note('Not sent: nobody is connected to you yet.');
    if (heardBy && heardBy < others) view.note(`Only ${heardBy} of ${others} others are connected and got it.`);
    return heardBy > 0;
  }

  #phase(phase) {
    switch (phase.name) {
      case 'connecting': return view.status('connecting', 'Connecting to the server…');
      case 'joined': view.alertUser(''); return view.status('joined', 'Connected to the server');
      case 'waiting': return view.status('waiting', texts.waiting(phase));
      case 'queued': return this.#wait(phase);
      case 'ended': return this.#ended(phase);
    }
  }

  /** Refused, but the server says when to ask again. Who was in the room already stays there meanwhile. */
  #wait({ error, delayMs }) {
    if (this.#self) return view.status('queued', texts.waiting({ reason: error.code, delayMs }));
    if (!this.#queued) view.showLobby();
    this.#queued = true;
    view.alertUser(texts.refused(error, this.#room, this.#limits));
    return view.queue(delayMs);
  }

  #ended({ reason, error, message }) {
    this.#mesh.close();
    if (stay === this) stay = null;
    if (this.#queued) view.queue(null); // the lobby is there already, and perhaps typed into
    else view.showLobby();
    view.alertUser(error ? texts.refused(error, this.#room, this.#limits) : texts.ended(reason, message));
  }

  /** After a complete resume what we know holds; otherwise the snapshot is the whole room, and replaces it. */
  #joined({ self, complete, peers, capacity, iceServers, locked }) {
    if (this.#queued) view.showRoom({ room: this.#room, link: this.#link });
    this.#queued = false;
    this.#capacity = capacity;
    if (complete) this.#mesh.renew(iceServers);
    else this.#enter(self, peers, iceServers);
    if (locked) view.note(texts.roomState(true));
    this.#showRoster();
  }

  #enter(self, peers, iceServers) {
    const back = this.#self !== null;
    const same = self.id === this.#self?.id;
    const known = [...this.#gone, ...this.#peers];
    this.#self = self;
    this.#peers = new Map(peers.map((peer) => [peer.id, peer]));
    try {
      if (same) this.#mesh.reenter(peers, iceServers);
      else this.#mesh.enter(peers, iceServers);
    } catch (error) { // the server's list of ICE servers is not to the browser's liking
      view.alertUser(`Calls cannot be set up: ${error.message}`);
    }
    this.#gone = new Map(known.filter(([id]) => !this.#peers.has(id)));
    if (back) view.note('You are back in the room.');
    else view.note(peers.length ? 'You are in the room.' : 'You are in the room, and the first. Share the link to invite others.');
  }

  #peerJoined(peer) {
    this.#peers.set(peer.id, peer);
    this.#mesh.expect(peer);
    view.note('joined', this.#name(peer.id));
    this.#showRoster();
  }

  #peerLeft({ id, reason }) {
    const peer = this.#peers.get(id);
    const name = this.#name(id);
    this.#peers.delete(id);
    if (MEANT.includes(reason)) this.#mesh.remove(id);
    else if (this.#mesh.leave(id) && peer) this.#gone.set(id, peer);
    view.note(texts.peerLeft(reason, this.#gone.has(id)), name);
    this.#showRoster();
  }

  /** Somebody was sent out who is not in the room any more: what still works between us ends. */
  #letGo(who) {
    const going = [...this.#gone].filter(([, peer]) => peer.who === who);
    for (const [id] of going) {
      view.note(texts.peerLeft('kicked', false), this.#name(id));
      this.#mesh.remove(id);
      this.#gone.delete(id);
    }
    this.#showRoster();
  }

  /** It keeps its seat, and its connection to us; `away` is absent when it is back. */
  #peerAway(id, away) {
    const peer = this.#peers.get(id);
    if (peer) peer.away = away;
    this.#showRoster();
  }

  #peerUpdated(id, meta) {
    const peer = id === this.#self.id ? this.#self : this.#peers.get(id);
    if (peer) peer.meta = meta;
    this.#showRoster();
  }

  #pairChanged(id, state) {
    if (state === 'failed') view.note('cannot be reached directly; a TURN server would help', this.#name(id));
    this.#showRoster();
  }

  /**
   * A refused join ends the stay or waits (see #phase), ICE servers are asked for again; a peer that just left is no news, since
   * `peer_left` says so.
   */
  #error({ code, message, re }) {
    if (re !== 'join' && re !== 'ice' && code !== 'peer_not_found') view.note(`The server reports: ${message}`);
  }

  #showRoster() {
    if (!this.#self) return;
    for (const id of [...this.#gone.keys()]) if (this.#mesh.state(id) === 'closed') this.#gone.delete(id);
    const other = (where) => (id) => ({ id, name: this.#name(id), state: this.#mesh.state(id), where: where(id) });
    view.roster([
      { id: this.#self.id, name: this.#name(this.#self.id), self: true },
      ...[...this.#peers.keys()].map(other((id) => (this.#peers.get(id).away ? 'away' : undefined))),
      ...[...this.#gone.keys()].map(other(() => 'gone')),
    ], this.#capacity);
  }

  /** `meta` is whatever its owner sent: it may be no name, too long, or that of somebody else. */
  #name(id) {
    const given = (peer) => (typeof peer?.meta?.name === 'string' ? peer.meta.name.trim().slice(0, 40) : '');
    const everybody = [this.#self, ...this.#peers.values()];
    const name = given(everybody.find((peer) => peer?.id === id) ?? this.#gone.get(id));
    if (!name) return `Guest ${id.slice(0, 4)}`;
    const namesakes = everybody.filter((peer) => given(peer) === name).length;
    return namesakes > 1 ? `${name} (${id.slice(0, 4)})` : name;
  }
}

const join = ({ room, name }) => {
  stay?.leave(); // it may be waiting for a place
  const problem = roomProblem(room);
  view.alertUser(problem);
  if (problem) return;
  remember(name);
  const link = linkTo(room, location);
  history.replaceState(null, '', link); // reloading leads back to this room
  view.showRoom({ room, link });
  stay = new Stay({ room, name, link });
};

/** The name is kept for the next visit where the browser lets us. */
const remember = (name) => {
  try { localStorage.setItem(NAME_KEY, name); } catch { /* private mode */ }
};

const remembered = () => {
  try { return localStorage.getItem(NAME_KEY) ?? ''; } catch { return ''; }
};

view.listen({
  join,
  anotherName: () => {
    stay?.stopWaiting();
    view.suggest({ room: randomRoom() });
  },
  otherRoom: () => stay?.stopWaiting(),
  leave: () => stay?.leave(),
  retry: () => stay?.retry(),
  say: (text) => stay?.say(text),
});

// A link to another room, opened in this very tab, changes nothing but the hash.
addEventListener('hashchange', () => {
  const room = roomFromLink(location);
  if (room !== null && room === stay?.room) return;
  stay?.leave();
  if (room) view.suggest({ room });
});

// A closed tab says so, so that the others need not wait for a timeout. A page that the browser kept for "back" goes on.
let left = null;
addEventListener('pagehide', ({ persisted }) => {
  left = persisted && stay ? { room: stay.room, name: remembered() } : null;
  stay?.leave();
});
addEventListener('pageshow', ({ persisted }) => {
  if (persisted && left) join(left);
});

view.suggest({ room: roomFromLink(location) ?? randomRoom(), name: remembered() });
view.showLobby();
