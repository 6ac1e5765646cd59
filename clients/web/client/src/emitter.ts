// Who listens to what.

type Listener = (detail: never) => void;

/** Listeners by the type of event. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<Listener>>();

  /** Calls `listener` at each such event. Returns what ends that. */
  on<K extends keyof Events>(type: K, listener: (detail: Events[K]) => void): () => void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners);
    const entry: Listener = (detail) => listener(detail);
    listeners.add(entry);
    return () => {
      listeners.delete(entry);
    };
  }

  /** Calls `listener` at the next such event only. */
  once<K extends keyof Events>(type: K, listener: (detail: Events[K]) => void): () => void {
    const off = this.on(type, (detail) => {
      off();
      listener(detail);
    });
    return off;
  }

  emit<K extends keyof Events>(type: K, detail: Events[K]): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        listener(detail as never);
      } catch (error) {
        // A listener's mistake is its author's to see, and harms nobody else.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
