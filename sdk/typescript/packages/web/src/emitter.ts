/** What has events. */
export interface Emitter<Events> {
  /** Calls a function at every such event, until the function that this returns is called. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
}

/** Listeners by event. */
export interface Listeners<Events> extends Emitter<Events> {
  /** Whether anybody listens. */
  hears(name: keyof Events): boolean;
  /** Tells all listeners. One that throws must not keep the others from hearing, nor the client from going on. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void;
}

export function listeners<Events>(): Listeners<Events> {
  const byName = new Map<keyof Events, Set<(event: any) => void>>();
  return {
    on(name, listener) {
      const held = byName.get(name) ?? new Set();
      byName.set(name, held.add(listener));
      return () => {
        if (held.delete(listener) && held.size === 0) byName.delete(name);
      };
    },

    hears: (name) => byName.has(name),

    emit(name, event) {
      for (const listener of byName.get(name) ?? []) {
        try {
          listener(event);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
  };
}
