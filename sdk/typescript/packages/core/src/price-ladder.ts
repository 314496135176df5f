import { fail } from './error.js';
import { INFINITE } from './field.js';

/**
 * A price ladder is known by its step in ten-thousandths; this one is Betfair's, whose steps grow [LADDER-2]. Decimal odds
 * and the values of a line differ in meaning alone.
 */
export const BETFAIR = 0;

/** Betfair's ticks in ten-thousandths: from 1.01, each pair is a step and where the next one begins. */
const TICKS = new Uint32Array(350);
let tick = 10_100;
let filled = 0;
for (const [step, end] of [
  [100, 20_000],
  [200, 30_000],
  [500, 40_000],
  [1_000, 60_000],
  [2_000, 100_000],
  [5_000, 200_000],
  [10_000, 300_000],
  [20_000, 500_000],
  [50_000, 1_000_000],
  [100_000, 10_000_001],
] as const) {
  for (; tick < end; tick += step) TICKS[filled++] = tick;
}

/** Indexes of the prices up to 10, which are most of them, by hundredths; 0 for those on no tick, one more for the others. */
const NEAR_MAX = 100_000;
const NEAR = new Uint16Array(NEAR_MAX / 100 + 1);
for (let index = 0; TICKS[index]! <= NEAR_MAX; index++) NEAR[TICKS[index]! / 100] = index + 1;

/** The step of a PriceLadder cell's value [LADDER-1]. */
export function stepOf(code: number): number {
  if (code === 0) return 100;
  if (code === 1) return BETFAIR;
  const step = Math.floor(code / 4);
  if (code % 4 < 2 || step < 1 || step > INFINITE) fail('PRICE_LADDER');
  return step;
}

/** Index of a price on the ladder, -1 when it has none [LADDER-3]. */
export function indexOf(step: number, price: number): number {
  if (price === 0 || price === INFINITE) return -1;
  if (step !== BETFAIR) return price % step ? -1 : price / step;
  if (price <= NEAR_MAX) return price % 100 ? -1 : NEAR[price / 100]! - 1;
  let from = 209;
  let to = 350;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (TICKS[middle]! < price) from = middle + 1;
    else to = middle;
  }
  return TICKS[from] === price ? from : -1;
}

/** The price at an index. */
export function priceAt(step: number, index: number): number {
  if (step === BETFAIR) return TICKS[index] ?? fail('PRICE');
  const price = index * step;
  if (price < 0 || price >= INFINITE) fail('PRICE');
  return price;
}
