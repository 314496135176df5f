/** Messages said at once. A gateway takes 50, and delays on the way may push later ones up against the burst. */
const BURST = 40;
/** Time for each message in the long run; a gateway takes 20 a second. */
const PACE_MS = 70;

/** Says messages no faster than a gateway takes them [LIMIT-1]. */
export class Pace {
  #queue: Uint8Array[] = [];
  #free = BURST;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(readonly send: (message: Uint8Array) => void) {}

  say(messages: readonly Uint8Array[]): void {
    this.#queue.push(...messages);
    this.#flush();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#queue = [];
  }

  #flush(): void {
    for (const message of this.#queue.splice(0, this.#free)) {
      this.#free--;
      this.send(message);
    }
    if (this.#free < BURST) {
      this.#timer ??= setInterval(() => {
        this.#free++;
        this.#flush();
        if (this.#free >= BURST) {
          clearInterval(this.#timer);
          this.#timer = undefined;
        }
      }, PACE_MS);
    }
  }
}
