// The page at /: its controls and a room of the client library, tied together. It is an example, too: whatever it knows of rooms and
// peers it has from `joinRoom` (clients/web/client/README.md), which client.js holds.

import { joinRoom, linkToRoom, randomRoom, reportFrom } from './client.js';
import { Files, listenForFiles } from './files.js';
import { inviteTo, listenForInvitations } from './invite.js';
import { MeshGraph } from './mesh-graph.js';
import * as rooms from './rooms.js';
import * as texts from './texts.js';
import * as view from './view.js';

/** What one says at once is cut here, whoever said it: the page's own field takes no more. */
const TEXT_MAX = 4000;
const NAME_MAX = 40;
/** How often the paths to the others are looked at. */
const PATHS_MS = 2_000;

/** The stay in a room: from the click on "Join" until it has ended. */
let stay = null;

class Stay {
  #name; #room; #telemetry; #timer; #files; #mesh;
  #limits = null;
  #bye = null;
  #entered = false; // it was in the room
  #queued = false; // waiting for a place, with the lobby shown
  #refusal = null; // what it waits because of
  #closing = null; // why we close it ourselves
  #over = false;
  #peers = new Map(); // by id: everybody whose departure can be told
  #shown = new Map(); // peer -> the name it was last shown by
  #paths = new Map(); // peer -> the path to it

  constructor({ room, name }) {
    this.#name = room;
    const options = { url: 'ws', meta: name ? { name } : {}, token: rooms.tokenFor(room), joining: (joining) => this.#follow(joining) };
    joinRoom(room, options).catch((error) => this.#failed(error));
  }

  get name() { return this.#name; }

  leave() {
    // While there is a room that can be told how the stay went.
    this.#telemetry?.close();
    this.#room?.leave();
  }

  retry() { this.#room.signaling.retryNow(); }

  /** Another room is being chosen: this one is not waited for any more. */
  stopWaiting() {
    if (this.#queued) this.leave();
  }

  /** True when there is somebody to hear it. */
  say(text) {
    const { peers } = this.#room;
    const near = peers.filter(({ unreachable }) => !unreachable);
    if (near.length === 0) {
      view.note(peers.length ? 'Not sent: nobody can be reached.' : 'Not sent: nobody else is here yet.');
      return false;
    }
    view.message({ name: 'You', text, self: true });
    const late = near.filter(({ state }) => state !== 'connected').length;
    if (late) view.note(`${late} of ${peers.length} others get it once they are connected.`);
    this.#room.send({ text }).catch((error) => {
      const { length } = error.peers ?? [];
      if (!this.#over) view.note(`${length || 1} of ${peers.length} others did not get it.`);
    });
    return true;
  }

  /** Offers files to everybody who is connected. */
  offer(files) {
    this.#files?.offer(files);
  }

  /** What the others see us by from now on. */
  async rename(name) {
    try {
      await this.#room.update(name ? { name } : {});
    } catch (error) {
      view.note(`Your name stays as it was. ${texts.trouble(error)}`);
    }
  }

  /** Before the room is in, so that nothing is missed. */
  #follow(room) {
    this.#room = room;
    const { signaling } = room;
    this.#telemetry = reportFrom(room);
    this.#files = new Files(room, (peer) => this.#nameOf(peer));
    this.#mesh = new MeshGraph(room, (peer) => this.#nameOf(peer));
    room.on('state', (state) => this.#state(state));
    room.on('peer', ({ peer, change }) => this.#peerChanged(peer, change));
    room.on('message', ({ peer, data }) => this.#heard(peer, data));
    room.on('notice', ({ text }) => view.note(texts.notice(text)));
    room.on('error', (error) => view.note(texts.trouble(error)));
    signaling.on('welcome', ({ limits }) => { this.#limits = limits; });
    signaling.on('joined', (frame) => this.#joined(frame));
    signaling.on('peer_joined', ({ id, replaces }) => view.note(replaces ? 'came back' : 'joined', this.#nameOf(this.#peers.get(id))));
    signaling.on('peer_left', ({ id, reason }) => this.#peerLeft(id, reason));
    signaling.on('peer_updated', () => this.#showRoster());
    signaling.on('room_state', ({ locked }) => view.note(texts.roomState(locked)));
    signaling.on('room_closed', ({ message }) => this.#close({ reason: 'room_closed', message }));
    signaling.on('bye', (bye) => {
      this.#bye = bye;
      view.alertUser(texts.bye(bye));
    });
    this.#timer = setInterval(() => this.#lookAtPaths(), PATHS_MS);
  }

  #state(state) {
    if (this.#closing && state.name !== 'closed') return undefined;
    switch (state.name) {
      case 'connecting': return view.status('connecting', 'Connecting to the server…');
      case 'joined': view.alertUser(''); return view.status('joined', 'Connected to the server');
      case 'waiting': return this.#wait(state);
      case 'queued': return this.#queue(state);
      case 'closed': return this.#ended(this.#closing ?? state);
    }
    return undefined;
  }

  #wait({ reason, delayMs }) {
    // The server had no patience left: whether to wait on is the user's to say.
    if (this.#queued && reason === 'join_timeout') return this.#close({ reason: 'refused', error: this.#refusal });
    return view.status('waiting', texts.waiting({ reason }), delayMs);
  }

  /** Refused, and it asks again. Who was in the room already stays there meanwhile. */
  #queue({ error, delayMs }) {
    if (this.#entered) return view.status('queued', texts.waiting({ reason: error.code }), delayMs);
    if (!this.#queued) view.showLobby();
    this.#queued = true;
    this.#refusal = error;
    view.alertUser(texts.refused(error, this.#name, this.#limits));
    return view.queue(delayMs);
  }

  #close(why) {
    this.#closing = why;
    this.leave();
  }

  /** The page itself cannot go on: a socket that the browser refuses, say. What the server refuses is told by the state. */
  #failed(error) {
    if (!this.#over) this.#ended({ reason: 'failed', error });
  }

  #ended({ reason, error, message }) {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#timer);
    this.#files?.close();
    this.#mesh?.close();
    this.#telemetry?.close();
    this.#room?.leave();
    if (stay === this) {
      stay = null;
      if (!leaving) rooms.rememberStay(null);
    }
    if (this.#queued) view.queue(null); // the lobby is there already, and perhaps typed into
    else view.showLobby();
    const refused = reason === 'refused' || reason === 'failed';
    view.alertUser(refused ? texts.refused(error, this.#name, this.#limits) : texts.ended(reason, message ?? this.#bye?.message));
  }

  #joined({ complete, locked, peers }) {
    this.#bye = null;
    if (this.#queued) view.showRoom({ room: this.#name });
    this.#queued = false;
    if (!complete) {
      if (this.#entered) view.note('You are back in the room.');
      else view.note(peers.length ? 'You are in the room.' : 'You are in the room, and the first. Share the link to invite others.');
    }
    this.#entered = true;
    if (locked) view.note(texts.roomState(true));
    this.#showRoster();
  }

  #peerLeft(id, reason) {
    const peer = this.#peers.get(id);
    this.#peers.delete(id);
    if (peer && reason !== 'replaced') view.note(texts.peerLeft(reason, this.#room.peers.includes(peer)), this.#nameOf(peer));
    if (peer && !this.#room.peers.includes(peer)) this.#shown.delete(peer);
  }

  #peerChanged(peer, change) {
    if (peer.presence !== 'gone') this.#peers.set(peer.id, peer);
    if (change === 'unreachable' && peer.unreachable) view.note(texts.unreachable(peer.unreachable.reason), this.#nameOf(peer));
    const former = this.#shown.get(peer);
    if (change === 'updated' && former !== undefined && former !== nameIn(peer)) view.note(`is called ${this.#nameOf(peer)} now`, former);
    if (change === 'state') this.#lookAtPaths();
    if (change === 'left') this.#paths.delete(peer);
    this.#showRoster();
  }

  #heard(peer, data) {
    if (typeof data?.text === 'string') view.message({ name: this.#nameOf(peer), text: data.text.slice(0, TEXT_MAX) });
  }

  async #lookAtPaths() {
    const { peers } = this.#room;
    const paths = await Promise.all(peers.map((peer) => peer.path().catch(() => undefined)));
    const told = (path) => path && texts.path(path);
    const news = peers.filter((peer, nth) => told(paths[nth]) !== told(this.#paths.get(peer)));
    for (const [nth, peer] of peers.entries()) this.#paths.set(peer, paths[nth]);
    if (news.length > 0) this.#showRoster();
  }

  #showRoster() {
    const { self, peers, capacity } = this.#room;
    if (!this.#entered || this.#over) return;
    for (const peer of peers) this.#shown.set(peer, nameIn(peer) || this.#nameOf(peer));
    view.roster([
      { id: self.id, name: this.#nameOf(self), self: true },
      ...peers.map((peer) => ({
        id: peer.id, name: this.#nameOf(peer), state: peer.state, where: peer.presence === 'here' ? undefined : peer.presence,
        path: peer.state === 'connected' ? this.#paths.get(peer) : undefined,
      })),
    ], capacity);
  }

  /** `meta` is whatever its owner sent: it may be no name, too long, or that of somebody else. */
  #nameOf(peer) {
    if (!peer) return 'Somebody';
    const name = nameIn(peer);
    if (!name) return `Guest ${peer.id.slice(0, 4)}`;
    const namesakes = [this.#room.self, ...this.#room.peers].filter((one) => nameIn(one) === name && one.id !== peer.id).length;
    return namesakes > 0 ? `${name} (${peer.id.slice(0, 4)})` : name;
  }
}

/** What cannot be seen, or turns the text around it. */
const UNSEEN = /[\p{Cc}\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

const nameIn = ({ meta }) => {
  const name = typeof meta?.name === 'string' ? meta.name.slice(0, 1_000).normalize().replace(UNSEEN, '').trim() : '';
  return [...name].slice(0, NAME_MAX).join('');
};

const join = ({ room: typed, name: called }) => {
  stay?.leave(); // it may be waiting for a place
  const [room, name] = [typed.normalize(), called.normalize()];
  const problem = rooms.roomProblem(room);
  view.alertUser(problem);
  if (problem) return;
  rooms.rememberName(name);
  rooms.rememberStay({ room, name });
  history.replaceState(null, '', linkToRoom(room)); // reloading leads back to this room
  inviteTo(room);
  view.showRoom({ room });
  stay = new Stay({ room, name });
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
  rename: (called) => {
    const name = called.normalize();
    rooms.rememberName(name);
    rooms.rememberStay({ room: stay.name, name });
    return stay.rename(name);
  },
  forget: () => {
    rooms.forget();
    view.suggest({ name: '' });
    view.alertUser('This browser has forgotten your name, who you were in rooms, and your invitations.');
  },
});

listenForFiles((files) => stay?.offer(files));
listenForInvitations(view.note);

const arrive = () => {
  const room = rooms.invited(location);
  rooms.takeToken(room);
  return room;
};

// A link to another room, opened in this very tab, changes nothing but the hash.
addEventListener('hashchange', () => {
  const room = arrive();
  if (room !== null && room === stay?.name) return;
  stay?.leave();
  if (room) view.suggest({ room });
  view.invite(room);
});

// A closed tab says so, so that the others need not wait for a timeout. A page that the browser kept for "back" goes on.
let leaving = false;
let left = null;
addEventListener('pagehide', ({ persisted }) => {
  left = persisted && stay ? { room: stay.name, name: rooms.rememberedName() } : null;
  leaving = true; // and a reload comes back
  stay?.leave();
  leaving = false;
});
addEventListener('pageshow', ({ persisted }) => {
  if (persisted && left) join(left);
});

const room = arrive();
view.suggest({ room: room ?? randomRoom(), name: rooms.rememberedName() });
view.invite(room);
view.showLobby();
const interrupted = rooms.interruptedStay(room);
if (interrupted) join(interrupted);
