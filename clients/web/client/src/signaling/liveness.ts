// Whether the server still answers. Timers come late (a hidden tab has one tick a minute, a suspended laptop none), so a
// look at the clock proves nothing: a connection is lost when a ping stays unanswered, never because much time has gone.

/** A timer that comes later than this was held up, and so may have been whatever it was waiting for. */
export const LATE_MS = 500;
/** How often the clock is looked at while there is a connection. */
const TICK_MS = 1_000;
/** So much more than a tick between two looks: the machine slept, or the page was held up. */
const JUMP_MS = 2_000;
/** How long a ping that was sent on suspicion may stay unanswered. The others have the server's own `timeoutMs`. */
const PROBE_MS = 3_000;

interface Question {
  /** When it was asked; comes back in the `pong`. */
  t: number;
  dueAt: number;
  /** Asked on suspicion: nothing but the answer itself will do. */
  urgent: boolean;
}

/** Watches one connection. Times in milliseconds of one clock that never goes back. */
export class Liveness {
  #intervalMs: number;
  #timeoutMs: number;
  #seenAt: number;
  #pingedAt: number;
  #question: Question | undefined;
  #excused = false; // the last deadline was late, and does not count
  readonly #ping: (t: number) => void;

  /** `ping(t)` sends one whose `pong` brings `t` back. The connection is good now. */
  constructor(heartbeat: { intervalMs: number; timeoutMs: number }, now: number, ping: (t: number) => void) {
    this.#intervalMs = heartbeat.intervalMs;
    this.#timeoutMs = heartbeat.timeoutMs;
    this.#seenAt = this.#pingedAt = now;
    this.#ping = ping;
  }

  /** When `tick` wants to be called next. */
  get dueAt(): number {
    return Math.min(this.#seenAt + TICK_MS, this.#question?.dueAt ?? Infinity);
  }

  /** Something has made the connection doubtful: it has to prove itself, soon. */
  probe(now: number): void {
    if (!this.#question?.urgent) this.#ask(now, PROBE_MS, true);
  }

  /** A frame arrived; `t` is that of a `pong`. */
  heard(type: string, t: number | undefined, now: number): void {
    const question = this.#question;
    if (!question) return;
    // What was on its way already proves nothing about the path now: suspicion asks for the pong itself. But as long as
    // frames come, the pong may be behind them.
    if (question.urgent && (type !== 'pong' || (t ?? 0) < question.t)) {
      question.dueAt = now + PROBE_MS;
      return;
    }
    this.#question = undefined;
    this.#excused = false;
  }

  /** Time has gone by. Returns what is lost: 'urgent' when it was suspected, 'silent' when it said nothing for too long. */
  tick(now: number): 'urgent' | 'silent' | undefined {
    const question = this.#question;
    if (question && now >= question.dueAt) {
      const excused = now - question.dueAt > LATE_MS && !this.#excused;
      this.#seenAt = now;
      this.#excused = excused;
      if (!excused) return question.urgent ? 'urgent' : 'silent';
      this.#ask(now, PROBE_MS, true);
      return undefined;
    }
    const slept = now - this.#seenAt - TICK_MS > JUMP_MS;
    this.#seenAt = now;
    if (slept) this.probe(now);
    else if (now - this.#pingedAt >= this.#intervalMs - TICK_MS / 2) {
      if (question) this.#send(now);
      else this.#ask(now, this.#timeoutMs, false);
    }
    return undefined;
  }

  #ask(now: number, ms: number, urgent: boolean): void {
    this.#question = { t: Math.floor(now), dueAt: now + ms, urgent };
    this.#send(now);
  }

  #send(now: number): void {
    this.#pingedAt = now;
    this.#ping(Math.floor(now));
  }
}
