// What a client is given, and what it tells.

import type { ClientFrame, Meta, ServerFrame, ServerFrames } from '../wire.generated.ts';
import type { Clock } from './environment.ts';
import type { SignalingError } from './error.ts';
import type { IdentityStorage } from './identity.ts';
import type { State } from './state.ts';

/** As much of a browser's `WebSocket` as is needed. */
export interface Socket {
  /** 1 while it is open. */
  readonly readyState: number;
  /** It is open. */
  onopen: ((event: never) => void) | null;
  /** A message came; its text is `data` of the event. */
  onmessage: ((event: never) => void) | null;
  /** It is closed, by the event's `code`. */
  onclose: ((event: never) => void) | null;
  /** It failed; `onclose` follows. */
  onerror: ((event: never) => void) | null;
  /** Sends a message. */
  send(text: string): void;
  /** Closes it in order. */
  close(code?: number): void;
  /** Node's `ws` has it. */
  terminate?(): void;
}

/** A `WebSocket` class: the browser's, Node's own (from 22 on), or that of the npm package `ws`. */
export type SocketClass = new (url: string, protocols: string[]) => Socket;

/** A token, or what gives one. It is called again whenever another one is needed; what it throws is tried again, with a pause. */
export type TokenSource = string | (() => string | Promise<string>);

/** What a client is given. */
export interface SignalingOptions {
  /** Where the server listens: `wss://signal.example.org/ws`. `http` and `https` mean the same; relative to the page. */
  url: string | URL;
  /** The room: 1 to `limits.roomNameBytes` bytes (128 by default), without control characters. */
  room: string;
  /** What the others shall know of us: at most `limits.metaBytes` (4096) of JSON. */
  meta?: Meta | undefined;
  /** What says who may join: sent with each `join` that begins a session. A function renews it, too, before its time is over. */
  token?: TokenSource | undefined;
  /**
   * The secret by which the room recognises us when we come again: 22 to 128 visible ASCII characters. By default the client makes
   * one for this server, room and tab, which a reload finds again, and a page that crashed does not: for that, keep one
   * yourself. `false`: none.
   */
  identity?: string | false | undefined;
  /** Whether to end sessions of the same identity that are connected, too. By default when the client made the identity. */
  replace?: boolean | undefined;
  /** Where the identity is kept over a reload, and while the client is closed: by default `sessionStorage`, where there is one. */
  storage?: IdentityStorage | undefined;
  /** Whether to ask again when a room is full at the first `join`, or refuses it for another reason that passes. Default: true. */
  wait?: boolean | undefined;
  /** By default the global one. */
  WebSocket?: SocketClass | undefined;
  /** For tests. */
  clock?: Clock | undefined;
  /** For tests: from 0 to 1, evenly. */
  random?: (() => number) | undefined;
}

/** What a client tells: each frame of the server's by its `type`, and these. */
export interface SignalingEvents extends Omit<ServerFrames, 'error'> {
  /** How the client itself is doing. */
  state: State;
  /** A request that failed, or a trouble that no request has (the server reads us more slowly, a token was not to be had). */
  error: SignalingError;
  /** Every frame of the server's, those of later versions included. */
  frame: ServerFrame;
}

/** What a client may ask beside what has a method of its own. */
export type OtherRequest = Exclude<ClientFrame, { type: 'join' | 'leave' | 'update' | 'ping' }>;
