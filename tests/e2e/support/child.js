// A program that a test started, its output line by line, and its end. Nothing else is ever signalled.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { until } from './until.js';

const KEPT_LINES = 5_000;

export class Child {
  lines = [];
  #process;
  #ended;

  constructor(command, args, options = {}) {
    this.#process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const failed = once(this.#process, 'error').then(([error]) => { this.#keep(`${command}: ${error.message}`); });
    this.#ended = Promise.race([once(this.#process, 'close'), failed]);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#keep(line));
    }
  }

  #keep(line) {
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
  }

  get running() {
    const { pid, exitCode, signalCode } = this.#process;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  /** The first line for which `find` returns something; that something. */
  async line(what, find) {
    const state = await until(`${what}; output so far:\n${this.lines.slice(-20).join('\n')}`, () => {
      for (const line of this.lines) {
        const found = find(line);
        if (found) return { found };
      }
      return this.running ? null : { gone: true };
    });
    if (state.gone) throw new Error(`it ended before: ${what}\n${this.lines.slice(-20).join('\n')}`);
    return state.found;
  }

  signal(name) {
    this.#process.kill(name);
  }

  /** Its exit code, once it has ended by itself or by an earlier signal. */
  async exit() {
    const end = await this.#ended;
    return end?.[0] ?? null;
  }

  /** For the end of a test: what still runs is ended at once. */
  async kill() {
    if (this.running) this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
