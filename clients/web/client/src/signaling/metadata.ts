// What the others shall know of us, in every session that begins. What the server refuses never goes into a `join`: a `join` that
// is refused for good ends the client.

import type { Meta } from '../wire.generated.ts';
import { QUEUE_MESSAGES } from './resume-buffer.ts';

interface Update {
  /** Of the request. */
  id: string;
  meta: Meta;
}

export class Metadata {
  #accepted: Meta | undefined;
  #open: Update[] = []; // asked for since then, in order; whether the server takes them is not known
  #offered: string | undefined; // the request whose metadata went with the join that waits for its answer

  /** `initial`: what the first `join` carries. */
  constructor(initial: Meta | undefined) {
    this.#accepted = initial;
  }

  /** What goes with a `join`. */
  get newest(): Meta | undefined {
    return this.#open.length ? this.#open.at(-1)?.meta : this.#accepted;
  }

  /** Of the join that waits for its answer: the request whose metadata it carries, unless the server has accepted them before. */
  get offered(): string | undefined {
    return this.#offered;
  }

  /** An update was asked for. */
  ask(id: string, meta: Meta): void {
    this.#open.push({ id, meta });
    if (this.#open.length > QUEUE_MESSAGES) this.#open.shift(); // those of a server that answers nothing
  }

  /** It has come to nothing: what was before it holds on. */
  drop(id: string): void {
    this.#open = this.#open.filter((update) => update.id !== id);
  }

  /** The server has taken it, and so handled all before it. */
  accept(id: string): void {
    const at = this.#open.findIndex((update) => update.id === id);
    if (at >= 0) this.#accepted = this.#open.splice(0, at + 1).at(-1)?.meta;
  }

  /** A join is on its way: with the newest, or with none because it takes a session over. */
  join(carries: boolean): void {
    this.#offered = carries ? this.#open.at(-1)?.id : undefined;
  }

  /** The join was let in. */
  joined(): void {
    if (this.#offered !== undefined) this.accept(this.#offered);
    this.#offered = undefined;
  }
}
