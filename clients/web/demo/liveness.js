// Time, as a page sees it: timers come late (a hidden tab gets one tick a minute, a suspended laptop none), so a look at
// the clock proves nothing. A connection is lost when a ping stays unanswered, never because a timer found much time gone.

/** A timer that comes later than this was held up, and so may have been whatever it was waiting for. */
const LATE_MS = 500;

const now = () => ({ steady: performance.now(), wall: Date.now() });

/** Both clocks are asked: the steady one may stand still while the machine sleeps, the other may be set back. */
const since = ({ steady, wall }) => Math.max(performance.now() - steady, Date.now() - wall);

/** Calls `run(late)` after `ms`; `late` says that the timer was held up. Returns a function that cancels it. */
export function timer(ms, run) {
  const began = now();
  const id = setTimeout(() => run(since(began) - ms > LATE_MS), ms);
  return () => clearTimeout(id);
}

/** As `timer`, but when it comes late, whatever arrived meanwhile gets as much time again to be noticed. */
export function deadline(ms, run) {
  let cancel = timer(ms, (late) => {
    if (late) cancel = timer(ms, () => run());
    else run();
  });
  return () => cancel();
}

let worker = null;
const pauses = new Map(); // id -> what to do when it is over

/** Fetches the worker that waits for hidden pages, while its server still answers. Once is enough. */
export function prepare() {
  if (worker) return;
  try {
    worker = new Worker(new URL('pause.js', import.meta.url));
    worker.onmessage = ({ data: id }) => pauses.get(id)?.();
  } catch { /* no workers here: the page's own timers remain */ }
}

/** Calls `run` after `ms`, in a hidden page too: whichever comes first, the worker's timer or the page's own. */
function pause(ms, run) {
  const id = setTimeout(() => over(), ms);
  const cancel = () => {
    clearTimeout(id);
    pauses.delete(id);
  };
  const over = () => {
    cancel();
    run();
  };
  pauses.set(id, over);
  worker?.postMessage({ id, ms });
  return cancel;
}

/**
 * Calls `run` after `ms` that were chosen by chance, so that many clients do not come at once. Where timers are held up,
 * those of all tabs come in the same second and chance has chosen nothing: then it chooses once more, up to `spreadMs`.
 */
export function scattered(ms, spreadMs, run) {
  if (document.hidden) return pause(ms, run);
  let cancel = timer(ms, (late) => {
    if (late) cancel = pause(Math.random() * spreadMs, run);
    else run();
  });
  return () => cancel();
}

const TICK_MS = 1_000;
/** So much more than a tick between two of them: the machine slept, or the page was held up. */
const JUMP_MS = 2_000;
/** How long a ping that was sent on suspicion may stay unanswered. The others have the server's own `timeoutMs`. */
const PROBE_MS = 3_000;

/**
 * Watches one connection. Browsers hide the server's WebSocket pings from a page, so it pings by itself: at each
 * interval, and at once when there is reason to doubt (`probe`).
 */
export class Liveness {
  #ping; #lost;
  #intervalMs = 0;
  #timeoutMs = 0;
  #ticker = null; // null: nothing is watched
  #seen = now();
  #question = null; // the first ping that waits for an answer: { t, urgent, cancel }
  #pingedAt = 0;
  #heard = false; // anything at all since then
  #excused = false; // the last deadline was late, and does not count

  /** `ping(t)` sends one whose pong brings `t` back; `lost({urgent})` is called once, when one stayed unanswered. */
  constructor({ ping, lost }) {
    this.#ping = ping;
    this.#lost = lost;
  }

  /** Begins, with the connection good at this moment. */
  watch({ intervalMs, timeoutMs }) {
    this.stop();
    this.#intervalMs = intervalMs;
    this.#timeoutMs = timeoutMs;
    this.#seen = now();
    this.#pingedAt = performance.now();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  stop() {
    clearInterval(this.#ticker);
    this.#ticker = null;
    this.#answered();
    this.#excused = false;
  }

  /** Something has made the connection doubtful: it has to prove itself, soon. */
  probe() {
    if (this.#ticker !== null && !this.#question?.urgent) this.#ask(PROBE_MS, true);
  }

  /** A frame of the server's arrived. */
  heard(frame) {
    this.#heard = true;
    if (!this.#question) return;
    // What was on its way already proves nothing about the path now: suspicion asks for the pong itself.
    const answers = frame.type === 'pong' && !(frame.t < this.#question.t);
    if (!answers && this.#question.urgent) return;
    this.#answered();
    this.#excused = false;
  }

  #tick() {
    const slept = since(this.#seen) - TICK_MS;
    this.#seen = now();
    if (slept > JUMP_MS) this.probe();
    else if (performance.now() - this.#pingedAt < this.#intervalMs - TICK_MS / 2) return;
    else if (this.#question) this.#send();
    else this.#ask(this.#timeoutMs, false);
  }

  #ask(ms, urgent) {
    this.#answered();
    this.#heard = false;
    this.#question = { t: this.#send(), urgent, cancel: timer(ms, (late) => this.#unanswered(late, urgent)) };
  }

  #send() {
    this.#pingedAt = performance.now();
    const t = Math.floor(this.#pingedAt);
    this.#ping(t);
    return t;
  }

  #answered() {
    this.#question?.cancel();
    this.#question = null;
  }

  #unanswered(late, urgent) {
    const excused = late && !this.#excused;
    this.#excused = excused;
    this.#question = null;
    if (this.#heard) return this.#ask(this.#timeoutMs, false); // busy with what was sent before: slow, and alive
    if (excused) return this.#ask(PROBE_MS, true);
    this.stop();
    this.#lost({ urgent });
  }
}
