// The shell around the rules of core.ts: sockets, timers, promises and listeners.

import { Emitter } from '../emitter.ts';
import type { JoinedFrame, Meta, PermissionsFrame, ServerFrame, SignalKind, WelcomeFrame } from '../wire.generated.ts';
import { SignalingCore } from './core.ts';
import { DueTimer } from './due-timer.ts';
import type { Effect } from './effects.ts';
import { type Clock, elapsedTime, isHidden, machineClock, watchSurroundings } from './environment.ts';
import { localError, type SignalingError, written } from './error.ts';
import { type HeldIdentity, holdIdentity } from './identity.ts';
import { Metadata } from './metadata.ts';
import type { OtherRequest, SignalingEvents, SignalingOptions, SocketClass, TokenSource } from './options.ts';
import { Sockets, socketUrl } from './sockets.ts';
import type { State } from './state.ts';

type Step = (core: SignalingCore, now: number) => unknown;
type Act = (id: string, core: SignalingCore, now: number) => void;
interface Waiter {
  resolve(reply: ServerFrame | undefined): void;
  reject(error: SignalingError): void;
  /** Its failure is no event. */
  quiet?: boolean;
}

/** The close code of a session that goes on elsewhere. */
const SESSION_TAKEN = 4500;

/**
 * The connection to the server: one room, one session, and the way back after every loss. What is sent while there is no
 * connection waits for the next; what was on its way when one was lost arrives once and in order.
 *
 * @example
 * ```ts
 * const client = new SignalingClient({ url: 'wss://sb.example/ws', room: 'demo', meta: { name: 'Ada' } });
 * client.on('signal', ({ from, kind, data }) => console.log(from, kind, data));
 * await client.start();
 * await client.signal('*', 'app', { hello: 'everybody' });
 * await client.close();
 * ```
 */
export class SignalingClient {
  readonly #options: SignalingOptions;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #events = new Emitter<SignalingEvents>();
  readonly #waiters = new Map<string, Waiter>();
  readonly #sockets: Sockets;
  readonly #steps: Step[] = [];
  #core: SignalingCore | undefined;
  readonly #meta: Metadata;
  #token: TokenSource | undefined;
  #held: HeldIdentity | undefined;
  #unwatch: (() => void) | undefined;
  #started: Promise<JoinedFrame> | undefined;
  #begun: Waiter | undefined;
  #joined: JoinedFrame | undefined;
  #welcome: WelcomeFrame | undefined;
  #openedAt = 0;
  #connectMs: number | undefined;
  #state: State = { name: 'idle' };
  #stepping = false;
  #ids = 0;
  readonly #timer: DueTimer;

  constructor(options: SignalingOptions) {
    // As it is now; throws here and now, if it cannot be sent.
    this.#meta = new Metadata(options.meta && JSON.parse(JSON.stringify(options.meta)));
    this.#options = { ...options };
    this.#url = socketUrl(options.url, options.room);
    this.#token = options.token;
    this.#clock = options.clock ?? machineClock;
    this.#sockets = new Sockets(this.#clock);
    this.#now = elapsedTime(this.#clock);
    this.#timer = new DueTimer(this.#clock, this.#now, () => this.#run((core, now) => core.tick(now)));
  }

  /** How it is doing; event `state` tells each change. */
  get state(): State {
    return this.#state;
  }

  /** The latest `joined`, while the session goes on; its `peers` are those of that moment. */
  get joined(): JoinedFrame | undefined {
    return this.#joined;
  }

  /** The latest connection's `welcome`. */
  get welcome(): WelcomeFrame | undefined {
    return this.#welcome;
  }

  /** What the latest connection took to stand, from its begin to its `welcome`, in milliseconds. */
  get connectMs(): number | undefined {
    return this.#connectMs;
  }

  /**
   * Goes into the room, and comes back after every loss, until `close`. Resolves when it is in for the first time; rejects when
   * it is refused for good, or `signal` is triggered, which closes the client at any later time, too. While it runs, returns
   * the same promise.
   */
  start(signal?: AbortSignal): Promise<JoinedFrame> {
    if (signal?.aborted) return Promise.reject(localError('aborted', false, signal.reason));
    if (!this.#socketClass) {
      return Promise.reject(new TypeError("there is no WebSocket here: hand one in, as `import WebSocket from 'ws'` has it"));
    }
    this.#started ??= this.#begin(signal);
    return this.#started;
  }

  get #socketClass(): SocketClass | undefined {
    return this.#options.WebSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
  }

  #begin(signal: AbortSignal | undefined): Promise<JoinedFrame> {
    const { room, identity, replace, storage, wait = true, random = Math.random } = this.#options;
    if (identity === undefined) this.#held = holdIdentity(this.#url.replace(/[?&]room=[^&]*$/, ''), room, storage);
    this.#core = new SignalingCore({
      room,
      meta: this.#meta,
      identity: identity || this.#held?.identity,
      replace: replace ?? this.#held !== undefined,
      wait,
      token: this.#token === undefined ? 'none' : typeof this.#token === 'string' ? 'fixed' : 'renewable',
      random,
    });
    const abort = () => this.#end('aborted', localError('aborted', false, signal?.reason));
    signal?.addEventListener('abort', abort);
    const unwatch = watchSurroundings((kind) => this.#run((core, now) => core.nudge(kind, now)));
    this.#unwatch = () => {
      signal?.removeEventListener('abort', abort);
      unwatch();
    };
    const started = new Promise<JoinedFrame>((resolve, reject) => {
      this.#begun = { resolve: (reply) => resolve(reply as JoinedFrame), reject };
    });
    started.catch(() => {}); // the state tells, too
    this.#run((core, now) => core.start(now));
    return started;
  }

  /**
   * Leaves the room for good: the others see it at once. Resolves when no socket is open any more. What was not yet confirmed is
   * rejected with `closed`. Then it can be started anew.
   */
  async close(): Promise<void> {
    this.#end('left', localError('closed', false));
    await this.#sockets.settled();
  }

  #end(reason: string, error: SignalingError): void {
    this.#run((core) => core.end(reason, error));
  }

  /** Tries again now, without waiting for the end of the pause: for a button. */
  retryNow(): void {
    this.#run((core, now) => core.retryNow(now));
  }

  /**
   * Sends `data` (any JSON) to a peer, to a list of peers, or to all others (`'*'`). Resolves when the server has handled it,
   * some seconds later at most; rejects with `peer_not_found` or `peer_busy` (then `peers` says who did not get it), or because
   * it could not be sent. Who does not wait for it hears of a failure by the event `error`.
   */
  signal(to: string | readonly string[], kind: SignalKind, data: unknown): Promise<void> {
    return this.#done(this.request({ type: 'signal', to, kind, data: data === undefined ? null : data }));
  }

  /**
   * Sends any other request, as docs/protocol.md has it, if `welcome.features` names what it belongs to. Resolves with its answer;
   * without one, when the server has handled it. One that the session's end overtakes rejects with `session_lost`. That a `report` is refused
   * is no event `error`: it is about the application's troubles, and none of them.
   */
  request(frame: OtherRequest): Promise<ServerFrame | undefined> {
    const kind = frame.type === 'signal' && frame.kind === 'app' ? 'other' : 'negotiation';
    // The id is the client's own.
    const act =
      (json: string): Act =>
      (id, core, now) =>
        core.send({ id, json, kind }, now);
    return this.#write({ ...frame, id: undefined }, act, frame.type === 'report');
  }

  /**
   * Replaces what the others know of us: all of it, now and after every loss. What it rejects with says that it does not hold: what
   * was before it does (but for `reply_lost`: that nobody knows).
   */
  update(meta: Meta): Promise<void> {
    return this.#done(
      this.#write({ meta }, (json) => {
        const copy = JSON.parse(json).meta;
        return (id, core, now) => core.update(id, copy, now);
      }),
    );
  }

  /**
   * Renews what the session may, by another token of the same user; later joins use this one, too. Rejects with `token_failed` when the
   * function fails, does not answer within 10 s, or another `setToken` comes before its answer.
   */
  setToken(token: TokenSource): Promise<PermissionsFrame | undefined> {
    this.#token = token;
    const text = typeof token === 'string' ? token : undefined;
    return this.#request((id, core, now) => core.setToken(id, text, now)) as Promise<PermissionsFrame | undefined>;
  }

  /** The round trip to the server and back, in milliseconds. */
  ping(): Promise<number> {
    const began = this.#clock.steady();
    const answered = this.#request((id, core, now) => core.ping(id, now));
    return this.#unobserved(answered.then(() => this.#clock.steady() - began));
  }

  /** Calls `listener` at each such event. Returns what ends that. */
  on<K extends keyof SignalingEvents>(type: K, listener: (detail: SignalingEvents[K]) => void): () => void {
    return this.#events.on(type, listener);
  }

  /** Calls `listener` at the next such event only. */
  once<K extends keyof SignalingEvents>(type: K, listener: (detail: SignalingEvents[K]) => void): () => void {
    return this.#events.once(type, listener);
  }

  /** A request whose JSON is made at once: whoever asks may go on to change what it is made of. */
  #write(frame: object, act: (json: string) => Act, quiet?: boolean): Promise<ServerFrame | undefined> {
    const json = written(frame);
    return typeof json === 'string' ? this.#request(act(json), quiet) : this.#unobserved(Promise.reject(json));
  }

  #request(act: Act, quiet = false): Promise<ServerFrame | undefined> {
    if (!this.#core) return this.#unobserved(Promise.reject(localError('closed', false)));
    const id = String(++this.#ids);
    const promise = new Promise<ServerFrame | undefined>((resolve, reject) =>
      this.#waiters.set(id, { resolve, reject, quiet }),
    );
    this.#run((core, now) => act(id, core, now));
    return this.#unobserved(promise);
  }

  #done(promise: Promise<unknown>): Promise<void> {
    return this.#unobserved(promise.then(() => {}));
  }

  /** Who does not wait for it has the events; a program must not end because of it. */
  #unobserved<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {});
    return promise;
  }

  /** One step of the rules at a time: what a listener asks for comes after what it was told about. */
  #run(step: Step): void {
    this.#steps.push(step);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#steps.shift(); next; next = this.#steps.shift()) this.#step(next);
    } finally {
      this.#stepping = false;
    }
    this.#timer.set(this.#core?.dueAt ?? Infinity, this.#state.name === 'waiting');
  }

  /** Whatever fails in it, the next one finds the client in order. */
  #step(step: Step): void {
    const core = this.#core;
    if (!core) return;
    try {
      core.hidden = isHidden();
      step(core, this.#now());
    } catch (cause) {
      return this.#abandon(cause);
    }
    for (const effect of core.take()) {
      try {
        this.#perform(effect);
      } catch (cause) {
        if (effect.do !== 'write') return this.#abandon(cause);
        // Its socket is given up; a client that was closed and started anew meanwhile has others.
        this.#steps.push((now, at) => now === core && core.failed(effect.socket, cause, at));
      }
    }
  }

  /** The rules have failed, and nobody knows in what state they are: it ends without them. */
  #abandon(cause: unknown): void {
    this.#sockets.closeAll(1000);
    const error = localError('client_failed', false, cause);
    this.#events.emit('error', error);
    this.#changed({ name: 'closed', reason: 'failed', error });
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case 'open':
        return this.#open(effect.socket);
      case 'write':
        return this.#sockets.write(effect.socket, effect.text);
      case 'close':
        return this.#sockets.close(effect.socket, effect.code);
      case 'token':
        return void this.#askForToken(effect.ask);
      case 'frame':
        return this.#told(effect.frame);
      case 'settle':
        return this.#settle(effect.id, effect.error, effect.reply);
      case 'error':
        return this.#events.emit('error', effect.error);
      case 'state':
        return this.#changed(effect.state);
    }
  }

  #told(frame: ServerFrame): void {
    if (frame.type === 'welcome') {
      this.#welcome = frame;
      this.#connectMs = this.#now() - this.#openedAt;
    }
    if (frame.type === 'joined') {
      this.#joined = frame;
      this.#begun?.resolve(frame);
    }
    if (frame.type !== 'error') this.#events.emit(frame.type, frame as never);
    this.#events.emit('frame', frame);
  }

  #changed(state: State): void {
    this.#state = state;
    if (state.name === 'closed') {
      this.#unwatch?.();
      // Whoever has taken the session has the identity, too: it is theirs now.
      this.#held?.release(state.error.code !== 'session_taken' && state.reason !== `code_${SESSION_TAKEN}`);
      for (const waiter of this.#waiters.values()) waiter.reject(state.error);
      this.#waiters.clear();
      this.#begun?.reject(state.error);
      this.#core = this.#started = this.#begun = this.#held = this.#joined = undefined;
    }
    this.#events.emit('state', state);
  }

  #settle(id: string, error: SignalingError | undefined, reply: ServerFrame | undefined): void {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    if (!error) return waiter?.resolve(reply);
    waiter?.reject(error);
    if (!waiter?.quiet && error.code !== 'closed' && error.code !== 'aborted') this.#events.emit('error', error);
  }

  #open(number: number): void {
    const core = this.#core;
    // A client that was closed and started anew has other rules by then.
    const step = (act: Step) => {
      if (core === this.#core) this.#run(act);
    };
    this.#openedAt = this.#now();
    try {
      // `start` has looked whether there is a class.
      this.#sockets.open(number, this.#socketClass as SocketClass, this.#url, {
        opened: () => step((core) => core.opened(number)),
        frame: (frame) => step((core, now) => this.#hear(core, number, frame, now)),
        closed: (code) => step((core, now) => core.closed(number, code, now)),
      });
    } catch (cause) {
      return this.#end('refused', localError('socket_failed', false, cause));
    }
  }

  /** A server that breaks the rules costs a connection, not the client. */
  #hear(core: SignalingCore, socket: number, frame: ServerFrame, now: number): void {
    try {
      core.frame(socket, frame, now);
    } catch (cause) {
      core.failed(socket, cause, now);
    }
  }

  async #askForToken(ask: number): Promise<void> {
    const core = this.#core;
    let token: string | undefined;
    let failure: unknown;
    try {
      token = typeof this.#token === 'function' ? await this.#token() : this.#token;
    } catch (error) {
      failure = error;
    }
    if (core === this.#core) this.#run((core, now) => core.token(ask, token, failure, now));
  }
}
