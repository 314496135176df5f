import { fail } from './error.js';
import { INFINITE } from './field.js';

/**
 * A price ladder is known by its step in ten-thousandths; this one is Betfair's, whose steps grow [LADDER-2]. Decimal odds
 * and the values of a line differ in meaning alone.
 */
export const BETFAIR = 0;

/** Betfair's ticks in ten-thousandths: from 1.01, each pair is a step and where the next one begins, both in hundredths. */
const TICKS = new Uint32Array(350);
/** Indexes of ticks by {@link placeOf}. */
const INDEXES = new Uint16Array(3_001);
let filled = 0;
let tick = 10_100;
[1, 200, 2, 300, 5, 400, 10, 600, 20, 1_000, 50, 2_000, 100, 3_000, 200, 5_000, 500, 10_000, 1_000, 100_001].forEach((end, at, pairs) => {
  for (; at % 2 && tick < end * 100; tick += pairs[at - 1]! * 100) {
    TICKS[filled] = tick;
    INDEXES[placeOf(tick)] = filled++;
  }
});

/** A place for every price up to 1000: up to 10 in steps of 0.01, from there on of 0.5. A tick shares it with none. */
function placeOf(price: number): number {
  // Whole numbers are divided without a division.
  price |= 0;
  return price > 100_000 ? 1_000 + ((price / 5_000) | 0) : (price / 100) | 0;
}

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
  if (step === BETFAIR) {
    const index = price > 1e7 ? 0 : INDEXES[placeOf(price)]!;
    return TICKS[index] === price ? index : -1;
  }
  const index = price / step;
  return price === 0 || price === INFINITE || index !== Math.floor(index) ? -1 : index;
}

/** The price at an index. */
export function priceAt(step: number, index: number): number {
  if (step === BETFAIR) return TICKS[index] ?? fail('PRICE');
  const price = index * step;
  if (price < 0 || price >= INFINITE) fail('PRICE');
  return price;
}
