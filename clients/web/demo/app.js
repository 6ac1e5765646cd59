// Switchboard's example client: the page's controls, the signaling connection and the mesh, tied together.
// Read signaling.js for the wire and mesh.js for WebRTC; nothing in those two knows this page.

import { Mesh } from './mesh.js';
import { linkTo, randomRoom, roomFromLink, roomProblem } from './rooms.js';
import { Signaling } from './signaling.js';
import * as texts from './texts.js';
import * as view from './view.js';

const NAME_KEY = 'switchboard.name';

/** The stay in a room: from the click on "Join" until it has ended. */
let stay = null;

class Stay {
  #room; #signaling; #mesh;
  #self = null;
  #peers = new Map(); // id -> the peer as the server describes it
  #capacity = null;
  #limits = null;

  constructor({ room, name }) {
    this.#room = room;
    this.#signaling = new Signaling({ room, meta: name ? { name } : {} });
    this.#mesh = new Mesh((to, kind, data) => this.#signaling.signal(to, kind, data));
    const hear = (source, type, handle) => source.addEventListener(type, ({ detail }) => handle(detail));
    hear(this.#signaling, 'phase', (phase) => this.#phase(phase));
    hear(this.#signaling, 'welcome', ({ limits }) => { this.#limits = limits; });
    hear(this.#signaling, 'joined', (frame) => this.#joined(frame));
    hear(this.#signaling, 'peer_joined', (peer) => this.#peerJoined(peer));
    hear(this.#signaling, 'peer_left', (peer) => this.#peerLeft(peer));
    hear(this.#signaling, 'peer_updated', ({ id, meta }) => this.#peerUpdated(id, meta));
    hear(this.#signaling, 'signal', (signal) => this.#mesh.receive(signal));
    hear(this.#signaling, 'error', (error) => this.#error(error));
    hear(this.#signaling, 'bye', (bye) => view.alertUser(texts.bye(bye)));
    hear(this.#mesh, 'state', ({ id, state }) => this.#pairChanged(id, state));
    hear(this.#mesh, 'message', ({ id, text }) => view.message({ name: this.#name(id), text }));
    hear(this.#mesh, 'problem', ({ error }) => view.note(`The browser reports: ${error.message}`));
    this.#signaling.start();
  }

  leave() { this.#signaling.leave(); }

  retry() { this.#signaling.retryNow(); }

  /** True when somebody heard it. */
  say(text) {
    const heardBy = this.#mesh.broadcast(text);
    if (heardBy) view.message({ name: 'You', text, self: true });
    else view.note('Not sent: nobody is connected to you yet.');
    if (heardBy && heardBy < this.#peers.size) view.note(`Only ${heardBy} of ${this.#peers.size} others are connected and got it.`);
    return heardBy > 0;
  }

  #phase(phase) {
    switch (phase.name) {
      case 'connecting': return view.status('connecting', 'Connecting to the server…');
      case 'joined': view.alertUser(''); return view.status('joined', 'Connected to the server');
      case 'waiting': return view.status('waiting', texts.waiting(phase));
      case 'ended': return this.#ended(phase);
    }
  }

  #ended({ reason, error }) {
    this.#mesh.close();
    if (stay === this) stay = null;
    view.showLobby();
    view.alertUser(error ? texts.refused(error, this.#room, this.#limits) : texts.ended(reason));
  }

  /** The snapshot is complete: after a loss, too, it replaces what we knew. */
  #joined({ self, peers, capacity, iceServers }) {
    this.#self = self;
    this.#capacity = capacity;
    this.#peers = new Map(peers.map((peer) => [peer.id, peer]));
    try {
      this.#mesh.enter(peers, iceServers);
    } catch (error) { // the server's list of ICE servers is not to the browser's liking
      view.alertUser(`Calls cannot be set up: ${error.message}`);
    }
    view.note(peers.length ? 'You are in the room.' : 'You are in the room, and the first. Share the link to invite others.');
    this.#showRoster();
  }

  #peerJoined(peer) {
    this.#peers.set(peer.id, peer);
    this.#mesh.expect(peer);
    view.note('joined', this.#name(peer.id));
    this.#showRoster();
  }

  #peerLeft({ id, reason }) {
    view.note(texts.peerLeft(reason), this.#name(id));
    this.#peers.delete(id);
    this.#mesh.remove(id);
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

  /** A refused join ends the stay (see #ended); a peer that just left is no news, since `peer_left` says so. */
  #error({ code, message, re }) {
    if (re !== 'join' && code !== 'peer_not_found') view.note(`The server reports: ${message}`);
  }

  #showRoster() {
    const others = [...this.#peers.keys()].map((id) => ({ id, name: this.#name(id), state: this.#mesh.state(id) }));
    view.roster([{ id: this.#self.id, name: this.#name(this.#self.id), self: true }, ...others], this.#capacity);
  }

  /** `meta` is whatever its owner sent: it may be no name, too long, or that of somebody else. */
  #name(id) {
    const given = (peer) => (typeof peer?.meta?.name === 'string' ? peer.meta.name.trim().slice(0, 40) : '');
    const everybody = [this.#self, ...this.#peers.values()];
    const name = given(everybody.find((peer) => peer.id === id));
    if (!name) return `Guest ${id.slice(0, 4)}`;
    const namesakes = everybody.filter((peer) => given(peer) === name).length;
    return namesakes > 1 ? `${name} (${id.slice(0, 4)})` : name;
  }
}

const join = ({ room, name }) => {
  const problem = roomProblem(room);
  view.alertUser(problem);
  if (problem) return;
  remember(name);
  const link = linkTo(room, location);
  history.replaceState(null, '', link); // reloading leads back to this room
  view.showRoom({ room, link });
  stay = new Stay({ room, name });
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
  anotherName: () => view.suggest({ room: randomRoom() }),
  leave: () => stay?.leave(),
  retry: () => stay?.retry(),
  say: (text) => stay?.say(text),
});

// A link to another room, opened in this very tab, changes nothing but the hash.
addEventListener('hashchange', () => {
  const room = roomFromLink(location);
  stay?.leave();
  if (room) view.suggest({ room });
});

// A closed tab says so, so that the others need not wait for a timeout.
addEventListener('pagehide', () => stay?.leave());

view.suggest({ room: roomFromLink(location) ?? randomRoom(), name: remembered() });
view.showLobby();
