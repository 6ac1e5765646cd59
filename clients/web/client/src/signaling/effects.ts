// What the rules of the connection (core.ts) are given, and what they want done.

import type { ServerFrame } from '../wire.generated.ts';
import type { SignalingError } from './error.ts';
import type { Metadata } from './metadata.ts';
import type { State } from './state.ts';
import type { TokenKind } from './tokens.ts';

export interface CoreOptions {
  room: string;
  meta: Metadata;
  identity: string | undefined;
  /** Whether nobody else has that identity. */
  replace: boolean;
  /** Whether a first join that is refused for a reason that passes is tried again. */
  wait: boolean;
  token: TokenKind;
  /** From 0 to 1, evenly. */
  random(): number;
}

/** What is to be done, in this order. Sockets have numbers. */
export type Effect =
  | { do: 'open'; socket: number }
  | { do: 'write'; socket: number; text: string }
  | { do: 'close'; socket: number; code: number }
  /** Get a token; `token` takes the answer, with this number. */
  | { do: 'token'; ask: number }
  /** A frame of the server's has come. */
  | { do: 'frame'; frame: ServerFrame }
  | { do: 'state'; state: State }
  /** What became of a request. */
  | { do: 'settle'; id: string; error: SignalingError | undefined; reply: ServerFrame | undefined }
  /** A trouble that no request has. */
  | { do: 'error'; error: SignalingError };

/** News of the machine: its network is back, somebody looks at the page, or it goes on after a pause. */
export type Nudge = 'online' | 'other';

/** What is to be done, in order, until it is taken. */
export class Outbox {
  #effects: Effect[] = [];

  take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  push(effect: Effect): void {
    this.#effects.push(effect);
  }

  state(state: State): void {
    this.push({ do: 'state', state });
  }

  /** Socket 0 is none. */
  close(socket: number, code: number): void {
    if (socket) this.push({ do: 'close', socket, code });
  }

  settle(id: string, error: SignalingError | undefined, reply?: ServerFrame): void {
    this.push({ do: 'settle', id, error, reply });
  }

  error(error: SignalingError): void {
    this.push({ do: 'error', error });
  }
}
