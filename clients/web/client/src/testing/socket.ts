// The client's end of a connection to a `TestServer`: as much of a browser's WebSocket as clients use.

import type { Session } from './session.ts';

/** What is at the other end. */
interface Server {
  /** Either way takes a moment, in order, and gets lost with the connection. */
  travels(socket: TestSocket, arrive: () => void): void;
  /** A text arrived. */
  hears(socket: TestSocket, text: string): void;
  /** The client closes it. */
  closes(socket: TestSocket, code: number): void;
}

/** A listener, as a browser's `WebSocket` has it. */
export type Handler = ((event: never) => void) | null;

/** A client's connection: a `WebSocket` as far as clients use it, and what the test does to it. */
export class TestSocket extends EventTarget {
  /** As in a browser's `WebSocket`. */
  static readonly CONNECTING = 0;
  /** As in a browser's `WebSocket`. */
  static readonly OPEN = 1;
  /** As in a browser's `WebSocket`. */
  static readonly CLOSING = 2;
  /** As in a browser's `WebSocket`. */
  static readonly CLOSED = 3;
  /** One of the four. */
  readyState = 0;
  /** Nothing ever waits. */
  readonly bufferedAmount = 0;
  /** It is open. */
  onopen: Handler = null;
  /** A message came. */
  onmessage: Handler = null;
  /** It is closed. */
  onclose: Handler = null;
  /** Never called: `onclose` tells all. */
  onerror: Handler = null;
  /** The path is a black hole: nothing gets through, and nobody is told. */
  swallowed = false;
  /** That it is in a room with. */
  session: Session | undefined;
  /** The peer's id, which stays the connection's when it leaves one room and joins another. */
  peerId: string | undefined;
  /** The client has heard that it is in the room. */
  joined = false;
  /** Where it was opened to. */
  readonly url: string;
  /** What both sides speak. */
  readonly protocol = 'switchboard.v1';
  readonly #server: Server;

  /** @internal For the server. */
  constructor(server: Server, url: string) {
    super();
    this.#server = server;
    this.url = url;
  }

  /** Neither closed nor being closed. */
  get open(): boolean {
    return this.readyState < 2;
  }

  #fire(type: string, facts: object = {}): void {
    const event = Object.assign(new Event(type), facts);
    (this as unknown as { [handler: string]: Handler })[`on${type}`]?.(event as never);
    this.dispatchEvent(event);
  }

  /** Sends a message. */
  send(text: string): void {
    if (this.readyState === 0) throw new DOMException('sent on a socket that is not open', 'InvalidStateError');
    // As a browser: what is sent on a socket that is closed goes nowhere.
    if (this.readyState === 1) this.#server.travels(this, () => this.#server.hears(this, text));
  }

  /** Closes it in order. */
  close(code = 1005): void {
    if (!this.open) return;
    this.readyState = 2;
    this.#server.closes(this, code);
  }

  /** The server has let it in. */
  opened(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.#fire('open');
  }

  /** A frame of the server's has arrived. */
  arrived(frame: { type?: unknown }): void {
    if (this.readyState !== 1) return;
    this.joined ||= frame.type === 'joined';
    this.#fire('message', { data: JSON.stringify(frame) });
  }

  /** The connection is over, as the client sees it. */
  ended(code: number): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#fire('close', { code, reason: '', wasClean: code !== 1006 });
  }
}
