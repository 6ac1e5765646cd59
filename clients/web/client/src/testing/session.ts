// One peer's session, and the counts that let it go on over another connection ("Resuming a session" in docs/protocol.md).

import type { Meta } from '../wire.generated.ts';
import type { Frame } from './frames.ts';
import type { Room } from './room.ts';
import type { TestSocket } from './socket.ts';
import type { Grant } from './tokens.ts';

/** A resume token, with the counts that were when it was told. */
interface Token {
  token: string;
  handled: number;
  sent: number;
  acked: number;
}

/** A peer's place in a room, with or without a connection. */
export class Session {
  /** The peer's id. */
  readonly id: string;
  /** Where it is. */
  readonly room: Room;
  /** Who it is, by its identity. */
  readonly who: string | undefined;
  /** Whether its client wants to take it over on another connection. */
  readonly resumable: boolean;
  /** What the others know of it. */
  meta: Meta | undefined;
  /** What its token grants; without one, what everybody may. */
  grant: Grant;
  /** Its connection; undefined while it is away. */
  socket: TestSocket | undefined;
  /** A frame came after its `joined`. */
  confirmed = false;
  /** Until when it is kept without a connection, by the wall clock. */
  until = 0;
  /** @internal Ends it. */
  timer: unknown;
  /** What it was sent and has not acknowledged. */
  buffer: { n: number; frame: Frame }[] = [];
  /** Something of that was lost. */
  gap = false;
  /** When its client may report again, by the clock that only goes on. */
  reportsFrom = 0;
  /** How many of the client's frames were handled. */
  handled = 0;
  #tokens: Token[] = [];
  #sent = 0;
  #acked = 0;

  /** @internal For the server. */
  constructor(facts: Pick<Session, 'id' | 'room' | 'who' | 'resumable' | 'meta' | 'grant'>) {
    this.id = facts.id;
    this.room = facts.room;
    this.who = facts.who;
    this.resumable = facts.resumable;
    this.meta = facts.meta;
    this.grant = facts.grant;
  }

  /** What the others know of it. */
  get profile(): Frame {
    const { id, who, meta } = this;
    const user = this.grant.showUser ? this.grant.user : undefined;
    return { id, ...(who && { who }), ...(meta && { meta }), ...(user && { user }) };
  }

  /** The first frame after `joined` makes the former token worthless. */
  confirm(): void {
    this.confirmed = true;
    this.#tokens = this.#tokens.slice(-1);
  }

  /** A counted frame for its client, of which `most` are kept. */
  count(frame: Frame, most: number): void {
    if (!this.resumable) return;
    this.#sent += 1;
    this.buffer.push({ n: this.#sent, frame });
    if (this.buffer.length <= most) return;
    this.buffer.shift();
    this.gap = true;
  }

  /** The client has handled so many; false where that cannot be. */
  acknowledge(ack: number): boolean {
    if (ack < this.#acked || ack > this.#sent) return false;
    this.#acked = ack;
    this.buffer = this.buffer.filter(({ n }) => n > ack);
    return true;
  }

  /** Another token, for the next resume. */
  issue(token: string): string {
    this.#tokens.push({ token, handled: this.handled, sent: this.#sent, acked: this.#acked });
    return token;
  }

  /** Whether this is a token of it. */
  knows(token: string): boolean {
    return this.#tokens.some((one) => one.token === token);
  }

  /** Goes on over another connection, if `ack` can be. Says whether all of it does, and how much was handled by then. */
  resume(token: string, ack: number): { complete: boolean; ack: number } | undefined {
    const told = this.#tokens.find((one) => one.token === token);
    if (!told || ack < told.acked || ack > Math.max(told.sent, this.#sent)) return undefined;
    const complete = !this.gap;
    // By the former token, the counts are those that went with it; in a session that was resumed whole, they are the same.
    const handled = told === this.#tokens.at(-1) || complete ? this.handled : told.handled;
    if (complete) this.acknowledge(ack);
    else {
      this.handled = this.#sent = this.#acked = 0;
      this.buffer = [];
      this.gap = false;
    }
    return { complete, ack: handled };
  }
}
