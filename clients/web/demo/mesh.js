// The mesh: one RTCPeerConnection with one data channel to each peer of the room.
//
// Who does what is settled by the server, so that no pair ever disagrees: the newcomer offers to everybody it finds in
// `joined`, those who were there wait for it; `polite` says who gives way when two offers cross all the same (after a
// network change both sides may offer). The pattern is "perfect negotiation" of the W3C's WebRTC specification.
//
// A connection to the server may come and go, and with it a peer's id; what two browsers have between them need not. Each
// RTCPeerConnection has a link id that both its ends know. Every description and candidate carries it, so that none is
// taken for another connection's; and who joins anew with connections still up asks whose they are (`links`, `keep`).

/** A peer that knows nothing of links does not answer: then it gets an offer. */
const KEEP_WITHIN_MS = 3_000;
/** A connection to somebody who does not come back to the room is kept so long at most. */
const ABSENT_MAX_MS = 10 * 60_000;

const randomId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

class Pair {
  #pc; #to;
  #channel = null;
  #makingOffer = false;
  #ignoringOffer = false;
  #settingAnswer = false;

  /** The peer at the other end: its id, which may change, and whether we give way to it. */
  id; polite;
  /** False: it is not in the room, or we are not; only the connection is left. */
  present = true;
  /** Null until the first offer, ours or theirs, has named it. */
  link = null;

  /** `to` is where news go: signal(pair, kind, data), changed(pair), message(pair, text), problem(pair, error). */
  constructor({ id, polite, iceServers, to }) {
    this.id = id;
    this.polite = polite;
    this.#to = to;
    const pc = new RTCPeerConnection({ iceServers });
    pc.onnegotiationneeded = () => this.#offer();
    // An empty candidate ends those of one round; null, the end of all, says nothing more.
    pc.onicecandidate = ({ candidate }) => { if (candidate) this.#signal('candidate', candidate.toJSON()); };
    pc.ondatachannel = ({ channel }) => this.#adopt(channel);
    pc.onconnectionstatechange = () => {
      // New routes for the same connection: the network may have changed under either of us.
      if (pc.connectionState === 'failed' && this.present) pc.restartIce();
      to.changed(this);
    };
    this.#pc = pc;
  }

  /** The newcomer's part. Creating the channel is what makes the browser ask for negotiation. */
  call() {
    this.link = randomId();
    this.#adopt(this.#pc.createDataChannel('chat'));
  }

  /** connecting · connected (text can flow) · disconnected (may heal by itself) · failed · closed */
  get state() {
    const state = this.#pc.connectionState;
    if (state === 'new') return 'connecting';
    if (state !== 'connected') return state;
    return { open: 'connected', connecting: 'connecting' }[this.#channel?.readyState ?? 'connecting'] ?? 'closed';
  }

  /** Up, or about to heal by itself: worth keeping. */
  get alive() {
    return this.#channel?.readyState === 'open' && ['connected', 'disconnected'].includes(this.#pc.connectionState);
  }

  /** Our own first offer is on its way, and nothing has been agreed on yet. */
  get calling() { return this.link !== null && !this.#pc.remoteDescription; }

  send(text) {
    if (this.#channel?.readyState !== 'open') return false;
    this.#channel.send(text);
    return true;
  }

  async receive(kind, data) {
    try {
      if (kind === 'candidate') await this.#candidate(data);
      else if (kind === 'offer' || kind === 'answer') await this.#description(data);
    } catch (error) {
      this.#to.problem(this, error);
    }
  }

  /** Offers were lost, or the server names other ICE servers now: finds new routes without giving up the old. */
  refresh(iceServers, { restart = false } = {}) {
    try {
      this.#pc.setConfiguration({ iceServers });
    } catch (error) {
      this.#to.problem(this, error);
    }
    if (restart) this.#pc.restartIce();
  }

  close() {
    this.#pc.close();
  }

  #signal(kind, data) {
    this.#to.signal(this, kind, this.link === null ? data : { ...data, link: this.link });
  }

  async #offer() {
    try {
      this.#makingOffer = true;
      await this.#pc.setLocalDescription();
      this.#signal(this.#pc.localDescription.type, this.#pc.localDescription.toJSON());
    } catch (error) {
      this.#to.problem(this, error);
    } finally {
      this.#makingOffer = false;
    }
  }

  async #description(description) {
    const pc = this.#pc;
    if (description.link !== undefined) this.link = description.link;
    // An answer that is being applied leaves the state stable in a moment: an offer after it is no collision.
    const ready = !this.#makingOffer && (pc.signalingState === 'stable' || this.#settingAnswer);
    const collision = description.type === 'offer' && !ready;
    this.#ignoringOffer = collision && !this.polite;
    if (this.#ignoringOffer) return;
    this.#settingAnswer = description.type === 'answer';
    try {
      await pc.setRemoteDescription(description); // when polite, this rolls our own offer back
    } finally {
      this.#settingAnswer = false;
    }
    if (description.type !== 'offer') return;
    await pc.setLocalDescription();
    this.#signal(pc.localDescription.type, pc.localDescription.toJSON());
  }

  async #candidate(candidate) {
    try {
      await this.#pc.addIceCandidate(candidate);
    } catch (error) {
      // Candidates of an offer we ignored belong to nothing; any other failure is news.
      if (!this.#ignoringOffer) throw error;
    }
  }

  #adopt(channel) {
    this.#channel = channel;
    channel.onopen = channel.onclose = () => this.#to.changed(this);
    channel.onmessage = ({ data }) => { if (typeof data === 'string') this.#to.message(this, data); };
  }
}

/** Events: "state" {id, state}, "message" {id, text}, "problem" {id, error}. */
export class Mesh extends EventTarget {
  #pairs = new Map(); // by the peer's id, which an absent one had last
  #expected = new Map(); // peers whose offer, or question, is on its way: by id
  #asked = new Map(); // peers that were asked whose connection they are: id -> { peer, timer }
  #iceServers = [];
  #signal;
  #to = {
    signal: (pair, kind, data) => { if (pair.present) this.#signal(pair.id, kind, data); },
    changed: (pair) => this.#changed(pair),
    message: (pair, text) => this.#tell(pair, 'message', { text }),
    problem: (pair, error) => this.#tell(pair, 'problem', { error }),
  };

  /** `signal(to, kind, data)` is how the pairs reach each other before they are connected. */
  constructor(signal) {
    super();
    this.#signal = signal;
  }

  /**
   * We came into the room as somebody new: whoever is there gets an offer. When we were in it before, under another id,
   * connections may still be up: then each is asked first whether one of them is theirs.
   */
  enter(peers, iceServers) {
    this.#iceServers = iceServers;
    for (const { timer } of this.#asked.values()) clearTimeout(timer);
    this.#asked.clear();
    this.#expected.clear();
    for (const pair of [...this.#pairs.values()]) this.#release(pair);
    const links = [...this.#pairs.values()].map(({ link }) => link).filter(Boolean);
    for (const peer of peers) {
      if (links.length) this.#ask(peer, links);
      else this.#add(peer).call();
    }
  }

  /** We are still who we were, but missed something: `peers` are all that are there. What is up stays up. */
  reenter(peers, iceServers) {
    this.#iceServers = iceServers;
    this.#expected.clear();
    const there = new Set(peers.map(({ id }) => id));
    for (const pair of [...this.#pairs.values()]) if (!there.has(pair.id)) this.#release(pair);
    for (const peer of peers) {
      const pair = this.#pairs.get(peer.id);
      if (pair?.alive) this.#retain(pair, peer, { restart: true });
      else this.#add(peer).call();
    }
  }

  /** The server names these ICE servers now, with fresh credentials: for new connections, and the next new routes of the old ones. */
  renew(iceServers) {
    this.#iceServers = iceServers;
    for (const pair of this.#pairs.values()) pair.refresh(iceServers);
  }

  /** Somebody came into the room; the offer is on its way. */
  expect(peer) {
    this.remove(peer.id);
    this.#expected.set(peer.id, peer);
  }

  receive({ from, kind, data }) {
    if (kind === 'app') return this.#arrange(from, data);
    let pair = this.#pairs.get(from);
    if (!pair && kind === 'offer' && this.#expected.has(from)) pair = this.#add(this.#expected.get(from));
    if (!pair?.present) return undefined;
    const other = data?.link !== undefined && pair.link !== null && data.link !== pair.link;
    if (other) {
      // Of a connection that we know nothing of: its offer begins anew, unless ours is on the way and they give way to it.
      if (kind !== 'offer' || (pair.calling && !pair.polite)) return undefined;
      pair = this.#add(pair);
    }
    return pair.receive(kind, data);
  }

  state(id) {
    return this.#pairs.get(id)?.state ?? (this.#asked.has(id) || this.#expected.has(id) ? 'connecting' : 'closed');
  }

  /** Says `text` to everybody connected; how many that were. */
  broadcast(text) {
    return [...this.#pairs.values()].filter((pair) => pair.send(text)).length;
  }

  /** The peer is gone from the room; the connection to it goes when it fails. Says whether there is one. */
  leave(id) {
    const pair = this.#pairs.get(id);
    if (pair) this.#release(pair);
    else this.remove(id);
    return this.#pairs.has(id);
  }

  remove(id) {
    clearTimeout(this.#asked.get(id)?.timer);
    this.#asked.delete(id);
    this.#expected.delete(id);
    this.#pairs.get(id)?.close();
    this.#pairs.delete(id);
  }

  close() {
    for (const id of [...this.#pairs.keys(), ...this.#asked.keys(), ...this.#expected.keys()]) this.remove(id);
  }

  #add({ id, polite }) {
    this.remove(id);
    const pair = new Pair({ id, polite, iceServers: this.#iceServers, to: this.#to });
    this.#pairs.set(id, pair);
    return pair;
  }

  #release(pair) {
    if (!pair.alive) return this.remove(pair.id);
    if (!pair.present) return undefined;
    pair.present = false;
    setTimeout(() => { if (!pair.present && this.#pairs.get(pair.id) === pair) this.#gone(pair); }, ABSENT_MAX_MS);
    return undefined;
  }

  #gone(pair) {
    this.remove(pair.id);
    this.#tell(pair, 'state', { state: 'closed' }, true);
  }

  /** `pair` is the connection to `peer`, whatever that was called before. */
  #retain(pair, { id, polite }, how) {
    this.#pairs.delete(pair.id);
    this.remove(id);
    this.#pairs.set(id, pair);
    Object.assign(pair, { id, polite, present: true });
    pair.refresh(this.#iceServers, how);
    this.#tell(pair, 'state', { state: pair.state });
  }

  #ask(peer, links) {
    const timer = setTimeout(() => this.#add(peer).call(), KEEP_WITHIN_MS);
    this.#asked.set(peer.id, { peer, timer });
    this.#signal(peer.id, 'app', { links });
  }

  /** Signals of the application's own: `{links}` asks which of them we have to the sender, `{keep}` is the answer. */
  #arrange(from, data) {
    if (Array.isArray(data?.links)) this.#answer(from, data.links);
    const asked = data?.keep !== undefined && this.#asked.get(from);
    if (!asked) return;
    const kept = [...this.#pairs.values()].find(({ link, present }) => !present && link !== null && link === data.keep);
    clearTimeout(asked.timer);
    this.#asked.delete(from);
    if (kept?.alive) this.#retain(kept, asked.peer);
    else this.#add(asked.peer).call();
  }

  #answer(from, links) {
    const expected = this.#expected.get(from);
    if (!expected) return;
    const ours = [...this.#pairs.values()].find((pair) => !pair.present && links.includes(pair.link));
    if (ours?.alive) this.#retain(ours, expected);
    else if (ours) this.#gone(ours);
    this.#signal(from, 'app', { keep: ours?.alive ? ours.link : null });
  }

  #changed(pair) {
    if (this.#pairs.get(pair.id) !== pair) return;
    if (!pair.present && !pair.alive) this.#gone(pair);
    else this.#tell(pair, 'state', { state: pair.state });
  }

  #tell(pair, type, facts, anyway = false) {
    if (anyway || this.#pairs.get(pair.id) === pair) this.dispatchEvent(new CustomEvent(type, { detail: { id: pair.id, ...facts } }));
  }
}
