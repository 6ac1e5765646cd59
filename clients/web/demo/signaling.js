// The wire: one WebSocket to the server, one room, and the way back after a loss.
//
// Every frame of the server is dispatched as an event named after its `type` ("joined", "peer_joined", "signal", …) with
// the frame as `detail`; unknown types are dispatched too and nobody listens, so newer servers do no harm.
// One more event, "phase", says how the connection itself is doing: see `#phase` below.

const SUBPROTOCOL = 'switchboard.v1';

// Reconnection: exponential back-off with full jitter ("Coming back" in docs/protocol.md). A connection that ended
// without a word may be that of a server that died with ten thousand others: they must not all knock in the same second.
// A stay shorter than STABLE_MS does not reset the exponent.
const BACKOFF_FIRST_MS = 500;
const BACKOFF_FIRST_WORDLESS_MS = 4_000;
const BACKOFF_MAX_MS = 30_000;
const STABLE_MS = 5_000;

// An attempt that brought no `welcome` by then has failed.
const CONNECT_TIMEOUT_MS = 10_000;

/** Close codes after which the same client would only fail again: our own mistakes, and 4500–4999 by agreement. */
const isFinal = (code) => [1002, 1003, 1007, 1009].includes(code) || (code >= 4500 && code <= 4999);

/** Where the server of this page listens. The room in the address is a hint for proxies; `join` is what counts. */
export const serverUrl = (room, page = location) =>
  `${page.protocol === 'https:' ? 'wss' : 'ws'}://${page.host}/ws?room=${encodeURIComponent(room)}`;

export class Signaling extends EventTarget {
  #room; #meta; #url;
  #socket = null;
  #ended = false;
  #attempt = 0; // reconnections since the last stable stay; the server counts them
  #joinedAt = 0; // 0: not in the room
  #comeBackAt = 0; // from a `bye`: the earliest time the server wants to see us again
  #bye = null;
  #retry = 0; // timer ids
  #watchdog = 0;
  #heartbeat = null;
  #heardAt = 0;

  constructor({ room, meta, url = serverUrl(room) }) {
    super();
    this.#room = room;
    this.#meta = meta;
    this.#url = url;
  }

  start() {
    addEventListener('online', this.#online);
    this.#connect();
  }

  /** Leaves the room for good. The others see it at once, because the socket closes properly. */
  leave() {
    if (this.#joinedAt) this.#send({ type: 'leave' });
    this.#end({ reason: 'left' });
  }

  /** Does not wait for the end of the back-off. */
  retryNow() {
    if (this.#retry) this.#connect();
  }

  /** `to`: a peer's id, a list of ids or "*"; `kind`: offer, answer, candidate or app; `data`: any JSON. */
  signal(to, kind, data) {
    if (this.#joinedAt) this.#send({ type: 'signal', to, kind, data });
  }

  #online = () => this.retryNow();

  #connect() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    this.#bye = null;
    this.#phase('connecting', { attempt: this.#attempt });
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    // A socket we gave up may still speak; only the current one is listened to.
    const current = (handle) => (event) => { if (socket === this.#socket) handle(event); };
    let opened = false;
    socket.onopen = current(() => { opened = true; });
    socket.onmessage = current(({ data }) => this.#receive(JSON.parse(data)));
    socket.onclose = current(({ code }) => this.#lost(code, opened));
    this.#expectWithin(CONNECT_TIMEOUT_MS);
  }

  #receive(frame) {
    this.#heardAt = performance.now();
    switch (frame.type) {
      case 'welcome': return this.#welcome(frame);
      case 'joined':
        this.#joinedAt = performance.now();
        this.#phase('joined', {});
        break;
      case 'error':
        if (frame.re === 'join') return this.#refused(frame);
        break;
      case 'room_closed': // Somebody or something ended the room under us: whether to join again is the user's call.
        this.#emit(frame.type, frame);
        return this.#end({ reason: 'room_closed' });
      case 'bye': // The close follows; when the server drains, it relays until then.
        this.#bye = frame;
        this.#comeBackAt = performance.now() + (frame.retryAfterMs ?? 0);
        break;
    }
    this.#emit(frame.type, frame);
  }

  /** The server speaks first and tells its limits and its pace; we answer with who we are and where to. */
  #welcome(frame) {
    this.#watch(frame.heartbeat);
    this.#emit(frame.type, frame);
    const join = { type: 'join', id: 'join', room: this.#room, meta: this.#meta };
    if (this.#attempt) join.attempt = this.#attempt;
    this.#send(join);
  }

  /**
   * The first refusal is for the user to decide about. On the way back it may be our own former seat that fills the
   * room until the server misses us: what is retryable is then tried again.
   */
  #refused(error) {
    this.#emit('error', error);
    if (!this.#attempt || !error.retryable) return this.#end({ reason: 'refused', error });
    this.#comeBackAt = performance.now() + (error.retryAfterMs ?? 0);
    this.#drop();
    this.#scheduleRetry({ reason: error.code });
  }

  #lost(code, opened) {
    const bye = this.#bye;
    this.#drop();
    if (bye?.action === 'disconnect' || isFinal(code)) this.#end({ reason: bye?.reason ?? `code_${code}` });
    // A handshake that failed shows no status to a page: over capacity and out of reach look the same.
    else this.#scheduleRetry({ reason: opened ? bye?.reason ?? 'disconnected' : 'unreachable' }, !bye && code === 1006);
  }

  #scheduleRetry(why, wordless = false) {
    const now = performance.now();
    if (this.#joinedAt && now - this.#joinedAt > STABLE_MS) this.#attempt = 0;
    this.#joinedAt = 0;
    const first = wordless ? BACKOFF_FIRST_WORDLESS_MS : BACKOFF_FIRST_MS;
    const ceiling = Math.min(BACKOFF_MAX_MS, first * 2 ** this.#attempt);
    const delayMs = Math.max(0, this.#comeBackAt - now) + Math.random() * ceiling;
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#connect(), delayMs);
    this.#phase('waiting', { ...why, delayMs, attempt: this.#attempt });
  }

  /**
   * Browsers hide the server's WebSocket pings. So we ask ourselves: a ping at each interval, and a server that said
   * nothing at all for `timeoutMs` is taken for lost, whatever the socket believes.
   */
  #watch({ intervalMs, timeoutMs }) {
    clearTimeout(this.#watchdog);
    this.#heartbeat = setInterval(() => {
      if (performance.now() - this.#heardAt > timeoutMs) this.#lost(1006, true);
      else this.#send({ type: 'ping' });
    }, intervalMs);
    this.#heardAt = performance.now();
  }

  #expectWithin(ms) {
    this.#watchdog = setTimeout(() => this.#lost(1006, false), ms);
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** Lets go of the socket: a proper close where it still works, and deaf to it in any case. */
  #drop() {
    clearTimeout(this.#watchdog);
    clearInterval(this.#heartbeat);
    this.#socket?.close(1000);
    this.#socket = null;
  }

  #end(why) {
    if (this.#ended) return;
    this.#ended = true;
    removeEventListener('online', this.#online);
    clearTimeout(this.#retry);
    this.#joinedAt = 0;
    this.#drop();
    this.#phase('ended', why);
  }

  /**
   * connecting {attempt} · joined {} · waiting {reason, delayMs, attempt}: coming back by itself ·
   * ended {reason, error?}: not coming back ("left", "refused", "room_closed", a `bye`'s reason, or "code_…")
   */
  #phase(name, facts) {
    this.#emit('phase', { name, ...facts });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
