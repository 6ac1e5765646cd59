// The bookkeeping that lets a session go on over another connection ("Resuming a session" in docs/protocol.md), and the
// queue of what waits for a connection. Knows no socket and no clock.

import { localError, type SignalingError } from './error.ts';

/** Most messages kept until they are confirmed: with nobody to send them to, more would only grow old. */
export const QUEUE_MESSAGES = 512;
/** Most characters of JSON of all of them: as much as the server keeps for us by default, `limits.resumeBytes`. */
export const QUEUE_CHARS = 1_572_864;
/** The server keeps what is not acknowledged, up to a bound: so it is told at least this often. */
const ACK_EVERY = 50;
/** After the last frame, the server is told within this time that it may forget it. */
export const ACK_WITHIN_MS = 5_000;
/** The same once the server has said that it closes the connection: its answer says what of ours it has handled. */
export const ACK_LAST_MS = 250;

/** A message to be sent. */
export interface Outgoing {
  /** Of the request. */
  id: string;
  /** The frame as JSON. */
  text: string;
  /**
   * What it is once the session is over: `meta` goes with the next `join`, `negotiation` concerned the old session's peers
   * and is of no use; anything else waits for the next.
   */
  kind: 'meta' | 'negotiation' | 'other';
}

/** One that is kept until it is confirmed. */
interface Kept extends Outgoing {
  /** On this session's connections. */
  sent: boolean;
  /** Its request has its answer: it is counted, and sent again, but settles nothing more. */
  answered: boolean;
}

/** What became of a request; without an error, the server has handled it. */
export type Settle = (id: string, error?: SignalingError) => void;

export class ResumeBuffer {
  #token: string | undefined;
  #heard = 0; // counted frames of the server's that were handled
  #acked = 0; // counted frames of ours that the server has handled
  #kept: Kept[] = []; // those after them
  #chars = 0;
  #handled: string[] = []; // ids of what was handled; an error about it may still be on its way
  #uncertain: string[] = []; // ids of metadata that goes with the next join
  #joined = false; // on this connection
  #former = false; // there was a session before
  #unacked = 0; // counted frames in both directions since the last ack
  readonly #settle: Settle;

  constructor(settle: Settle) {
    this.#settle = settle;
  }

  /** Whether there is a session to resume. */
  get resumable(): boolean {
    return this.#token !== undefined;
  }

  /** For `join.resume`; undefined where there is nothing to resume. */
  get resume(): { token: string; ack: number } | undefined {
    return this.#token === undefined ? undefined : { token: this.#token, ack: this.#heard };
  }

  /** Whether the server must soon be told what was handled. */
  get acks(): boolean {
    return this.#joined && this.resumable && this.#unacked > 0;
  }

  /** Whether it must be told now. */
  get ackDue(): boolean {
    return this.acks && this.#unacked >= ACK_EVERY;
  }

  /** For `ping.ack`, in a ping that is about to be sent; undefined where there is nothing to acknowledge. */
  acknowledge(): number | undefined {
    this.#unacked = 0;
    return this.#joined && this.resumable ? this.#heard : undefined;
  }

  /** Takes a message over. True: it is to be sent now; otherwise it goes out after the next `joined`, or was refused. */
  keep(message: Outgoing): boolean {
    if (this.#joined && !this.resumable) {
      this.#settle(message.id);
      return true;
    }
    if (this.#kept.length + this.#uncertain.length >= QUEUE_MESSAGES || this.#chars + message.text.length > QUEUE_CHARS) {
      this.#settle(message.id, localError('queue_full', true));
      return false;
    }
    this.#kept.push({ ...message, sent: this.#joined, answered: false });
    this.#chars += message.text.length;
    if (this.#joined) this.#unacked += 1;
    return this.#joined;
  }

  /** We are in the room. Returns what is to be sent before anything new. What has a `refusal` is not sent. */
  joined(
    frame: { ack?: number; complete?: boolean; resume?: { token: string } },
    refusal: (text: string) => SignalingError | undefined,
  ): string[] {
    if (frame.ack !== undefined) this.acknowledged(frame.ack);
    if (!frame.complete) {
      this.#settleAll(this.#handled, localError('reply_lost', true));
      this.#heard = this.#acked = 0;
    }
    this.#settleAll(this.#uncertain);
    this.#token = frame.resume?.token;
    this.#joined = this.#former = true;
    this.#keepOnly((message) => {
      const error = refusal(message.text);
      if (error) this.#finish(message, error);
      return !error;
    });
    const again = this.#kept.map(({ text }) => text);
    if (this.resumable) for (const message of this.#kept) message.sent = true;
    else this.#keepOnly((message) => this.#finish(message));
    return again;
  }

  /** A frame of the server's was handled. */
  handled(type: string): void {
    if (!this.#joined || type === 'joined' || type === 'pong' || type === 'bye') return;
    this.#heard += 1;
    this.#unacked += 1;
  }

  /** A `pong` came: what the server had handled before is settled, since errors about it would have come before. */
  ponged(ack: number | undefined): void {
    if (ack === undefined || !this.#joined) return;
    this.acknowledged(ack);
    this.#settleAll(this.#handled);
  }

  /** The server has handled `ack` of our frames. */
  acknowledged(ack: number): void {
    if (!(ack > this.#acked)) return;
    for (const message of this.#kept.splice(0, ack - this.#acked)) {
      this.#chars -= message.text.length;
      if (!message.answered) this.#handled.push(message.id);
    }
    this.#acked = ack;
  }

  /** A request has its answer, which settles it. What confirms or loses its message later says nothing more about it. */
  answered(id: string): void {
    for (const message of this.#kept) if (message.id === id) message.answered = true;
    this.#handled = this.#handled.filter((other) => other !== id);
    this.#uncertain = this.#uncertain.filter((other) => other !== id);
  }

  /** The connection is lost. What was sent in a session that nobody can resume is not sent again. */
  lost(): void {
    this.#joined = false;
    if (!this.resumable) this.forget();
  }

  /**
   * The session is over, or a join without it is about to be sent, with the newest metadata. What was never sent waits for
   * the next, but for what only the old one's peers could understand.
   */
  forget(): void {
    this.#settleAll(this.#handled, localError('reply_lost', true));
    this.#token = undefined;
    this.#heard = this.#acked = this.#unacked = 0;
    this.#joined = false;
    this.#keepOnly((message) => {
      const { id, sent, kind, answered } = message;
      if (kind !== 'meta' && !sent && !(this.#former && kind === 'negotiation')) return true;
      if (kind !== 'meta') this.#finish(message, localError('session_lost', true));
      else if (!answered) this.#uncertain.push(id);
      return false;
    });
  }

  /** It is all over. */
  end(error: SignalingError): void {
    this.#settleAll([...this.#handled, ...this.#uncertain], error);
    for (const message of this.#kept) this.#finish(message, error);
    this.#kept = [];
    this.#handled = [];
    this.#uncertain = [];
    this.#chars = 0;
    this.forget();
    this.#former = false;
  }

  #finish({ id, answered }: Kept, error?: SignalingError): void {
    if (!answered) this.#settle(id, error);
  }

  #keepOnly(choose: (message: Kept) => unknown): void {
    this.#kept = this.#kept.filter(choose);
    this.#chars = this.#kept.reduce((sum, { text }) => sum + text.length, 0);
  }

  #settleAll(ids: string[], error?: SignalingError): void {
    for (const id of ids.splice(0)) this.#settle(id, error);
  }
}
