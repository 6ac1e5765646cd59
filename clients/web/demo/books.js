// The bookkeeping that lets a session go on over another connection: "Resuming a session" in docs/protocol.md.

/** Most frames kept until they are acknowledged. With nobody to send them to, more would only grow old. */
const KEPT_MAX = 256;
/** The server keeps what is not acknowledged, up to a bound: so it is told at least this often. */
const ACK_EVERY = 50;
const UNCOUNTED = ['joined', 'pong', 'bye'];

/** A description or a candidate: it concerns two sessions and no other. */
const isNegotiation = ({ type, kind }) => type === 'signal' && kind !== 'app';

/** What the others shall know of us. What the server refuses is in no later `join`: that would be refused for the same reason. */
export class Metadata {
  #accepted;
  #open = []; // updates since then, in order: whether the server takes them is not known
  #asked = 0;
  #offered = null; // the update whose metadata went with the join that waits for its answer

  constructor(meta) { this.#accepted = meta; }

  /** For `join.meta`. */
  get newest() { return this.#open.length > 0 ? this.#open.at(-1).meta : this.#accepted; }

  /** A frame that replaces them. */
  update(meta) {
    this.#asked += 1;
    const frame = { type: 'update', id: `update-${this.#asked}`, meta };
    this.#open.push(frame);
    if (this.#open.length > KEPT_MAX) this.#open.shift(); // those of a server that answers nothing
    return frame;
  }

  /** A frame of the server's: perhaps the answer to one of them. Those before it are settled, too. */
  answered({ type, re }) {
    const at = this.#open.findIndex(({ id }) => id === re);
    if (at < 0) return;
    if (type === 'error') this.#open.splice(at, 1);
    else this.#accepted = this.#open.splice(0, at + 1).at(-1).meta;
  }

  /** It was not sent, and will not be. */
  dropped(frame) { this.answered({ type: 'error', re: frame.id }); }

  /** A join is on its way: with the newest, or with none because it takes a session over. */
  join(carries) { this.#offered = carries ? this.#open.at(-1)?.id ?? null : null; }

  /** It was let in. */
  joined() {
    if (this.#offered !== null) this.answered({ type: 'joined', re: this.#offered });
    this.#offered = null;
  }

  /** It was refused for good: the id of the update whose metadata may be why, and are given up; null if those were accepted before. */
  refused() {
    const offered = this.#offered;
    this.#offered = null;
    if (offered !== null) this.answered({ type: 'error', re: offered });
    return offered;
  }
}

export class Books {
  #token = null;
  #heard = 0; // counted frames of the server's that were handled
  #acked = 0; // counted frames of ours that the server has handled
  #kept = []; // those after them: { frame, sent }
  #joined = false; // on this connection
  #unacked = 0; // counted frames in both directions since the last ack
  #former = false; // there was a session before

  /** Whether there is a session to resume. */
  get resumable() { return this.#token !== null; }

  /** For `join.resume`. */
  get resume() { return { token: this.#token, ack: this.#heard }; }

  /** For `ping.ack`, in a ping that is about to be sent; undefined where there is nothing to acknowledge. */
  acknowledge() {
    this.#unacked = 0;
    return this.#joined && this.#token !== null ? this.#heard : undefined;
  }

  /** Whether an ack is due. */
  get ackDue() { return this.#joined && this.#token !== null && this.#unacked >= ACK_EVERY; }

  /**
   * A counted frame is to be sent: returns whether that is to happen now; otherwise it goes out after the next `joined`.
   * `null` when there is no space for it: it is lost, and whoever sends it must know.
   */
  keep(frame) {
    if (this.#joined && this.#token === null) return true;
    if (this.#kept.length >= KEPT_MAX) return null;
    this.#kept.push({ frame, sent: this.#joined });
    if (this.#joined) this.#unacked += 1;
    return this.#joined;
  }

  /** We are in the room: returns what is to be sent before anything new. */
  joined({ ack, complete, resume }) {
    if (ack !== undefined) this.acknowledged(ack);
    else if (this.#former) this.#kept = this.#kept.filter(({ frame }) => !isNegotiation(frame));
    if (!complete) this.#heard = this.#acked = 0;
    this.#token = resume?.token ?? null;
    this.#joined = true;
    this.#former = true;
    const again = this.#kept.map(({ frame }) => frame);
    this.#kept = this.#token === null ? [] : again.map((frame) => ({ frame, sent: true }));
    return again;
  }

  /** One that was kept and never sent is not to be sent any more. */
  withdraw(id) { this.#kept = this.#kept.filter(({ frame, sent }) => sent || frame.id !== id); }

  /** A frame of the server's was handled. */
  handled({ type }) {
    if (!this.#joined || UNCOUNTED.includes(type)) return false;
    this.#heard += 1;
    this.#unacked += 1;
    return true;
  }

  /** The server has handled `ack` of our frames. */
  acknowledged(ack) {
    this.#kept.splice(0, Math.max(0, ack - this.#acked));
    this.#acked = Math.max(this.#acked, ack);
  }

  /** The connection is lost. What was sent in a session that nobody can resume is not sent again. */
  lost() {
    this.#joined = false;
    if (this.#token === null) this.forget();
  }

  /** The session is over. What was never sent waits for the next, but for what only the old one's peers could understand. */
  forget() {
    this.#token = null;
    this.#heard = this.#acked = this.#unacked = 0;
    this.#joined = false;
    this.#kept = this.#kept.filter(({ frame, sent }) => !sent && !(this.#former && isNegotiation(frame)));
  }
}
