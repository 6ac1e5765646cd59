// A server in memory, for tests of what is built on the client: as docs/protocol.md says, but for what takes a real one (see README).

import { type Clock, machineClock } from '../signaling/environment.ts';
import type { SocketClass } from '../signaling/options.ts';
import {
  END_REASONS,
  type EndReason,
  type ErrorCode,
  type IceServer,
  type LeaveReason,
  type Limits,
} from '../wire.generated.ts';
import { DEFAULT_LIMITS, errorFrame, whoOf } from './defaults.ts';
import { type Frame, readFrame } from './frames.ts';
import { Requests } from './requests.ts';
import { Room } from './room.ts';
import { Session } from './session.ts';
import { TestSocket } from './socket.ts';
import { type Grant, granted, permits, type TokenCheck } from './tokens.ts';

const RETRY_AFTER_MS = 5_000;

/** What a server in memory is like. */
export interface TestServerOptions {
  /** Its time: by default the machine's; a {@link TestClock} lets a test say when time passes. */
  clock?: Clock | undefined;
  /** Milliseconds that everything takes, each way. Default: 0. */
  latencyMs?: number | undefined;
  /** Changes to {@link DEFAULT_LIMITS}: `peersPerRoom` and `resumeWindowMs`, say. */
  limits?: Partial<Limits> | undefined;
  /** What tokens grant. Without it there are none, and everybody may all but moderate. */
  tokens?: TokenCheck | undefined;
  /** For `joined.iceServers`. Default: none. */
  iceServers?: IceServer[] | undefined;
}

/**
 * Many clients and rooms, and a network between them that does what the test wants.
 *
 * @example
 * ```ts
 * const server = new TestServer({ limits: { peersPerRoom: 2 } });
 * const client = new SignalingClient({ url: server.url, room: 'lobby', WebSocket: server.WebSocket });
 * await client.start();
 * server.cut();
 * ```
 */
export class TestServer {
  /** For the client's `url`; nothing is ever looked up. */
  readonly url: string = 'ws://switchboard.test/ws';
  /** Its time. */
  readonly clock: Clock;
  /** Milliseconds that everything takes, each way. */
  latencyMs: number;
  /** What clients are told, and held to as far as README.md says. */
  readonly limits: Limits;
  /** What `welcome.features` says. */
  features: string[] = ['resume', 'wait', 'identity', 'busy', 'ice', 'moderation', 'report'];
  /** What `joined.iceServers` says. */
  iceServers: IceServer[];
  /** New connections fail, as those to a server that is down. */
  refuses = false;
  /** New connections lead nowhere, and nobody is told. */
  swallows = false;
  /** Answers a request otherwise than usual: with an error frame, made by {@link errorFrame}. */
  judge: (frame: Frame) => Frame | undefined = () => undefined;
  /** All connections there have been. */
  readonly sockets: TestSocket[] = [];
  /** The rooms there are, by name. */
  readonly rooms: Map<string, Room> = new Map();
  /** What tokens grant. */
  readonly tokens: TokenCheck | undefined;
  readonly #requests = new Requests(this);
  #ids = 0;

  constructor({ clock = machineClock, latencyMs = 0, limits, tokens, iceServers = [] }: TestServerOptions = {}) {
    this.clock = clock;
    this.latencyMs = latencyMs;
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.tokens = tokens;
    this.iceServers = iceServers;
    if (tokens) this.features.push('tokens');
  }

  /** The class to hand to clients. */
  get WebSocket(): SocketClass {
    const server = this;
    return class extends TestSocket {
      constructor(url: string, protocols: string[]) {
        super(server, url);
        server.connect(this, protocols);
      }
    } as unknown as SocketClass;
  }

  /** The connections there are. */
  get openSockets(): TestSocket[] {
    return this.sockets.filter(({ open }) => open);
  }

  /** Those that are in rooms, away or not. */
  get sessions(): Session[] {
    return [...this.rooms.values()].flatMap(({ members }) => members);
  }

  /** @internal A client connects. */
  connect(socket: TestSocket, protocols: string[]): void {
    this.sockets.push(socket);
    socket.swallowed = this.swallows;
    if (socket.swallowed) return;
    this.clock.setTimeout(() => {
      if (!socket.open) return;
      if (this.refuses || !protocols.includes('switchboard.v1')) return socket.ended(1006);
      socket.opened();
      this.tell(socket, this.welcome());
    }, this.latencyMs);
  }

  /** What a connection is told first. For subclasses. */
  protected welcome(): Frame {
    const { features, limits } = this;
    const heartbeat = { intervalMs: 30_000, timeoutMs: 60_000 };
    return { type: 'welcome', session: this.newId(), version: '0.1.0', node: 'test', features, limits, heartbeat };
  }

  /** @internal */
  newId(): string {
    return String(++this.#ids).padStart(32, '0');
  }

  /** @internal */
  travels(socket: TestSocket, arrive: () => void): void {
    this.clock.setTimeout(() => {
      if (!socket.swallowed && socket.readyState !== 3) arrive();
    }, this.latencyMs);
  }

  /** Sends a frame on a connection, counted or not. */
  tell(socket: TestSocket, frame: Frame): void {
    this.travels(socket, () => socket.arrived(frame));
  }

  /** Sends a session a counted frame; it is kept until it is acknowledged. */
  post(session: Session, frame: Frame): void {
    session.count(frame, this.limits.resumeFrames);
    if (session.socket) this.tell(session.socket, frame);
  }

  /** Sends everybody in the room a frame, but for `except`. */
  announce(room: Room, frame: Frame, except?: Session): void {
    for (const member of room.members) if (member !== except) this.post(member, frame);
  }

  /** @internal */
  hears(socket: TestSocket, text: string): void {
    if (new TextEncoder().encode(text).length > this.limits.frameBytes) return this.dismiss(socket, 'message_too_large');
    const { frame, id, type, code, message } = readFrame(text, this.limits);
    const re = id === undefined ? {} : { re: id };
    const session = socket.session?.socket === socket ? socket.session : undefined;
    if (session && type !== 'join') {
      session.confirm();
      if (type !== 'ping') session.handled += 1;
    }
    const judged = frame && !(type === 'join' && session) ? this.judge(frame) : undefined;
    const error = frame ? (judged ?? this.does(socket, session, frame, re)) : errorFrame(code as ErrorCode, message);
    if (error) this.answer(socket, { ...error, ...re });
    if (error && error !== judged) this.refused(error, text);
  }

  /** For subclasses: a frame was refused by the rules. */
  protected refused(_error: Frame, _text: string): void {}

  /** Does what a frame asks for, or says why not. */
  protected does(socket: TestSocket, session: Session | undefined, frame: Frame, re: Frame): Frame | undefined {
    return frame['type'] === 'join' ? this.#join(socket, frame, re) : this.#requests.handle(socket, session, frame, re);
  }

  /** An answer counts in a session. */
  answer(socket: TestSocket, frame: Frame): void {
    if (socket.session?.socket === socket) this.post(socket.session, frame);
    else this.tell(socket, frame);
  }

  #join(socket: TestSocket, frame: Frame, re: Frame): Frame | undefined {
    if (socket.session?.socket === socket) return errorFrame('already_joined');
    if (frame['resume']) return this.#resume(socket, frame, re);
    const grant = this.grantFor(frame['token'], frame['room']);
    if (typeof grant === 'string') return errorFrame(grant);
    if (!permits(grant, 'join')) return errorFrame('permission_denied');
    const room = this.rooms.get(frame['room']) ?? new Room(frame['room']);
    const who = this.features.includes('identity') && frame['identity'] ? whoOf(frame['identity'], room.name) : undefined;
    const replaced = room.replacedBy(who, frame['replace'] ?? false);
    const refused = this.#refusal(room, who, grant, replaced);
    if (refused) return refused;
    for (const session of replaced) this.end(session, 'replaced', 'session_taken');
    this.rooms.set(room.name, room);
    const resumable = (frame['resumable'] ?? false) && this.features.includes('resume');
    const session = new Session({
      id: socket.peerId ?? this.newId(),
      room,
      who,
      resumable,
      meta: granted(grant, frame['meta']),
      grant,
    });
    const last = replaced.at(-1);
    this.announce(room, { type: 'peer_joined', ...session.profile, polite: false, ...(last && { replaces: last.id }) });
    room.members.push(session);
    this.admit(session, socket, { ...re, peers: room.peersFor(session), ...(room.locked && { locked: true }) });
    return undefined;
  }

  #refusal(room: Room, who: string | undefined, grant: Grant, replaced: Session[]): Frame | undefined {
    const now = this.clock.wall();
    const until = room.bannedUntil(who, grant.user, now);
    if (until > 0) return errorFrame('banned', undefined, { retryAfterMs: until - now });
    if (room.locked && replaced.length === 0) return errorFrame('room_locked', undefined, { retryAfterMs: RETRY_AFTER_MS });
    const most = Math.min(this.limits.peersPerRoom, grant.cap ?? Infinity);
    const full = room.members.length - replaced.length >= most;
    return full ? errorFrame('room_full', undefined, { retryAfterMs: RETRY_AFTER_MS }) : undefined;
  }

  /** What a token grants; a code where it is refused. */
  grantFor(token: string | undefined, room: string): Grant | ErrorCode {
    return this.tokens ? this.tokens(token, room) : {};
  }

  #resume(socket: TestSocket, frame: Frame, re: Frame): Frame | undefined {
    const { token, ack } = frame['resume'];
    const session = this.rooms.get(frame['room'])?.members.find((member) => member.knows(token));
    if (!session) return errorFrame('session_not_found');
    const grant = frame['token'] === undefined ? session.grant : this.grantFor(frame['token'], frame['room']);
    if (typeof grant === 'string') return errorFrame(grant);
    const resumed = session.resume(token, ack);
    if (!resumed) return errorFrame('invalid_message', 'ack is none that this session can have');
    session.grant = grant;
    const former = session.socket;
    if (former) this.dismiss(former, 'session_taken');
    else this.announce(session.room, { type: 'peer_back', id: session.id }, session);
    this.clock.clearTimeout(session.timer);
    this.admit(session, socket, { ...re, ...resumed, ...(!resumed.complete && { peers: session.room.peersFor(session) }) });
    for (const { frame: kept } of session.buffer) this.tell(socket, kept);
    return undefined;
  }

  /** Lets a session in on that connection. For subclasses. */
  protected admit(session: Session, socket: TestSocket, facts: Frame): void {
    session.socket = socket;
    socket.session = session;
    socket.peerId = session.id;
    const { room, grant, resumable } = session;
    const { permissions, expiresInMs } = grant;
    const { resumeWindowMs: windowMs, peersPerRoom } = this.limits;
    this.tell(socket, {
      type: 'joined',
      self: session.profile,
      room: room.name,
      capacity: Math.min(peersPerRoom, grant.cap ?? Infinity),
      iceServers: this.iceServers,
      ...(permissions && { permissions }),
      ...(expiresInMs !== undefined && { expiresInMs }),
      ...(resumable && { resume: { token: session.issue(`${session.id}.${this.newId()}`), windowMs } }),
      ...facts,
    });
  }

  /** @internal */
  closes(socket: TestSocket, code: number): void {
    this.travels(socket, () => {
      const { session } = socket;
      if (session?.socket !== socket) return;
      // By these a browser says that it has left; one that had not heard of its session has lost what was sent to it.
      if ([1000, 1001, 1005].includes(code)) this.end(session, 'left');
      else this.park(session);
    });
    this.clock.setTimeout(() => socket.ended(code), this.latencyMs * 2);
  }

  /** Its connection is lost: it is kept for a while, if it can be resumed. */
  park(session: Session): void {
    session.socket = undefined;
    if (!session.confirmed || !session.resumable) return this.end(session, 'disconnected');
    session.until = this.clock.wall() + this.limits.resumeWindowMs;
    session.timer = this.clock.setTimeout(() => this.end(session, 'timeout'), this.limits.resumeWindowMs);
    this.announce(session.room, { type: 'peer_away', id: session.id, until: session.until }, session);
  }

  /** It is over; the others hear why. With `bye`, its client hears of that. */
  end(session: Session, reason: LeaveReason, bye?: EndReason, message?: string): void {
    const { room, socket } = session;
    const at = room.members.indexOf(session);
    if (at < 0) return;
    room.members.splice(at, 1);
    this.clock.clearTimeout(session.timer);
    session.socket = undefined;
    if (socket) socket.session = undefined;
    this.announce(room, { type: 'peer_left', id: session.id, reason });
    if (room.members.length === 0 && !room.locked && room.bans === 0) this.rooms.delete(room.name);
    if (socket && bye) this.dismiss(socket, bye, message);
  }

  /** Says why, and closes. What of its session remains is parked. */
  dismiss(socket: TestSocket, reason: EndReason, message?: string): void {
    const { closeCode, action, others } = END_REASONS[reason];
    const session = socket.session?.socket === socket ? socket.session : undefined;
    if (session && reason !== 'session_taken') {
      if (action === 'disconnect') this.end(session, others);
      else this.park(session);
    }
    this.tell(socket, { type: 'bye', reason, action, retryAfterMs: 0, ...(message !== undefined && { message }) });
    this.travels(socket, () => socket.ended(closeCode ?? 1006));
  }

  /** Resets connections, by default all: both ends notice. */
  cut(which: (session: Session | undefined) => boolean = () => true): void {
    for (const socket of this.openSockets) {
      const session = socket.session?.socket === socket ? socket.session : undefined;
      if (!which(session)) continue;
      if (session) this.park(session);
      socket.ended(1006);
    }
  }

  /** From now on nothing comes through, and nobody is told. */
  swallow(which: (session: Session | undefined) => boolean = () => true): void {
    for (const socket of this.openSockets) if (which(socket.session)) socket.swallowed = true;
  }

  /** What sessions have not acknowledged is lost: their next resume is not complete. */
  loseBuffers(): void {
    for (const session of this.sessions) if (session.buffer.length > 0) session.gap = true;
  }

  /** As a crash: sessions, rooms and connections are gone at once. */
  restart(): void {
    for (const session of this.sessions) this.clock.clearTimeout(session.timer);
    this.rooms.clear();
    for (const socket of this.openSockets) socket.ended(1006);
  }

  /** As a shutdown with notice: everybody is told, and relayed for, for so many milliseconds. Then it restarts. */
  drain(ms: number): void {
    const bye = { type: 'bye', reason: 'server_draining', action: 'reconnect', retryAfterMs: ms };
    for (const socket of this.openSockets) this.tell(socket, bye);
    this.clock.setTimeout(() => {
      for (const session of this.sessions) this.clock.clearTimeout(session.timer);
      this.rooms.clear();
      for (const socket of this.openSockets) socket.ended(END_REASONS.server_draining.closeCode);
    }, ms);
  }

  /** An operator ends a room. */
  closeRoom(name: string, message?: string): void {
    for (const session of [...(this.rooms.get(name)?.members ?? [])]) this.end(session, 'room_closed', 'room_closed', message);
  }

  /** A room fails under its members, who keep their connections. */
  failRoom(name: string): void {
    const room = this.rooms.get(name);
    this.rooms.delete(name);
    for (const session of room?.members.splice(0) ?? []) {
      this.clock.clearTimeout(session.timer);
      const { socket } = session;
      session.socket = undefined;
      if (!socket) continue;
      socket.session = undefined;
      this.tell(socket, { type: 'room_closed', room: name });
    }
  }

  /** An operator has something for people to read, in one room or in all. */
  notice(text: string, name?: string): void {
    for (const room of this.rooms.values()) {
      if (name === undefined || room.name === name) this.announce(room, { type: 'notice', text });
    }
  }
}
