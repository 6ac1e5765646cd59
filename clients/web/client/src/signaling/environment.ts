// What surrounds a client: clocks, timers, and the news of the page and the network. All of it can be handed in.

import type { Nudge } from './effects.ts';

/** Clocks and timers. */
export interface Clock {
  /** Milliseconds, of a clock that is never set: it may stand still while the machine is asleep. */
  steady(): number;
  /** Milliseconds, of a clock that is set now and then. */
  wall(): number;
  /** Calls `run` after `ms`; returns what `clearTimeout` takes. */
  setTimeout(run: () => void, ms: number): unknown;
  /** Calls it no more. */
  clearTimeout(timer: unknown): void;
}

export const machineClock: Clock = {
  steady: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};

/** So much more on the wall clock than on the steady one: the machine was asleep, or the clock was set. */
const ASLEEP_MS = 1_000;

/** One clock of both: it never goes back, and counts the time that the machine was asleep. */
export function elapsedTime(clock: Clock): () => number {
  let apart = clock.wall() - clock.steady();
  let asleep = 0;
  return () => {
    const steady = clock.steady();
    const gap = clock.wall() - steady - apart;
    apart += gap;
    if (gap > ASLEEP_MS) asleep += gap;
    return steady + asleep;
  };
}

interface Page {
  addEventListener?: EventTarget['addEventListener'];
  removeEventListener?: EventTarget['removeEventListener'];
  document?: EventTarget & { hidden: boolean };
  navigator?: { connection?: EventTarget };
}

/** Whether nobody looks at this page. Where there is no page, nobody has to. */
export const isHidden = (): boolean => (globalThis as Page).document?.hidden ?? false;

/** Calls `nudge` with what makes a connection doubtful, or shows that it is worth trying again. Returns what ends it. */
export function watchSurroundings(nudge: (kind: Nudge) => void): () => void {
  const page = globalThis as Page;
  const heard = ({ type }: Event) => {
    if (type !== 'visibilitychange' || !isHidden()) nudge(type === 'online' ? 'online' : 'other');
  };
  const sources: [Page | EventTarget | undefined, string][] = [
    [page, 'online'],
    [page, 'pageshow'],
    [page.document, 'visibilitychange'],
    [page.document, 'resume'],
    [page.navigator?.connection, 'change'],
  ];
  for (const [source, type] of sources) source?.addEventListener?.(type, heard);
  return () => {
    for (const [source, type] of sources) source?.removeEventListener?.(type, heard);
  };
}

let worker: Worker | undefined;

/**
 * Calls `run` after `ms` in a hidden page, too: browsers slow its timers down to one tick a minute, those of workers they
 * don't. Where no worker can be had (a policy without `worker-src blob:`), nothing is called: use it beside a timer.
 */
export function workerTimer(ms: number, run: () => void): void {
  try {
    worker ??= new Worker(URL.createObjectURL(new Blob(['onmessage=({data:[i,ms]})=>setTimeout(()=>postMessage(i),ms)'])));
    const id = Math.random();
    const over = ({ data }: MessageEvent) => {
      if (data !== id) return;
      worker?.removeEventListener('message', over);
      run();
    };
    worker.addEventListener('message', over);
    worker.postMessage([id, ms]);
  } catch {
    // The timer remains.
  }
}
