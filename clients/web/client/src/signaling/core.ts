// The rules of the connection: what comes in (frames, ends of sockets, the time, the network's news) and what is to be done
// about it. Without sockets, timers and promises, so that it can be tested by the million; `client.ts` is the shell around it.

import type { ByeFrame, ErrorFrame, JoinedFrame, Meta, ServerFrame, WelcomeFrame } from '../wire.generated.ts';
import { ASK_AGAIN_SPREAD_MS, BACKOFF_FIRST_MS, BACKOFF_FIRST_WORDLESS_MS, ceilingOf, STABLE_MS } from './backoff.ts';
import { type CoreOptions, type Effect, type Nudge, Outbox } from './effects.ts';
import { CLOSE_FOR_GOOD, CLOSE_TO_RESUME, finalEnd } from './endings.ts';
import { type LocalErrorCode, localError, SignalingError, tooLong } from './error.ts';
import { joinText } from './join.ts';
import { LATE_MS, Liveness } from './liveness.ts';
import { ACK_LAST_MS, ACK_WITHIN_MS, type Outgoing, QUEUE_MESSAGES, ResumeBuffer } from './resume-buffer.ts';
import { type TokenPhase, Tokens } from './tokens.ts';

/** News about the network come in bursts: between two attempts that they cause there is at least this. */
const NUDGE_MS = 1_000;
/** An attempt that brought no answer by then has failed. */
const CONNECT_TIMEOUT_MS = 10_000;
/** One that is older than this when the network comes back was begun on the old one. */
const STUCK_MS = 3_000;
/** `now` in milliseconds, of a clock that never goes back and counts the time that the machine was asleep. */
export class SignalingCore {
  /** Whether nobody looks at this page. Hidden pages come in numbers, and their timers fire in the same moment. */
  hidden = false;
  readonly #options: CoreOptions;
  readonly #buffer: ResumeBuffer = new ResumeBuffer((id, error) => this.#settle(id, error));
  readonly #tokens: Tokens;
  readonly #out = new Outbox();
  #phase: 'off' | 'waiting' | 'opening' | 'joining' | 'queued' | 'joined' = 'off';
  #dueAt = Infinity; // when the phase is over: the attempt has failed, or it is time to try again
  #spreadMs: number = BACKOFF_FIRST_WORDLESS_MS;
  #excused = false; // the phase's timer came late once, and has got as much time again
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
  #frameBytes = Infinity; // that a message may have, as the latest says
  #liveness: Liveness | undefined;
  #ackAt = Infinity;
  #pings: string[] = []; // requests that wait for a `pong`
  #resuming = false; // the join that waits for its answer takes a session over

  constructor(options: CoreOptions) {
    this.#options = options;
    this.#tokens = new Tokens(
      options.token,
      this.#out,
      (now) => this.#join(now),
      (error, now) => (error.retryable ? this.#queue(error, now) : this.end('refused', error)),
      (id, token, now) => this.send({ id, json: JSON.stringify({ type: 'update', token }), kind: 'negotiation' }, now),
    );
  }

  /** What is to be done since this was asked last. */
  take(): Effect[] {
    return this.#out.take();
  }

  /** When `tick` wants to be called next. */
  get dueAt(): number {
    return Math.min(this.#dueAt, this.#ackAt, this.#tokens.dueAt, this.#liveness?.dueAt ?? Infinity);
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
    this.#tokens.over(error);
    this.#drop();
    this.#out.close(this.#former, CLOSE_FOR_GOOD);
    this.#former = 0;
    this.#tokens.token = undefined;
    this.#out.state({ name: 'closed', reason, error });
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
    const refusal = tooLong(text, this.#frameBytes);
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
    this.#ping(now, id);
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
    this.#out.error(localError('client_failed', true, cause));
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
    else if (frame.type === 'error') this.#out.error(new SignalingError(frame.code, frame));
    this.#buffer.handled(frame.type);
    this.#react(frame, now);
    this.#acknowledge(now);
  }

  #react(frame: ServerFrame, now: number): void {
    switch (frame.type) {
      case 'welcome':
        this.#welcome = frame;
        this.#frameBytes = frame.limits?.frameBytes ?? Infinity;
        this.#liveness = new Liveness(frame.heartbeat, now, (t) => this.#ping(t));
        return this.#join(now);
      case 'joined':
        return this.#tokens.expires(frame.expiresInMs, now);
      case 'permissions':
        // Unasked it says that the end is near.
        return this.#tokens.expires(frame.re === undefined ? 0 : frame.expiresInMs, now);
      case 'bye':
        // The close follows; a server that drains relays until then.
        this.#bye = frame;
        this.#comeBackAt = now + (frame.retryAfterMs ?? 0);
        // Whatever is confirmed by then is not taken for lost with the session.
        if (this.#buffer.acks) this.#ping(now);
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
    this.#tokens.came(ask, token, failure, this.#tokenPhase, now);
  }

  /** From now on this one; without a token, there is always another one, to be asked for. */
  setToken(id: string, token: string | undefined, now: number): void {
    if (this.#phase === 'off') this.#settle(id, localError('closed', false));
    else this.#tokens.set(id, token, this.#tokenPhase, now);
  }

  get #tokenPhase(): TokenPhase {
    return this.#joinedAt >= 0 ? 'joined' : this.#phase === 'joining' ? 'joining' : '';
  }

  /** Something has made the connection doubtful, or shows that it is worth trying again. */
  nudge(kind: Nudge, now: number): void {
    if (this.#phase === 'off') return;
    const connecting = this.#phase === 'opening' || this.#phase === 'joining';
    if (connecting && now - this.#connectingSince < STUCK_MS) return;
    if (connecting) this.#drop(); // it may be knocking where there is no door any more
    if (this.#socket) return this.#liveness?.probe(now);
    const early = now < this.#comeBackAt && kind !== 'online';
    const soon = early || now - this.#triedAt < NUDGE_MS;
    const spreads = soon ? connecting : this.hidden;
    if (spreads) this.#retryIn(this.#options.random() * BACKOFF_FIRST_WORDLESS_MS, now, 'unreachable');
    else if (!soon) this.#connect(now);
  }

  /** Time has gone by. */
  tick(now: number): void {
    if (now >= this.#ackAt) this.#ping(now);
    this.#tokens.tick(this.#tokenPhase, now);
    const liveness = this.#liveness;
    const loss = liveness && now >= liveness.dueAt ? liveness.tick(now) : undefined;
    if (loss) return this.#silent(loss === 'urgent', now);
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
    this.#tokens.refused = this.#opened = false;
    this.#connectingSince = this.#triedAt = now;
    this.#socket = ++this.#sockets;
    this.#enter('opening', now + CONNECT_TIMEOUT_MS);
    this.#out.push({ do: 'open', socket: this.#socket });
    this.#out.state({ name: 'connecting', attempt: this.#attempt });
  }

  /** The server has told its limits and its pace; we answer with who we are and where to. */
  #join(now: number): void {
    this.#enter('joining', now + CONNECT_TIMEOUT_MS);
    const { meta } = this.#options;
    const given = this.#tokens;
    const speaks = (feature: string) => this.#welcome?.features.includes(feature) ?? false;
    const resume = speaks('resume') ? this.#buffer.resume : undefined;
    const tokens = !resume && given.kind !== 'none' && speaks('tokens');
    this.#resuming = resume !== undefined;
    meta.join(!resume);
    if (tokens && given.token === undefined) return given.ask('join', now);
    if (!resume) this.#buffer.forget();
    const text = joinText(this.#options, this.#attempt, speaks, resume, meta.newest, tokens ? given.token : undefined);
    const refusal = tooLong(text, this.#frameBytes);
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
    if (this.#tokens.kind === 'renewable') this.#tokens.token = undefined; // the next join deserves a fresh one
    this.#out.close(this.#former, CLOSE_TO_RESUME);
    this.#former = 0;
    for (const text of this.#buffer.joined(frame, (text) => tooLong(text, this.#frameBytes))) this.#write(text);
    // Until something is sent, the server does not know that the token arrived; and the answer settles what was sent again.
    if (this.#buffer.resumable) this.#ping(now);
    this.#out.state({ name: 'joined', resumed: frame.complete === true });
  }

  #refused(frame: ErrorFrame, now: number): void {
    const error = new SignalingError(frame.code, frame);
    if (this.#resuming && (!error.retryable || error.code === 'room_closed')) {
      this.#buffer.forget(); // the session is gone, or its counts are of no use
      return this.#join(now);
    }
    const token = error.code === 'token_expired' || error.code === 'unauthorized';
    if (token && this.#tokens.kind === 'renewable' && !this.#tokens.refused) {
      this.#tokens.refused = true;
      this.#tokens.token = undefined;
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
    const pause = error.retryAfterMs ?? random() * ceilingOf(BACKOFF_FIRST_MS, this.#refusals);
    const delayMs = error.code === 'server_draining' ? Infinity : pause + random() * ASK_AGAIN_SPREAD_MS;
    this.#enter('queued', now + delayMs);
    this.#out.state({ name: 'queued', error, delayMs });
  }

  #lost(code: number, now: number): void {
    const bye = this.#bye;
    this.#drop();
    const end = finalEnd(bye, code);
    if (end && !(end.expired && this.#tokens.kind === 'renewable')) return this.end(end.error.code, end.error);
    if (end) this.#buffer.forget();
    this.#retry(this.#opened ? (bye?.reason ?? 'disconnected') : 'unreachable', now, !bye && code === 1006);
  }

  /** A ping stayed unanswered. The path may be gone and the server not know it: a new socket takes the session over. */
  #silent(urgent: boolean, now: number): void {
    if (this.#joinedAt < 0 || this.#bye?.action === 'disconnect') return this.#lost(1006, now);
    const takesOver = this.#buffer.resumable;
    if (takesOver) {
      this.#out.close(this.#former, CLOSE_TO_RESUME);
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
    const ceiling = ceilingOf(wordless ? BACKOFF_FIRST_WORDLESS_MS : BACKOFF_FIRST_MS, this.#attempt);
    this.#attempt += 1;
    if (atOnce && this.#attempt === 1) return this.#connect(now);
    this.#spreadMs = Math.max(ceiling, BACKOFF_FIRST_WORDLESS_MS);
    this.#retryIn(Math.max(0, this.#comeBackAt - now) + this.#options.random() * ceiling, now, reason);
  }

  #retryIn(delayMs: number, now: number, reason: string): void {
    this.#enter('waiting', now + delayMs);
    this.#out.state({ name: 'waiting', reason, delayMs, attempt: this.#attempt });
  }

  #answered(re: string, frame: ServerFrame): void {
    this.#pings = this.#pings.filter((id) => id !== re);
    this.#buffer.answered(re);
    if (frame.type !== 'error') {
      this.#options.meta.accept(re);
      this.#out.settle(re, undefined, frame);
    } else this.#settle(re, new SignalingError(frame.code, frame));
  }

  #ping(now: number, id?: string): void {
    this.#ackAt = Infinity;
    this.#write(JSON.stringify({ type: 'ping', id, t: Math.floor(now), ack: this.#buffer.acknowledge() }));
  }

  /** Tells the server what we have handled: now and then, and soon after the last frame. */
  #acknowledge(now: number): void {
    if (this.#buffer.ackDue) this.#ping(now);
    else if (this.#buffer.acks)
      this.#ackAt = Math.min(this.#ackAt, now + (now < this.#comeBackAt ? ACK_LAST_MS : ACK_WITHIN_MS));
  }

  /** Lets go of the socket, and is deaf to it from now on. What can be resumed is not closed for good. */
  #drop(): void {
    this.#liveness = undefined;
    this.#dueAt = this.#ackAt = this.#tokens.renewAt = Infinity;
    this.#out.close(this.#socket, this.#phase !== 'off' && this.#buffer.resumable ? CLOSE_TO_RESUME : CLOSE_FOR_GOOD);
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

  #write(text: string): void {
    this.#out.push({ do: 'write', socket: this.#socket, text });
  }

  #settle(id: string, error?: SignalingError): void {
    // What the server has handled without our hearing its answer may well hold.
    if (error && error.code !== 'reply_lost') this.#options.meta.drop(id);
    this.#out.settle(id, error);
  }
}
