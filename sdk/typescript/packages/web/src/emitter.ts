/** Listeners by event. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls a function at every such event, until the function that this returns is called. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const held = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, held.add(listener));
    return () => {
      if (held.delete(listener) && held.size === 0) this.#listeners.delete(name);
    };
  }

  /** Whether anybody listens. */
  protected hears(name: keyof Events): boolean {
    return Boolean(this.#listeners.get(name)?.size);
  }

  /** Tells all listeners. One that throws must not keep the others from hearing, nor the client from going on. */
  protected emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
