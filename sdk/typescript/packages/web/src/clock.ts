/** Beyond this a difference of the two clocks is sleep, and not their grain. */
const SLEEP_MS = 500;

/**
 * A clock in milliseconds that neither goes back nor stands still while the machine sleeps: `performance.now()` does the
 * one, and in some systems the other; `Date.now()` sees the sleep, and may be set back.
 */
export function sleeplessClock(steady: () => number, wall: () => number): () => number {
  let aheadMs = wall() - steady();
  let sleptMs = 0;
  return () => {
    const nowMs = steady();
    const gainedMs = wall() - nowMs - aheadMs;
    if (Math.abs(gainedMs) > SLEEP_MS) {
      aheadMs += gainedMs;
      sleptMs += Math.max(gainedMs, 0);
    }
    return nowMs + sleptMs;
  };
}
