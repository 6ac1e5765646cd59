// A server and the path to it, as docs/protocol.md says: enough of one for one client in one room. It answers after a moment,
// keeps sessions, and writes down whatever the client does against the rules.

import type { SocketClass } from '../../src/signaling/client.ts';
import type { FakeClock } from './clock.ts';

type Json = Record<string, any>;

const LATENCY_MS = 20;
const WINDOW_MS = 30_000;
const HEARTBEAT = { intervalMs: 30_000, timeoutMs: 60_000 };
const UNCOUNTED = ['join', 'ping'];
/** What may stand in a client's frames, beside `type` and `id`. */
const FIELDS: Record<string, string[]> = {
  join: ['room', 'meta', 'attempt', 'resumable', 'resume', 'identity', 'replace', 'token'],
  signal: ['to', 'kind', 'data'],
  ice: [],
  update: ['meta', 'token'],
  ping: ['t', 'ack'],
  leave: [],
};

/** For `judge`: an error frame. */
export const refusal = (code: string, category: string, retryable: boolean, retryAfterMs?: number): Json => ({
  type: 'error',
  code,
  category,
  retryable,
  message: `no: ${code}`,
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

/** The client's end of a connection. */
export class FakeSocket {
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  /** The path is a black hole: nothing gets through, and nobody is told. */
  swallowed = false;
  session: Session | undefined;
  /** The client has heard that it is in the room. */
  joined = false;
  readonly url: string;
  readonly model: Model;

  constructor(model: Model, url: string) {
    this.model = model;
    this.url = url;
  }

  get open(): boolean {
    return this.readyState < 2;
  }

  send(text: string): void {
    if (this.readyState !== 1) throw new Error('sent on a socket that is not open');
    this.model.travels(this, () => this.model.receive(this, JSON.parse(text)));
  }

  close(code = 1005): void {
    if (!this.open) return;
    this.readyState = 2;
    this.model.closings.push(code);
    if (code === 1000 && this.session?.confirmed && this.session === this.model.session) this.model.closedForGood += 1;
    this.model.travels(this, () => this.model.closedBy(this, code));
    this.model.clock.setTimeout(() => this.ended(code), LATENCY_MS * 2);
  }

  /** The connection is over, as the client sees it. */
  ended(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

interface Session {
  id: string;
  /** Each with the counts that were when it was told. */
  tokens: { token: string; handled: number; sent: number; acked: number }[];
  confirmed: boolean;
  /** The client's frames that were handled. */
  handled: number;
  sent: number;
  acked: number;
  buffer: { n: number; frame: Json }[];
  gap: boolean;
  socket: FakeSocket | undefined;
  awaySince: number;
}

export class Model {
  readonly clock: FakeClock;
  features = ['resume', 'wait', 'identity', 'busy'];
  limits: Json = { frameBytes: 65_536 };
  /** What the client did that it may not. */
  violations: string[] = [];
  /** Close codes of the client's, in order. */
  closings: number[] = [];
  /** How often a session that could have gone on was closed with 1000. */
  closedForGood = 0;
  sockets: FakeSocket[] = [];
  /** `data` of the signals that were handled, in order. */
  signals: unknown[] = [];
  metas: unknown[] = [];
  joins: Json[] = [];
  pings: number[] = [];
  session: Session | undefined;
  refuses = false;
  swallows = false;
  /** How many sessions ended under the client, and resumes that lost something. */
  losses = 0;
  /** Answers a join or a request otherwise than usual. */
  judge: (frame: Json) => Json | undefined = () => undefined;
  /** What it says first. */
  welcome: Json = { heartbeat: HEARTBEAT };
  joinedFields: Json = {};
  #ids = 0;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** The class to hand to a client. */
  get WebSocket(): SocketClass {
    const model = this;
    return class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(model, url);
        if (protocols[0] !== 'switchboard.v1') model.violations.push(`protocols ${protocols}`);
        model.connect(this);
      }
    } as unknown as SocketClass;
  }

  get openSockets(): FakeSocket[] {
    return this.sockets.filter((socket) => socket.open);
  }

  get connected(): boolean {
    return this.session?.socket !== undefined;
  }

  connect(socket: FakeSocket): void {
    this.sockets.push(socket);
    if (this.openSockets.length > 2) this.violations.push('more than two sockets at a time');
    socket.swallowed = this.swallows;
    if (socket.swallowed) return;
    this.clock.setTimeout(() => {
      if (!socket.open) return;
      if (this.refuses) return socket.ended(1006);
      socket.readyState = 1;
      socket.onopen?.();
      this.tell(socket, {
        type: 'welcome',
        session: 'f'.repeat(32),
        version: '0',
        features: this.features,
        limits: this.limits,
        ...this.welcome,
      });
    }, LATENCY_MS);
  }

  /** Either way takes a moment, in order, and gets lost with the connection. */
  travels(socket: FakeSocket, arrive: () => void): void {
    this.clock.setTimeout(() => {
      if (!socket.swallowed && socket.readyState !== 3) arrive();
    }, LATENCY_MS);
  }

  tell(socket: FakeSocket, frame: Json): void {
    this.travels(socket, () => {
      if (socket.readyState !== 1 || !socket.onmessage) return;
      socket.joined ||= frame['type'] === 'joined';
      socket.onmessage({ data: JSON.stringify(frame) });
    });
  }

  /** Sends the session a counted frame; it is kept until it is acknowledged. */
  post(frame: Json): void {
    const session = this.session;
    if (!session) return;
    session.sent += 1;
    session.buffer.push({ n: session.sent, frame });
    if (session.socket) this.tell(session.socket, frame);
  }

  receive(socket: FakeSocket, frame: Json): void {
    const { type } = frame;
    const known = FIELDS[type as string];
    const strange = Object.keys(frame).filter((name) => !['type', 'id', ...(known ?? [])].includes(name));
    if (!known || strange.length) this.violations.push(`not a frame: ${JSON.stringify(frame)}`);
    if (type === 'join') return this.join(socket, frame);
    const session = socket.session;
    if (!session || session.socket !== socket) {
      // A ping may be sent at any time.
      if (!session && type === 'ping') this.tell(socket, { type: 'pong', t: frame['t'] });
      else if (!session) this.violations.push(`${type} before the join was answered`);
      return;
    }
    this.confirm(session);
    if (!UNCOUNTED.includes(type)) session.handled += 1;
    const answer = this.judge(frame);
    if (answer) return this.post({ ...answer, re: frame['id'] });
    if (type === 'ping') {
      this.pings.push(this.clock.steady());
      if (frame['ack'] !== undefined) this.acknowledge(session, frame['ack']);
      const { t, id } = frame;
      this.tell(socket, { type: 'pong', ...(id && { re: id }), t, ...(this.resumes && { ack: session.handled }) });
    } else if (type === 'signal') this.signals.push(frame['data']);
    else if (type === 'update' && frame['meta']) {
      this.metas.push(frame['meta']);
      this.post({ type: 'peer_updated', re: frame['id'], id: session.id, meta: frame['meta'] });
    } else if (type === 'update') {
      this.post({ type: 'permissions', re: frame['id'], permissions: ['join'], expiresInMs: 3_600_000 });
    }
  }

  get resumes(): boolean {
    return this.features.includes('resume');
  }

  confirm(session: Session): void {
    session.confirmed = true;
    session.tokens = session.tokens.slice(-1);
  }

  acknowledge(session: Session, ack: number): void {
    if (ack < session.acked || ack > session.sent) this.violations.push(`ack ${ack} of ${session.acked}..${session.sent}`);
    session.acked = ack;
    session.buffer = session.buffer.filter(({ n }) => n > ack);
  }

  join(socket: FakeSocket, frame: Json): void {
    this.joins.push(frame);
    const refusal = this.judge(frame);
    if (refusal) return this.tell(socket, { ...refusal, re: frame['id'] });
    if (frame['resume']) return this.resume(socket, frame);
    this.endSession('replaced');
    const id = String(++this.#ids).padStart(32, '0');
    const session: Session = {
      id,
      tokens: [],
      confirmed: false,
      handled: 0,
      sent: 0,
      acked: 0,
      buffer: [],
      gap: false,
      socket,
      awaySince: 0,
    };
    this.session = session;
    if (frame['meta']) this.metas.push(frame['meta']);
    this.admit(session, socket, { peers: [] });
  }

  resume(socket: FakeSocket, frame: Json): void {
    const session = this.session;
    const told = session?.tokens.find(({ token }) => token === frame['resume'].token);
    const expired = session && !session.socket && this.clock.steady() - session.awaySince > WINDOW_MS;
    if (expired) this.endSession('timeout');
    if (!session || !told || expired) {
      const error = {
        type: 'error',
        re: frame['id'],
        code: 'session_not_found',
        category: 'SESSION',
        retryable: false,
        message: '',
      };
      return this.tell(socket, error);
    }
    const former = session.socket;
    if (former && former !== socket) {
      this.tell(former, { type: 'bye', reason: 'session_taken', action: 'disconnect', retryAfterMs: 0 });
      this.travels(former, () => former.ended(4500));
    }
    const { ack } = frame['resume'];
    if (ack < told.acked || ack > Math.max(told.sent, session.sent)) this.violations.push(`resume ack ${ack}`);
    // By the former token, the counts are those that went with it; in a session that was resumed whole, they are the same.
    const handled = told === session.tokens.at(-1) || !session.gap ? session.handled : told.handled;
    const complete = !session.gap;
    const peers = complete ? {} : { peers: [] };
    if (!complete) {
      this.losses += 1;
      session.handled = session.sent = session.acked = 0;
      session.buffer = [];
    } else this.acknowledge(session, ack);
    this.admit(session, socket, { complete, ack: handled, ...peers });
    session.gap = false;
    for (const { frame: kept } of session.buffer) this.tell(socket, kept);
  }

  admit(session: Session, socket: FakeSocket, facts: Json): void {
    session.socket = socket;
    socket.session = session;
    const token = `${session.id}.${++this.#ids}`;
    session.tokens.push({ token, handled: session.handled, sent: session.sent, acked: session.acked });
    this.tell(socket, {
      type: 'joined',
      re: 'join',
      self: { id: session.id },
      room: 'blue',
      capacity: 10,
      iceServers: [],
      ...facts,
      ...this.joinedFields,
      ...(this.resumes && { resume: { token, windowMs: WINDOW_MS } }),
    });
  }

  closedBy(socket: FakeSocket, code: number): void {
    if (socket.session?.socket !== socket) return;
    // One that gave up before it heard of its session has lost what was sent to it.
    if (code === 1000) this.endSession(socket.session.confirmed && socket.joined ? 'left' : 'unconfirmed');
    else this.park(socket.session);
  }

  park(session: Session): void {
    session.socket = undefined;
    session.awaySince = this.clock.steady();
    if (!session.confirmed || !this.resumes) this.endSession('unconfirmed');
  }

  endSession(why: string): void {
    if (this.session && why !== 'left') this.losses += 1;
    this.session = undefined;
  }

  /** Resets what is open; both ends notice. */
  cut(): void {
    for (const socket of this.openSockets) {
      if (socket.session?.socket === socket) this.park(socket.session);
      socket.ended(1006);
    }
  }

  /** From now on nothing comes through, and nobody is told. */
  swallow(): void {
    for (const socket of this.openSockets) socket.swallowed = true;
  }

  /** What the session has not yet acknowledged is lost. */
  loseBuffer(): void {
    if (this.session && this.session.buffer.length > 0) this.session.gap = true;
  }

  restart(): void {
    const had = this.session;
    this.session = undefined;
    if (had) this.losses += 1;
    for (const socket of this.openSockets) socket.ended(1006);
  }
}
