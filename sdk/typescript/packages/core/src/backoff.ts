/** Ceiling of the first delay before a reconnect [RECON-1]. */
const FIRST_MS = 500;
/** Ceiling of every later delay. */
const CEILING_MAX_MS = 20_000;

/**
 * Delays before reconnecting, drawn evenly from 0 to a ceiling that doubles: full jitter, which spreads a crowd best (see
 * M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
 */
export class Backoff {
  private ceilingMs = FIRST_MS;

  /** `random` gives numbers from 0 to below 1. */
  constructor(private readonly random: () => number) {}

  /** The delay before the next attempt. */
  nextDelayMs(): number {
    const delayMs = this.random() * this.ceilingMs;
    this.ceilingMs = Math.min(this.ceilingMs * 2, CEILING_MAX_MS);
    return delayMs;
  }

  /** An attempt succeeded: short delays again. */
  reset(): void {
    this.ceilingMs = FIRST_MS;
  }
}
