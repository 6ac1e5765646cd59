// The server of the library's own entry `testing`, which here writes down what one client does, and whatever of it is against the
// rules.

import type { TestClock } from '../../src/testing/clock.ts';
import type { Frame } from '../../src/testing/frames.ts';
import { TestServer } from '../../src/testing/server.ts';
import type { Session } from '../../src/testing/session.ts';
import type { TestSocket } from '../../src/testing/socket.ts';
import type { LeaveReason } from '../../src/wire.generated.ts';

export type { TestSocket as FakeSocket } from '../../src/testing/socket.ts';

/** For `judge`: an error frame. */
export const refusal = (code: string, category: string, retryable: boolean, retryAfterMs?: number): Frame => ({
  type: 'error',
  code,
  category,
  retryable,
  message: `no: ${code}`,
  ...(retryAfterMs !== undefined && { retryAfterMs }),
});

/** Codes that a client of ours never meets by itself. */
const VIOLATIONS = ['invalid_message', 'unknown_type', 'already_joined', 'not_in_room'];
const LATENCY_MS = 20;

export class Model extends TestServer {
  /** What the client did that it may not. */
  violations: string[] = [];
  /** Close codes of the client's, in order. */
  closings: number[] = [];
  /** How often a session that could have gone on was closed with 1000. */
  closedForGood = 0;
  /** `data` of the signals that were handled, in order. */
  signals: unknown[] = [];
  metas: unknown[] = [];
  joins: Frame[] = [];
  pings: number[] = [];
  /** How many sessions ended under the client, and resumes that lost something. */
  losses = 0;
  /** What it says first, beside the usual. */
  hello: Frame = {};
  joinedFields: Frame = {};
  #session: Session | undefined;

  constructor(clock: TestClock) {
    super({ clock, latencyMs: LATENCY_MS, tokens: (token) => (token ? { expiresInMs: 3_600_000 } : {}) });
    this.features = this.features.filter((feature) => feature !== 'tokens');
  }

  /** The client's. */
  get session(): Session | undefined {
    return this.#session && this.sessions.includes(this.#session) ? this.#session : undefined;
  }

  get connected(): boolean {
    return this.session?.socket !== undefined;
  }

  protected override welcome(): Frame {
    return { ...super.welcome(), ...this.hello };
  }

  override connect(socket: TestSocket, protocols: string[]): void {
    if (protocols[0] !== 'switchboard.v1') this.violations.push(`protocols ${protocols}`);
    super.connect(socket, protocols);
    if (this.openSockets.length > 2) this.violations.push('more than two sockets at a time');
  }

  override hears(socket: TestSocket, text: string): void {
    const frame = JSON.parse(text) as Frame;
    const inRoom = socket.session?.socket === socket;
    if (frame['type'] === 'join') this.joins.push(frame);
    if (frame['type'] === 'ping' && inRoom) this.pings.push(this.clock.steady());
    super.hears(socket, text);
  }

  protected override does(socket: TestSocket, session: Session | undefined, frame: Frame, re: Frame): Frame | undefined {
    const error = super.does(socket, session, frame, re);
    const { type, data, meta, resume } = frame;
    if (type === 'signal' && session) this.signals.push(data);
    if (meta && !resume && !error) this.metas.push(meta);
    return error;
  }

  protected override refused(error: Frame, text: string): void {
    if (VIOLATIONS.includes(error['code'])) this.violations.push(`${error['message']}: ${text}`);
  }

  protected override admit(session: Session, socket: TestSocket, facts: Frame): void {
    this.#session = session;
    if (facts['complete'] === false) this.losses += 1;
    super.admit(session, socket, { ...facts, ...this.joinedFields });
  }

  override closes(socket: TestSocket, code: number): void {
    this.closings.push(code);
    if (code === 1000 && socket.session?.confirmed && socket.session === this.session) this.closedForGood += 1;
    super.closes(socket, code);
  }

  override end(session: Session, ...why: [LeaveReason, ...never[]]): void {
    // One that gave up before it heard of its session has lost what was sent to it.
    const known = session.confirmed && session.socket?.joined;
    if (session === this.session && (why[0] !== 'left' || !known)) this.losses += 1;
    super.end(session, ...why);
  }

  override restart(): void {
    if (this.session) this.losses += 1;
    super.restart();
  }

  /** Sends the client a counted frame. */
  send(frame: Frame): void {
    if (this.session) this.post(this.session, frame);
  }
}
