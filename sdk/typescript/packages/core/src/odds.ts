/** How odds are written. */
export type OddsFormat = 'decimal' | 'fractional' | 'american';

/**
 * Fractions as bookmakers in the United Kingdom write them, where that is not the reduced fraction of the decimal odds:
 * the decimals do not end, are rounded to two places, or the custom is another one. Each holds for the decimal odds
 * rounded to four places and to two.
 */
const FRACTIONS = new Map<number, string>();
for (const text of (
  '20/21 1/33 1/16 1/14 1/12 1/11 1/9 1/8 1/7 1/6 2/11 2/9 2/7 1/3 4/11 4/9 8/15 4/7 8/13 4/6 8/11 5/6 10/11 ' +
  '11/8 6/4 13/8 15/8 17/8 7/3 8/3 10/3'
).split(' ')) {
  const [numerator, denominator] = text.split('/').map(Number) as [number, number];
  const units = (numerator / denominator + 1) * 10_000;
  // The exact ones come last and stand.
  FRACTIONS.set(Math.round(units / 100 + 1e-9) * 100, text);
}
for (const text of [...FRACTIONS.values()]) {
  const [numerator, denominator] = text.split('/').map(Number) as [number, number];
  FRACTIONS.set(Math.round((numerator / denominator + 1) * 10_000), text);
}

/** Decimal odds in a format for people; `-` for none. */
export function formatOdds(price: number | undefined, format: OddsFormat = 'decimal'): string {
  if (price === undefined || !(price > 1) || price === Infinity) return '-';
  const units = Math.round(price * 10_000);
  if (format === 'fractional') return fraction(units);
  if (format === 'decimal') return units % 100 ? String(units / 10_000) : price.toFixed(2);
  const gain = units / 10_000 - 1;
  return gain >= 1 ? `+${Math.round(gain * 100)}` : `-${Math.round(100 / gain)}`;
}

function fraction(units: number): string {
  if (units === 20_000) return 'Evens';
  const known = FRACTIONS.get(units);
  if (known) return known;
  const divisor = greatestDivisor(units - 10_000, 10_000);
  return `${(units - 10_000) / divisor}/${10_000 / divisor}`;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
