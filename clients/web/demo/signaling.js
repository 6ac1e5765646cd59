// The connection to the server: one WebSocket at a time, one room, one session, and the way back after a loss.
//
// Every frame of the server is dispatched as an event named after its `type` ("joined", "peer_joined", "signal", …) with
// the frame as `detail`; unknown types are dispatched too and nobody listens, so newer servers do no harm.
// Two more events: "phase" says how the connection itself is doing (see `#phase` below), and "dropped" tells of a frame
// that could not be kept for later.

import { Books, Metadata } from './books.js';
import { Liveness, deadline, prepare, scattered, timer } from './liveness.js';

const SUBPROTOCOL = 'switchboard.v1';

// Reconnection: exponential back-off with full jitter ("Coming back" in docs/protocol.md). A connection that ended
// without a word may be that of a server that died with ten thousand others: they must not all knock in the same second.
// Less than STABLE_MS in the room does not reset the exponent.
const BACKOFF_FIRST_MS = 500;
const BACKOFF_FIRST_WORDLESS_MS = 4_000;
const BACKOFF_MAX_MS = 30_000;
const STABLE_MS = 5_000;
/** News about the network come in bursts: between two attempts that they cause there is at least this. */
const NUDGE_MS = 1_000;

/** An attempt that brought no `joined` or `error` by then has failed. */
const CONNECT_TIMEOUT_MS = 10_000;
/** One that is older than this when the network comes back was begun on the old one. */
const STUCK_MS = 3_000;
/** After the last frame, the server is told within this time that it may forget it. */
const ACK_WITHIN_MS = 5_000;
/** Credentials for ICE servers are replaced when this part of their time is over. */
const ICE_RENEW_AT = 0.8;
/** Those who wait for a seat don't ask for it in the same moment. */
const ASK_AGAIN_SPREAD_MS = 500;

/** 1000 ends a session for good, any other code of ours leaves it to be resumed. */
const CLOSE_FOR_GOOD = 1000;
const CLOSE_TO_RESUME = 4100;

/** Close codes after which the same client would only fail again: our own mistakes, and 4500–4999 by agreement. */
const isFinal = (code) => [1002, 1003, 1007, 1009].includes(code) || (code >= 4500 && code <= 4999);

/** Where the server of the page at `base` listens, under a path of a proxy's too. The room is a hint for proxies; `join` counts. */
export const serverUrl = (room, base = document.baseURI) => {
  const url = new URL(`ws?room=${encodeURIComponent(room)}`, base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
};

/** What makes a connection doubtful, or shows that it is worth trying again. */
const NUDGES = [
  [globalThis, 'online'], [globalThis, 'pageshow'], [globalThis.document, 'visibilitychange'], [globalThis.document, 'resume'],
  [globalThis.navigator?.connection, 'change'],
].filter(([target]) => target);

export class Signaling extends EventTarget {
  #room; #meta; #identity; #url;
  #books = new Books();
  #liveness = new Liveness({ ping: (t) => this.#ping(t), lost: (facts) => this.#silent(facts) });
  #started = false; // from `start` until `leave`, or until it has ended by itself
  #over = false; // it has ended, and was not started again
  #socket = null;
  #former = null; // the socket whose session the current one takes over, until it has
  #canResume = false; // the server speaks `resume`
  #knowsPeople = false; // it speaks `identity`
  #tellsIce = false; // it speaks `ice`
  #attempt = 0; // reconnections since the connection was last stable; the server counts them
  #connectingSince = 0; // 0: not connecting
  #triedAt = -Infinity;
  #joinedAt = 0; // 0: not in the room
  #comeBackAt = 0; // from a `bye`: the earliest time the server wants to see us again
  #bye = null;
  #refusal = null; // why we wait on the connection before we ask to join again
  #waiting = null; // functions that cancel a timer, or null
  #watchdog = null;
  #acking = null;
  #renewing = null;

  /** `identity`: the secret that we are known by in that room, and nobody else has; see identity.js. */
  constructor({ room, meta, identity = null, url = serverUrl(room) }) {
    super();
    this.#room = room;
    this.#meta = new Metadata(meta);
    this.#identity = identity;
    this.#url = url;
  }

  /** Goes into the room, and comes back after every loss, until `leave`. Does nothing while that is under way. */
  start() {
    if (this.#started) return;
    this.#started = true;
    this.#over = false;
    this.#attempt = 0;
    this.#comeBackAt = 0;
    for (const [target, type] of NUDGES) target.addEventListener(type, this.#nudged);
    prepare();
    this.#connect();
  }

  /** Leaves the room for good. The others see it at once, because the socket closes properly. */
  leave() {
    if (this.#joinedAt) this.#write({ type: 'leave' });
    this.#end({ reason: 'left' });
  }

  /** Does not wait for the end of the back-off. */
  retryNow() {
    if (this.#started && !this.#socket) this.#connect();
  }

  /** `to`: a peer's id, a list of ids or "*"; `kind`: offer, answer, candidate or app; `data`: any JSON. */
  signal(to, kind, data) {
    return this.#send({ type: 'signal', to, kind, data });
  }

  /** Replaces what the others know of us, now and after every loss. */
  update(meta) {
    return this.#send(this.#meta.update(meta));
  }

  /** False when the frame is lost: there is no room to send it to, or no space to keep it in. */
  #send(frame) {
    if (this.#over) {
      this.#meta.dropped(frame);
      return false;
    }
    const now = this.#books.keep(frame);
    if (now === null) {
      this.#meta.dropped(frame);
      this.#emit('dropped', { frame });
    }
    if (now) this.#write(frame);
    this.#acknowledge();
    return now !== null;
  }

  #connect() {
    this.#waiting?.();
    this.#waiting = null;
    this.#bye = null;
    this.#refusal = null;
    this.#connectingSince = this.#triedAt = performance.now();
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    // A socket we gave up may still speak; only the current one is listened to.
    const current = (handle) => (event) => { if (socket === this.#socket) handle(event); };
    let opened = false;
    socket.onopen = current(() => { opened = true; });
    socket.onmessage = current(({ data }) => this.#receive(JSON.parse(data)));
    socket.onclose = current(({ code }) => this.#lost(code, opened));
    this.#watchdog = deadline(CONNECT_TIMEOUT_MS, () => this.#lost(1006, opened));
    this.#phase('connecting', { attempt: this.#attempt });
  }

  #receive(frame) {
    this.#liveness.heard(frame);
    this.#meta.answered(frame);
    if (frame.type === 'welcome') return this.#welcome(frame);
    if (frame.type === 'joined') return this.#joined(frame);
    if (frame.type === 'error' && frame.re === 'join' && !this.#joinedAt) return this.#refused(frame);
    if (frame.type === 'error' && frame.re === 'ice') this.#renewIceIn(frame.retryAfterMs ?? NaN);
    if (frame.type === 'ice_servers') this.#renewIceIn(frame.ttlMs * ICE_RENEW_AT);
    if (frame.type === 'pong' && frame.ack !== undefined) this.#books.acknowledged(frame.ack);
    if (frame.type === 'bye') { // The close follows; when the server drains, it relays until then.
      this.#bye = frame;
      this.#comeBackAt = performance.now() + (frame.retryAfterMs ?? 0);
    }
    this.#emit(frame.type, frame);
    // Somebody or something ended the room under us: whether to join again is the user's call.
    if (frame.type === 'room_closed') return this.#end({ reason: 'room_closed' });
    if (this.#books.handled(frame)) this.#acknowledge();
  }

  /** The server speaks first and tells its limits and its pace; we answer with who we are and where to. */
  #welcome(frame) {
    this.#canResume = (frame.features ?? []).includes('resume');
    this.#knowsPeople = (frame.features ?? []).includes('identity');
    this.#tellsIce = (frame.features ?? []).includes('ice');
    if (!this.#canResume) this.#books.forget();
    this.#liveness.watch(frame.heartbeat);
    this.#emit(frame.type, frame);
    this.#join();
  }

  #join() {
    const join = { type: 'join', id: 'join', room: this.#room };
    if (this.#attempt) join.attempt = this.#attempt;
    if (this.#books.resumable) join.resume = this.#books.resume;
    else join.meta = this.#meta.newest;
    this.#meta.join(!join.resume);
    if (this.#canResume && !join.resume) join.resumable = true;
    // Nobody else has our identity: a session of the same that seems to be connected is one of ours that is not missed yet.
    if (this.#identity && this.#knowsPeople && !join.resume) Object.assign(join, { identity: this.#identity, replace: true });
    this.#write(join);
  }

  #joined(frame) {
    this.#watchdog?.();
    this.#connectingSince = 0;
    this.#refusal = null;
    this.#meta.joined();
    this.#joinedAt = performance.now();
    this.#former?.close(CLOSE_TO_RESUME);
    this.#former = null;
    for (const kept of this.#books.joined(frame)) this.#write(kept);
    this.#renewIceIn(frame.iceTtlMs * ICE_RENEW_AT);
    if (this.#books.resumable) this.#ping(); // until something is sent, the server does not know that the token arrived
    const socket = this.#socket;
    this.#phase('joined', { resumed: frame.complete === true });
    if (socket === this.#socket) this.#emit(frame.type, frame); // else whoever heard of the phase has left
  }

  /**
   * The first refusal is for the user to decide about, unless the server names a time: then we wait on the connection. On
   * the way back it may be our own former seat that fills the room until the server misses us: what is retryable is then
   * tried again.
   */
  #refused(error) {
    if (this.#books.resumable && !error.retryable) { // the session is gone, or its counts are of no use
      this.#books.forget();
      return this.#join();
    }
    const unaccepted = error.category === 'INVALID_MESSAGE' && !error.retryable ? this.#meta.refused() : null;
    if (unaccepted !== null) { // with the metadata before them we are let in, perhaps
      this.#books.withdraw(unaccepted);
      return this.#join();
    }
    const socket = this.#socket;
    this.#emit('error', error);
    if (socket !== this.#socket) return; // whoever heard it has left
    if (error.code === 'banned') return this.#end({ reason: 'refused', error }); // it may be days
    if (error.retryable && error.retryAfterMs > 0) return this.#askAgain(error);
    if (!this.#attempt || !error.retryable) return this.#end({ reason: 'refused', error });
    this.#drop();
    this.#scheduleRetry({ reason: error.code });
  }

  /** A server that is going admits nobody: there `retryAfterMs` is the time until it closes the connection. */
  #askAgain(error) {
    this.#watchdog?.();
    this.#connectingSince = 0;
    this.#refusal = error;
    const delayMs = error.retryAfterMs + Math.random() * ASK_AGAIN_SPREAD_MS;
    this.#waiting?.();
    this.#waiting = error.code === 'server_draining' ? null : timer(delayMs, () => {
      this.#waiting = null;
      this.#join();
    });
    this.#phase('queued', { error, delayMs });
  }

  #lost(code, opened) {
    const [bye, refusal] = [this.#bye, this.#refusal];
    this.#drop();
    if (bye?.action === 'disconnect' || isFinal(code)) return this.#end({ reason: bye?.reason ?? `code_${code}`, message: bye?.message });
    // The server's patience with those who wait for a seat has an end: then the user decides again.
    if (bye?.reason === 'join_timeout' && refusal && !this.#attempt) return this.#end({ reason: 'refused', error: refusal });
    // A handshake that failed shows no status to a page: over capacity and out of reach look the same.
    this.#scheduleRetry({ reason: opened ? bye?.reason ?? 'disconnected' : 'unreachable' }, { wordless: !bye && code === 1006 });
  }

  /** A ping stayed unanswered. The path may be gone and the server not know it: a new socket takes the session over. */
  #silent({ urgent }) {
    if (!this.#joinedAt) return this.#lost(1006, true);
    const takesOver = this.#books.resumable;
    if (takesOver) {
      this.#former?.close(CLOSE_TO_RESUME);
      this.#former = this.#socket;
      this.#socket = null;
    }
    this.#drop();
    this.#scheduleRetry({ reason: 'silent' }, { wordless: true, atOnce: takesOver && urgent });
  }

  /** `atOnce`: unless we were in the room for a short time only, or nobody looks at this page: hidden tabs come in numbers. */
  #scheduleRetry(why, { wordless = false, atOnce = false } = {}) {
    const now = performance.now();
    if (this.#joinedAt && now - this.#joinedAt > STABLE_MS) this.#attempt = 0;
    this.#joinedAt = 0;
    const first = wordless ? BACKOFF_FIRST_WORDLESS_MS : BACKOFF_FIRST_MS;
    const ceiling = Math.min(BACKOFF_MAX_MS, first * 2 ** this.#attempt);
    const delayMs = Math.max(0, this.#comeBackAt - now) + Math.random() * ceiling;
    this.#attempt += 1;
    if (atOnce && this.#attempt === 1 && !document.hidden) return this.#connect();
    this.#retryIn(delayMs, Math.max(ceiling, BACKOFF_FIRST_WORDLESS_MS));
    this.#phase('waiting', { ...why, delayMs, attempt: this.#attempt });
  }

  #retryIn(delayMs, spreadMs) {
    this.#waiting?.();
    this.#waiting = scattered(delayMs, spreadMs, () => this.#connect());
  }

  /** The network came back, the machine woke up, somebody looks at the page again. */
  #nudged = ({ type }) => {
    if (type === 'visibilitychange' && document.hidden) return;
    const now = performance.now();
    if (this.#connectingSince) {
      if (now - this.#connectingSince < STUCK_MS) return;
      this.#drop(); // it may be knocking where there is no door any more
    }
    if (this.#socket) return this.#liveness.probe();
    const early = now < this.#comeBackAt && type !== 'online';
    if (early || now - this.#triedAt < NUDGE_MS) return;
    if (document.hidden) this.#retryIn(Math.random() * BACKOFF_FIRST_WORDLESS_MS, BACKOFF_FIRST_WORDLESS_MS);
    else this.#connect();
  };

  #ping(t = Math.floor(performance.now())) {
    this.#acking?.();
    this.#acking = null;
    this.#write({ type: 'ping', t, ack: this.#books.acknowledge() });
  }

  /** Tells the server what we have handled: now and then, and soon after the last frame. */
  #acknowledge() {
    if (this.#books.ackDue) this.#ping();
    else if (this.#joinedAt && this.#books.resumable) this.#acking ??= timer(ACK_WITHIN_MS, () => this.#ping());
  }

  /** Credentials that end are asked for anew in time; where none do, `ms` is no number. A `joined` brings fresh ones, too. */
  #renewIceIn(ms) {
    this.#renewing?.();
    this.#renewing = Number.isNaN(ms) || !this.#tellsIce ? null : timer(ms, () => this.#send({ type: 'ice', id: 'ice' }));
  }

  #write(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** Lets go of the socket, and is deaf to it from now on. What can be resumed is not closed for good. */
  #drop() {
    this.#liveness.stop();
    this.#watchdog?.();
    this.#acking?.();
    this.#acking = null;
    this.#renewing?.();
    this.#renewing = null;
    this.#connectingSince = 0;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(this.#started && this.#books.resumable ? CLOSE_TO_RESUME : CLOSE_FOR_GOOD);
    this.#books.lost();
  }

  #end(why) {
    if (!this.#started) return;
    this.#started = false;
    this.#over = true;
    for (const [target, type] of NUDGES) target.removeEventListener(type, this.#nudged);
    this.#waiting?.();
    this.#waiting = null;
    this.#joinedAt = 0;
    this.#drop();
    this.#former?.close(CLOSE_FOR_GOOD);
    this.#former = null;
    this.#books = new Books();
    this.#phase('ended', why);
  }

  /**
   * connecting {attempt} · joined {resumed} · queued {error, delayMs}: refused, and asks again on this connection ·
   * waiting {reason, delayMs, attempt}: comes back by itself · ended {reason, error?}: does not ("left", "refused",
   * "room_closed", a `bye`'s reason, or "code_…")
   */
  #phase(name, facts) {
    this.#emit('phase', { name, ...facts });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
