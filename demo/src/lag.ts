/** Each bucket ends this much later than the one before. */
const STEP = 1.1;
/** The first bucket ends here; published times have steps of 10 ms, so there is nothing finer to see. */
const FIRST_MS = 1;
/** Buckets up to about 40 s. */
const BUCKETS = 112;
/** Seconds that percentiles are taken over. */
const SECONDS = 10;

/** Percentiles of the last ten seconds, in memory that does not grow. */
export class Lag {
  readonly #seconds = Array.from({ length: SECONDS }, () => new Uint32Array(BUCKETS + 1));
  #second = 0;

  add(lagMs: number, nowMs: number): void {
    this.#turn(nowMs);
    const bucket = lagMs <= FIRST_MS ? 0 : Math.min(Math.ceil(Math.log(lagMs / FIRST_MS) / Math.log(STEP)), BUCKETS);
    this.#seconds[this.#second % SECONDS]![bucket]!++;
  }

  /** Upper ends of the buckets that the shares of all values fall into, in milliseconds; nothing without values. */
  percentiles(shares: readonly number[], nowMs: number): number[] | undefined {
    this.#turn(nowMs);
    const counts = Array.from({ length: BUCKETS + 1 }, (_, bucket) => this.#seconds.reduce((sum, second) => sum + second[bucket]!, 0));
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return undefined;
    return shares.map((share) => {
      let left = share * total;
      const bucket = counts.findIndex((count) => (left -= count) <= 0);
      return FIRST_MS * STEP ** Math.max(bucket, 0);
    });
  }

  #turn(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    for (let passed = Math.min(second - this.#second, SECONDS); passed > 0; passed--) {
      this.#seconds[(second - passed + 1) % SECONDS]!.fill(0);
    }
    this.#second = second;
  }
}
