// Sockets by their numbers: opened, heard, and closed in order, which takes its time.

import type { ServerFrame } from '../wire.generated.ts';
import type { Clock } from './environment.ts';
import type { Socket, SocketClass } from './options.ts';

/** What a socket takes to close before it is forgotten. */
const CLOSE_WITHIN_MS = 3_000;
const OPEN = 1;

/** What a socket tells. Nothing of one that was closed here. */
export interface SocketNews {
  opened(): void;
  frame(frame: ServerFrame): void;
  closed(code: number): void;
}

/** Where a socket for that room goes. The room is named in the query, too, for whatever distributes rooms over several servers. */
export const socketUrl = (url: string | URL, room: string): string => {
  const page = globalThis as { document?: { baseURI: string }; location?: { href: string } };
  const full = new URL(url, page.document?.baseURI ?? page.location?.href);
  full.protocol = full.protocol.replace('http', 'ws');
  full.hash = '';
  return `${full.href}${full.search ? '&' : '?'}room=${encodeURIComponent(room)}`;
};

export class Sockets {
  readonly #clock: Clock;
  readonly #sockets = new Map<number, Socket>();
  readonly #closing = new Set<Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws what the class does. */
  open(number: number, Class: SocketClass, url: string, news: SocketNews): void {
    const socket = new Class(url, ['switchboard.v1']);
    this.#sockets.set(number, socket);
    socket.onopen = () => news.opened();
    socket.onmessage = ({ data }: { data: unknown }) => {
      const frame = parsed(data);
      if (frame) news.frame(frame);
    };
    socket.onclose = ({ code }: { code: number }) => {
      this.#sockets.delete(number);
      news.closed(code);
    };
    socket.onerror = () => {}; // `onclose` follows
  }

  write(number: number, text: string): void {
    const socket = this.#sockets.get(number);
    if (socket?.readyState === OPEN) socket.send(text);
  }

  close(number: number, code: number): void {
    const socket = this.#sockets.get(number);
    if (!socket) return;
    this.#sockets.delete(number);
    const closed = new Promise<void>((resolve) => {
      // A path that is gone answers no close.
      const timer = this.#clock.setTimeout(() => {
        socket.terminate?.();
        resolve();
      }, CLOSE_WITHIN_MS);
      socket.onclose = () => {
        this.#clock.clearTimeout(timer);
        resolve();
      };
    });
    socket.onopen = socket.onmessage = null;
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
    try {
      socket.close(code);
    } catch {
      // The timer ends it.
    }
  }

  /** All that are open. */
  closeAll(code: number): void {
    for (const number of [...this.#sockets.keys()]) this.close(number, code);
  }

  /** Resolves when those that were closed are. */
  async settled(): Promise<void> {
    await Promise.all(this.#closing);
  }
}

const parsed = (data: unknown): ServerFrame | undefined => {
  try {
    const frame = JSON.parse(data as string) as ServerFrame | null;
    return typeof frame?.type === 'string' ? frame : undefined;
  } catch {
    return undefined; // none of ours
  }
};
