// The mesh: one RTCPeerConnection with one data channel to each peer of the room.
//
// Who does what is settled by the server, so that no pair ever disagrees: the newcomer offers to everybody it finds in
// `joined`, those who were there wait for it; `polite` says who gives way when two offers cross all the same (after a
// network change both sides may offer). The pattern is "perfect negotiation" of the W3C's WebRTC specification.

class Pair {
  #id; #polite; #to; #pc;
  #channel = null;
  #makingOffer = false;
  #ignoringOffer = false;
  #settingAnswer = false;

  /** `to` is where news go: signal(kind, data), changed(), message(text), problem(error). */
  constructor({ id, polite, iceServers, to }) {
    this.#id = id;
    this.#polite = polite;
    this.#to = to;
    const pc = new RTCPeerConnection({ iceServers });
    pc.onnegotiationneeded = () => this.#offer();
    pc.onicecandidate = ({ candidate }) => to.signal('candidate', candidate); // null: that was the last one
    pc.ondatachannel = ({ channel }) => this.#adopt(channel);
    pc.onconnectionstatechange = () => {
      // New routes for the same connection: the network may have changed under either of us.
      if (pc.connectionState === 'failed') pc.restartIce();
      to.changed();
    };
    this.#pc = pc;
  }

  /** The newcomer's part. Creating the channel is what makes the browser ask for negotiation. */
  call() {
    this.#adopt(this.#pc.createDataChannel('chat'));
  }

  /** connecting · connected (text can flow) · disconnected (may heal by itself) · failed · closed */
  get state() {
    const state = this.#pc.connectionState;
    if (state === 'new') return 'connecting';
    if (state !== 'connected') return state;
    return { open: 'connected', connecting: 'connecting' }[this.#channel?.readyState ?? 'connecting'] ?? 'closed';
  }

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
      this.#to.problem(error);
    }
  }

  close() {
    this.#pc.close();
  }

  async #offer() {
    try {
      this.#makingOffer = true;
      await this.#pc.setLocalDescription();
      this.#to.signal(this.#pc.localDescription.type, this.#pc.localDescription);
    } catch (error) {
      this.#to.problem(error);
    } finally {
      this.#makingOffer = false;
    }
  }

  async #description(description) {
    const pc = this.#pc;
    // An answer that is being applied leaves the state stable in a moment: an offer after it is no collision.
    const ready = !this.#makingOffer && (pc.signalingState === 'stable' || this.#settingAnswer);
    const collision = description.type === 'offer' && !ready;
    this.#ignoringOffer = collision && !this.#polite;
    if (this.#ignoringOffer) return;
    this.#settingAnswer = description.type === 'answer';
    try {
      await pc.setRemoteDescription(description); // when polite, this rolls our own offer back
    } finally {
      this.#settingAnswer = false;
    }
    if (description.type !== 'offer') return;
    await pc.setLocalDescription();
    this.#to.signal(pc.localDescription.type, pc.localDescription);
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
    channel.onopen = channel.onclose = () => this.#to.changed();
    channel.onmessage = ({ data }) => { if (typeof data === 'string') this.#to.message(data); };
  }
}

/** Events: "state" {id, state}, "message" {id, text}, "problem" {id, error}. */
export class Mesh extends EventTarget {
  #pairs = new Map();
  #iceServers = [];
  #signal;

  /** `signal(to, kind, data)` is how the pairs reach each other before they are connected. */
  constructor(signal) {
    super();
    this.#signal = signal;
  }

  /** We came (back) into the room: whoever is there is new to us and gets an offer. */
  enter(peers, iceServers) {
    this.close();
    this.#iceServers = iceServers;
    for (const peer of peers) this.#add(peer).call();
  }

  /** Somebody came into the room; the offer is on its way. */
  expect(peer) {
    this.#add(peer);
  }

  receive({ from, kind, data }) {
    this.#pairs.get(from)?.receive(kind, data);
  }

  state(id) {
    return this.#pairs.get(id)?.state ?? 'closed';
  }

  /** Says `text` to everybody connected; how many that were. */
  broadcast(text) {
    return [...this.#pairs.values()].filter((pair) => pair.send(text)).length;
  }

  remove(id) {
    this.#pairs.get(id)?.close();
    this.#pairs.delete(id);
  }

  close() {
    for (const id of [...this.#pairs.keys()]) this.remove(id);
  }

  #add({ id, polite }) {
    this.remove(id);
    const tell = (type, facts) => {
      if (this.#pairs.get(id) === pair) this.dispatchEvent(new CustomEvent(type, { detail: { id, ...facts } }));
    };
    const to = {
      signal: (kind, data) => this.#signal(id, kind, data),
      changed: () => tell('state', { state: pair.state }),
      message: (text) => tell('message', { text }),
      problem: (error) => tell('problem', { error }),
    };
    const pair = new Pair({ id, polite, iceServers: this.#iceServers, to });
    this.#pairs.set(id, pair);
    return pair;
  }
}
