// The rules of the connection: what comes in (frames, ends of sockets, the time, the network's news) and what is to be done
// about it. Without sockets, timers and promises, so that it can be tested by the million; `client.ts` is the shell around it.

import type {
  ByeFrame,
  ErrorCategory,
  ErrorFrame,
  JoinedFrame,
  JoinRequest,
  Limits,
  Meta,
  ServerFrame,
  WelcomeFrame,
} from '../wire.generated.ts';
import { type LocalErrorCode, localError, SignalingError } from './error.ts';
import { LATE_MS, Liveness } from './liveness.ts';
import type { Metadata } from './metadata.ts';
import { type Outgoing, QUEUE_MESSAGES, ResumeBuffer } from './resume-buffer.ts';
import type { State } from './state.ts';

// Reconnection: exponential back-off with full jitter ("Coming back" in docs/protocol.md). A connection that ended without a
// word may be that of a server that died with ten thousand others: they must not all knock in the same second.
const BACKOFF_FIRST_MS = 500;
const BACKOFF_FIRST_WORDLESS_MS = 4_000;
const BACKOFF_MAX_MS = 30_000;
/** A shorter time in the room does not begin the count anew. */
const STABLE_MS = 5_000;
/** News about the network come in bursts: between two attempts that they cause there is at least this. */
const NUDGE_MS = 1_000;
/** An attempt that brought no answer by then has failed. */
const CONNECT_TIMEOUT_MS = 10_000;
/** One that is older than this when the network comes back was begun on the old one. */
const STUCK_MS = 3_000;
/** After the last frame, the server is told within this time that it may forget it. */
const ACK_WITHIN_MS = 5_000;
/** Those who wait for a seat don't ask for it in the same moment. */
const ASK_AGAIN_SPREAD_MS = 500;
/** So long before its end a token is renewed. The server says so, too. */
const RENEW_BEFORE_MS = 60_000;
/** When that failed, it is tried again after this. */
const RENEW_AGAIN_MS = 10_000;

/** 1000 ends a session for good, any other code of ours leaves it to be resumed. */
const CLOSE_FOR_GOOD = 1000;
const CLOSE_TO_RESUME = 4100;
/** The time of the token is over: another one lets us in again. */
const TOKEN_EXPIRED = 4502;

/** Close codes after which the same client would only fail again: our own mistakes, and 4500–4999 by agreement. */
const isFinal = (code: number): boolean => [1002, 1003, 1007, 1009].includes(code) || (code >= 4500 && code <= 4999);

/** What kind of trouble an ending is that is for good. The others are our own mistakes. */
const CATEGORIES: { [reason: string]: ErrorCategory } = {
  session_taken: 'SESSION',
  token_expired: 'AUTH',
  kicked: 'AUTH',
};

export interface CoreOptions {
  room: string;
  meta: Metadata;
  identity: string | undefined;
  /** Whether nobody else has that identity. */
  replace: boolean;
  /** Whether a first join that is refused for a reason that passes is tried again. */
  wait: boolean;
  /** `fixed`: there is one. `renewable`: there is always another one. */
  token: 'none' | 'fixed' | 'renewable';
  /** From 0 to 1, evenly. */
  random(): number;
}

/** What is to be done, in this order. Sockets have numbers. */
export type Effect =
  | { do: 'open'; socket: number }
  | { do: 'write'; socket: number; text: string }
  | { do: 'close'; socket: number; code: number }
  /** Get a token; `token` takes the answer, with this number. */
  | { do: 'token'; ask: number }
  /** A frame of the server's has come. */
  | { do: 'frame'; frame: ServerFrame }
  | { do: 'state'; state: State }
  /** What became of a request. */
  | { do: 'settle'; id: string; error?: SignalingError; reply?: ServerFrame }
  /** A trouble that no request has. */
  | { do: 'error'; error: SignalingError };

/** News of the machine: its network is back, somebody looks at the page, or it goes on after a pause. */
export type Nudge = 'online' | 'other';

/** `now` in milliseconds, of a clock that never goes back and counts the time that the machine was asleep. */
export class SignalingCore {
  /** Whether nobody looks at this page. Hidden pages come in numbers, and their timers fire in the same moment. */
  hidden = false;
  readonly #options: CoreOptions;
  readonly #buffer: ResumeBuffer = new ResumeBuffer((id, error) => this.#settle(id, error));
  #out: Effect[] = [];
  #phase: 'off' | 'waiting' | 'opening' | 'joining' | 'queued' | 'joined' = 'off';
  #dueAt = Infinity; // when the phase is over: the attempt has failed, or it is time to try again
  #excused = false; // the phase's timer came late once, and has got as much time again
  #spreadMs = BACKOFF_FIRST_WORDLESS_MS;
  #sockets = 0; // opened so far
  #socket = 0; // the current one's number; 0: none
  #former = 0; // whose session the current one takes over, until it has
  #opened = false;
  #attempt = 0; // reconnections since the connection was last stable; the server counts them
  #refusals = 0; // in a row, without a time to wait for
  #connectingSince = 0;
  #triedAt = -Infinity;
  #joinedAt = -1; // -1: not in the room
  #comeBackAt = 0; // from a `bye`: the earliest time the server wants to see us again
  #bye: ByeFrame | undefined;
  #welcome: WelcomeFrame | undefined; // of this connection
  #limits: Limits | undefined; // of the latest
  #liveness: Liveness | undefined;
  #ackAt = Infinity;
  #pings: string[] = []; // requests that wait for a `pong`
  #token: string | undefined;
  #tokenFor: 'join' | 'renewal' | undefined;
  #asks = 0; // how often a token was asked for
  #asking = 0; // the number of that which waits for its answer; 0: none
  #askDueAt = Infinity; // when that is given up
  #askExcused = false; // its timer came late once, and has got as much time again
  #formerAsks = 0; // so many were put to a source that was replaced
  #setting: string | undefined; // the request that waits for a token of the new source
  #tokenRefused = false; // on this connection
  #renewAt = Infinity;
  #renewals = 0;
  #resuming = false; // the join that waits for its answer takes a session over

  constructor(options: CoreOptions) {
    this.#options = options;
  }

  /** What is to be done since this was asked last. */
  take(): Effect[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  /** When `tick` wants to be called next. */
  get dueAt(): number {
    return Math.min(this.#dueAt, this.#ackAt, this.#renewAt, this.#askDueAt, this.#liveness?.dueAt ?? Infinity);
  }

  /** Goes into the room, and comes back after every loss, until `end`. */
  start(now: number): void {
    if (this.#phase !== 'off') return;
    this.#attempt = this.#refusals = this.#comeBackAt = 0;
    this.#connect(now);
  }

  /** Leaves for good. The others see it at once, because the socket closes properly. */
  end(reason: string, error: SignalingError): void {
    if (this.#phase === 'off') return;
    this.#phase = 'off';
    this.#joinedAt = -1;
    this.#buffer.end(error);
    this.#askOver(error);
    this.#drop();
    this.#close(this.#former, CLOSE_FOR_GOOD);
    this.#former = 0;
    this.#token = undefined;
    this.#state({ name: 'closed', reason, error });
  }

  /** Does not wait for the end of the back-off. */
  retryNow(now: number): void {
    if (this.#phase === 'waiting') this.#connect(now);
  }

  /** Sends a request that is counted, a signal or an update: `json` is the frame's, without `id`. */
  send(message: { id: string; json: string; kind: Outgoing['kind'] }, now: number): void {
    const { id, json, kind } = message;
    if (this.#phase === 'off') return this.#settle(id, localError('closed', false));
    const text = `${json.slice(0, -1)},"id":"${id}"}`;
    const refusal = this.#refusal(text);
    if (refusal) return this.#settle(id, refusal);
    if (this.#buffer.keep({ id, kind, text })) this.#write(text);
    this.#acknowledge(now);
  }

  /** Replaces what the others know of us, now and after every loss; unless it is refused, here or by the server. */
  update(id: string, meta: Meta, now: number): void {
    this.#options.meta.ask(id, meta);
    this.send({ id, json: JSON.stringify({ type: 'update', meta }), kind: 'meta' }, now);
  }

  /** Asks whether the server is there. */
  ping(id: string, now: number): void {
    if (this.#joinedAt < 0) return this.#settle(id, localError('connection_lost', true));
    if (this.#pings.length >= QUEUE_MESSAGES) return this.#settle(id, localError('queue_full', true));
    this.#pings.push(id);
    this.#ping(Math.floor(now), id);
  }

  /** A socket is open. */
  opened(socket: number): void {
    if (socket === this.#socket) this.#opened = true;
  }

  /** A socket has ended, or could not be opened. A handshake that failed shows no status to a page: 1006. */
  closed(socket: number, code: number, now: number): void {
    if (socket === this.#socket) this.#lost(code, now);
  }

  /** What a socket sends or is sent cannot be worked with: it is given up, and there will be another one. */
  failed(socket: number, cause: unknown, now: number): void {
    if (socket !== this.#socket) return;
    this.#out.push({ do: 'error', error: localError('client_failed', true, cause) });
    this.#lost(1006, now);
  }

  /** A frame has come. A socket that was given up may still speak; only the current one is listened to. */
  frame(socket: number, frame: ServerFrame, now: number): void {
    if (socket !== this.#socket) return;
    this.#liveness?.heard(frame.type, (frame as { t?: number }).t, now);
    const re = (frame as { re?: string }).re;
    if (frame.type === 'error' && re === 'join' && this.#phase === 'joining') return this.#refused(frame, now);
    this.#out.push({ do: 'frame', frame });
    if (frame.type === 'joined') this.#joined(frame, now);
    if (frame.type === 'pong') this.#buffer.ponged(frame.ack);
    if (re !== undefined) this.#answered(re, frame);
    else if (frame.type === 'error') this.#out.push({ do: 'error', error: new SignalingError(frame.code, frame) });
    this.#buffer.handled(frame.type);
    this.#react(frame, now);
    this.#acknowledge(now);
  }

  #react(frame: ServerFrame, now: number): void {
    switch (frame.type) {
      case 'welcome':
        this.#welcome = frame;
        this.#limits = frame.limits;
        this.#liveness = new Liveness(frame.heartbeat, now, (t) => this.#ping(t));
        return this.#join(now);
      case 'joined':
        return this.#renewIn(frame.expiresInMs, now);
      case 'permissions':
        // Unasked it says that the end is near.
        return this.#renewIn(frame.re === undefined ? 0 : frame.expiresInMs, now);
      case 'bye':
        // The close follows; a server that drains relays until then.
        this.#bye = frame;
        this.#comeBackAt = now + (frame.retryAfterMs ?? 0);
        return;
      case 'room_closed':
        // The connection is good: it joins again.
        this.#buffer.forget();
        this.#joinedAt = -1;
        return this.#queue(new SignalingError('room_closed', { category: 'ROOM_STATE', retryable: true }), now);
    }
  }

  /** What was asked for by the effect `token` is here: a token, or the reason why there is none. */
  token(ask: number, token: string | undefined, failure: unknown, now: number): void {
    if (ask <= this.#formerAsks) return;
    // A late token of an ask that was given up is as good, and a source may always be that slow; its failure was told already.
    if (token === undefined && ask !== this.#asking) return;
    this.#asking = 0;
    this.#askDueAt = Infinity;
    if (token === undefined) return this.#tokenFailed(failure, now);
    const wanted = this.#tokenFor;
    const id = this.#setting;
    this.#tokenFor = this.#setting = undefined;
    if (this.#joinedAt < 0) this.#token = token;
    if (id !== undefined) this.#sendToken(id, token, now);
    else if (wanted === 'renewal' && this.#joinedAt >= 0) this.#sendToken(`token-${++this.#renewals}`, token, now);
    if (wanted === 'join' && this.#phase === 'joining') this.#join(now);
  }

  /** From now on this one; without a token, there is always another one, to be asked for. The former source is not listened to. */
  setToken(id: string, token: string | undefined, now: number): void {
    if (this.#phase === 'off') return this.#settle(id, localError('closed', false));
    const joins = this.#tokenFor === 'join' && this.#phase === 'joining';
    this.#askOver(localError('token_failed', false, new Error('another token was set meanwhile')));
    this.#options.token = token === undefined ? 'renewable' : 'fixed';
    this.#token = token;
    this.#renewAt = Infinity;
    if (token === undefined) {
      this.#setting = id;
      return this.#askForToken(joins ? 'join' : 'renewal', now);
    }
    this.#sendToken(id, token, now);
    if (joins) this.#join(now);
  }

  /** Something has made the connection doubtful, or shows that it is worth trying again. */
  nudge(kind: Nudge, now: number): void {
    if (this.#phase === 'off') return;
    const connecting = this.#phase === 'opening' || this.#phase === 'joining';
    if (connecting && now - this.#connectingSince < STUCK_MS) return;
    if (connecting) this.#drop(); // it may be knocking where there is no door any more
    if (this.#socket) return this.#liveness?.probe(now);
    const early = now < this.#comeBackAt && kind !== 'online';
    if (early || now - this.#triedAt < NUDGE_MS) {
      if (connecting) this.#retryIn(this.#options.random() * BACKOFF_FIRST_WORDLESS_MS, now, 'unreachable');
    } else if (this.hidden) this.#retryIn(this.#options.random() * BACKOFF_FIRST_WORDLESS_MS, now, 'unreachable');
    else this.#connect(now);
  }

  /** Time has gone by. */
  tick(now: number): void {
    if (now >= this.#ackAt) this.#ping(Math.floor(now));
    if (now >= this.#renewAt) {
      this.#renewAt = Infinity;
      this.#askForToken('renewal', now);
    }
    if (now >= this.#askDueAt) this.#askDue(now);
    const liveness = this.#liveness;
    if (liveness && now >= liveness.dueAt) {
      const loss = liveness.tick(now);
      if (loss) return this.#silent(loss === 'urgent', now);
    }
    if (now >= this.#dueAt) this.#due(now);
  }

  #due(now: number): void {
    const late = now - this.#dueAt > LATE_MS && !this.#excused;
    if (this.#phase === 'queued') this.#join(now);
    else if (late) {
      // Whatever arrived meanwhile gets as much time again to be noticed. And where timers are held up, those of all tabs
      // come in the same second, and chance has chosen nothing: so it chooses once more.
      this.#excused = true;
      this.#dueAt = now + (this.#phase === 'waiting' ? this.#options.random() * this.#spreadMs : CONNECT_TIMEOUT_MS);
    } else if (this.#phase === 'waiting') this.#connect(now);
    else this.#lost(1006, now);
  }

  #connect(now: number): void {
    this.#bye = this.#welcome = undefined;
    this.#tokenRefused = this.#opened = false;
    this.#connectingSince = this.#triedAt = now;
    this.#socket = ++this.#sockets;
    this.#enter('opening', now + CONNECT_TIMEOUT_MS);
    this.#out.push({ do: 'open', socket: this.#socket });
    this.#state({ name: 'connecting', attempt: this.#attempt });
  }

  #speaks(feature: string): boolean {
    return this.#welcome?.features.includes(feature) ?? false;
  }

  /** The server has told its limits and its pace; we answer with who we are and where to. */
  #join(now: number): void {
    this.#enter('joining', now + CONNECT_TIMEOUT_MS);
    const { room, identity, replace, token, meta: metadata } = this.#options;
    const join: JoinRequest = { type: 'join', id: 'join', room };
    if (this.#attempt) join.attempt = this.#attempt;
    const resume = this.#speaks('resume') ? this.#buffer.resume : undefined;
    this.#resuming = resume !== undefined;
    metadata.join(!resume);
    if (resume) join.resume = resume;
    else {
      const tokens = token !== 'none' && this.#speaks('tokens');
      if (tokens && this.#token === undefined) return this.#askForToken('join', now);
      this.#buffer.forget();
      const meta = metadata.newest;
      if (meta) join.meta = meta;
      if (this.#speaks('resume')) join.resumable = true;
      // Nobody else has our identity: a session of the same that seems to be connected is one of ours, not missed yet.
      if (identity && this.#speaks('identity')) Object.assign(join, { identity, replace });
      if (tokens && this.#token) join.token = this.#token;
    }
    const text = JSON.stringify(join);
    const refusal = this.#refusal(text);
    if (!refusal) this.#write(text);
    else if (!this.#joinsWithout(refusal, now)) this.end('refused', refusal);
  }

  /** Metadata that the server has not yet accepted are not worth the stay: they are refused, and we join with those before. */
  #joinsWithout(error: SignalingError, now: number): boolean {
    const id = this.#options.meta.offered;
    if (id === undefined || error.retryable || error.category !== 'INVALID_MESSAGE') return false;
    this.#buffer.answered(id);
    this.#settle(id, error);
    this.#join(now);
    return true;
  }

  #joined(frame: JoinedFrame, now: number): void {
    this.#enter('joined', Infinity);
    this.#options.meta.joined();
    this.#refusals = 0;
    this.#joinedAt = now;
    if (this.#options.token === 'renewable') this.#token = undefined; // the next join deserves a fresh one
    this.#close(this.#former, CLOSE_TO_RESUME);
    this.#former = 0;
    for (const text of this.#buffer.joined(frame, (text) => this.#refusal(text))) this.#write(text);
    // Until something is sent, the server does not know that the token arrived; and the answer settles what was sent again.
    if (this.#buffer.resumable) this.#ping(Math.floor(now));
    this.#state({ name: 'joined', resumed: frame.complete === true });
  }

  #refused(frame: ErrorFrame, now: number): void {
    const error = new SignalingError(frame.code, frame);
    if (this.#resuming && (!error.retryable || error.code === 'room_closed')) {
      this.#buffer.forget(); // the session is gone, or its counts are of no use
      return this.#join(now);
    }
    const token = error.code === 'token_expired' || error.code === 'unauthorized';
    if (token && this.#options.token === 'renewable' && !this.#tokenRefused) {
      this.#tokenRefused = true;
      this.#token = undefined;
      return this.#join(now);
    }
    if (this.#joinsWithout(error, now)) return;
    const first = !this.#attempt && !this.#options.wait;
    // A ban may last for days: the connection would be closed meanwhile, and so each after it.
    if (!error.retryable || first || error.code === 'banned') return this.end('refused', error);
    this.#queue(error, now);
  }

  /** Asks again on this connection. A server that is going admits nobody: there `retryAfterMs` is the time until it closes it. */
  #queue(error: SignalingError, now: number): void {
    const { random } = this.#options;
    if (error.retryAfterMs === undefined) this.#refusals += 1;
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#refusals);
    const wait = (error.retryAfterMs ?? random() * ceiling) + random() * ASK_AGAIN_SPREAD_MS;
    const delayMs = error.code === 'server_draining' ? Infinity : wait;
    this.#enter('queued', now + delayMs);
    this.#state({ name: 'queued', error, delayMs });
  }

  #lost(code: number, now: number): void {
    const bye = this.#bye;
    const opened = this.#opened;
    this.#drop();
    if (bye?.action === 'disconnect' || isFinal(code)) {
      const reason = bye?.reason ?? `code_${code}`;
      const expired = bye?.reason === 'token_expired' || (!bye && code === TOKEN_EXPIRED);
      if (!expired || this.#options.token !== 'renewable') {
        return this.end(reason, new SignalingError(reason, { category: CATEGORIES[reason] ?? 'WS_ERROR', retryable: false }));
      }
      this.#buffer.forget();
    }
    this.#retry(opened ? (bye?.reason ?? 'disconnected') : 'unreachable', now, !bye && code === 1006);
  }

  /** A ping stayed unanswered. The path may be gone and the server not know it: a new socket takes the session over. */
  #silent(urgent: boolean, now: number): void {
    if (this.#joinedAt < 0 || this.#bye?.action === 'disconnect') return this.#lost(1006, now);
    const takesOver = this.#buffer.resumable;
    if (takesOver) {
      this.#close(this.#former, CLOSE_TO_RESUME);
      this.#former = this.#socket;
      this.#socket = 0;
    }
    this.#drop();
    this.#retry('silent', now, true, takesOver && urgent && !this.hidden);
  }

  /** `atOnce`: unless the last stay was short. */
  #retry(reason: string, now: number, wordless: boolean, atOnce = false): void {
    if (this.#joinedAt >= 0 && now - this.#joinedAt > STABLE_MS) this.#attempt = 0;
    this.#joinedAt = -1;
    const first = wordless ? BACKOFF_FIRST_WORDLESS_MS : BACKOFF_FIRST_MS;
    const ceiling = Math.min(BACKOFF_MAX_MS, first * 2 ** this.#attempt);
    this.#attempt += 1;
    if (atOnce && this.#attempt === 1) return this.#connect(now);
    this.#spreadMs = Math.max(ceiling, BACKOFF_FIRST_WORDLESS_MS);
    this.#retryIn(Math.max(0, this.#comeBackAt - now) + this.#options.random() * ceiling, now, reason);
  }

  #retryIn(delayMs: number, now: number, reason: string): void {
    this.#enter('waiting', now + delayMs);
    this.#state({ name: 'waiting', reason, delayMs, attempt: this.#attempt });
  }

  #renewIn(expiresInMs: number | undefined, now: number): void {
    if (expiresInMs === undefined || this.#options.token !== 'renewable') return;
    this.#renewAt = now + Math.max(expiresInMs - RENEW_BEFORE_MS, expiresInMs / 2);
  }

  #sendToken(id: string, token: string, now: number): void {
    this.send({ id, json: JSON.stringify({ type: 'update', token }), kind: 'negotiation' }, now);
  }

  #tokenFailed(failure: unknown, now: number): void {
    const error = failure instanceof SignalingError ? failure : localError('token_failed', true, failure);
    const wanted = this.#tokenFor;
    const id = this.#setting;
    this.#tokenFor = this.#setting = undefined;
    if (id === undefined) this.#out.push({ do: 'error', error });
    else this.#settle(id, error);
    if (wanted === 'renewal') this.#renewAt = now + RENEW_AGAIN_MS;
    else if (wanted && this.#phase === 'joining') {
      if (error.retryable) this.#queue(error, now);
      else this.end('refused', error);
    }
  }

  /** One at a time: a slow answer serves the next connection, too. */
  #askForToken(why: 'join' | 'renewal', now: number): void {
    this.#tokenFor = why;
    if (this.#asking) return;
    this.#asking = ++this.#asks;
    this.#askDueAt = now + CONNECT_TIMEOUT_MS;
    this.#askExcused = false;
    this.#out.push({ do: 'token', ask: this.#asking });
  }

  /** No answer came. */
  #askDue(now: number): void {
    if (now - this.#askDueAt > LATE_MS && !this.#askExcused) {
      this.#askExcused = true;
      this.#askDueAt = now + CONNECT_TIMEOUT_MS;
    } else this.token(this.#asking, undefined, new Error(`no answer within ${CONNECT_TIMEOUT_MS} ms`), now);
  }

  /** Nothing that was asked so far is listened to. */
  #askOver(error: SignalingError): void {
    this.#formerAsks = this.#asks;
    this.#asking = 0;
    this.#askDueAt = Infinity;
    if (this.#setting !== undefined) this.#settle(this.#setting, error);
    this.#tokenFor = this.#setting = undefined;
  }

  #answered(re: string, frame: ServerFrame): void {
    this.#pings = this.#pings.filter((id) => id !== re);
    this.#buffer.answered(re);
    if (frame.type !== 'error') {
      this.#options.meta.accept(re);
      this.#out.push({ do: 'settle', id: re, reply: frame });
    } else this.#settle(re, new SignalingError(frame.code, frame));
  }

  #ping(t: number, id?: string): void {
    this.#ackAt = Infinity;
    this.#write(JSON.stringify({ type: 'ping', id, t, ack: this.#buffer.acknowledge() }));
  }

  /** Tells the server what we have handled: now and then, and soon after the last frame. */
  #acknowledge(now: number): void {
    if (this.#buffer.ackDue) this.#ping(Math.floor(now));
    else if (this.#buffer.acks && this.#ackAt === Infinity) this.#ackAt = now + ACK_WITHIN_MS;
  }

  /** A message that is too long would end the connection, so it is not sent. */
  #refusal(text: string): SignalingError | undefined {
    const most = this.#limits?.frameBytes ?? Infinity;
    if (text.length * 3 <= most || new TextEncoder().encode(text).length <= most) return undefined;
    const message = `longer than limits.frameBytes, which is ${most}`;
    return new SignalingError('message_too_large', { category: 'INVALID_MESSAGE', retryable: false, message });
  }

  /** Lets go of the socket, and is deaf to it from now on. What can be resumed is not closed for good. */
  #drop(): void {
    this.#liveness = undefined;
    this.#dueAt = this.#ackAt = this.#renewAt = Infinity;
    this.#close(this.#socket, this.#phase !== 'off' && this.#buffer.resumable ? CLOSE_TO_RESUME : CLOSE_FOR_GOOD);
    this.#socket = 0;
    const lost: LocalErrorCode = this.#phase === 'off' ? 'closed' : 'connection_lost';
    for (const id of this.#pings.splice(0)) this.#settle(id, localError(lost, true));
    this.#buffer.lost();
  }

  #enter(phase: 'waiting' | 'opening' | 'joining' | 'queued' | 'joined', dueAt: number): void {
    this.#phase = phase;
    this.#dueAt = dueAt;
    this.#excused = false;
  }

  #close(socket: number, code: number): void {
    if (socket) this.#out.push({ do: 'close', socket, code });
  }

  #write(text: string): void {
    this.#out.push({ do: 'write', socket: this.#socket, text });
  }

  #settle(id: string, error?: SignalingError): void {
    // What the server has handled without our hearing its answer may well hold.
    if (error && error.code !== 'reply_lost') this.#options.meta.drop(id);
    this.#out.push(error ? { do: 'settle', id, error } : { do: 'settle', id });
  }

  #state(state: State): void {
    this.#out.push({ do: 'state', state });
  }
}
