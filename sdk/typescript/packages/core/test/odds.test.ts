import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatOdds } from '@oddswire/core/odds';

test('decimal odds have two places, and more where they have more', () => {
  assert.deepEqual([1.01, 2, 2.5, 1000, 1.3333, 9.5456].map((price) => formatOdds(price)), ['1.01', '2.00', '2.50', '1000.00', '1.3333', '9.5456']);
});

test('fractions are those of bookmakers, from exact decimals and from rounded ones', () => {
  const cases: [number, string][] = [
    [2, 'Evens'], [1.3333, '1/3'], [1.33, '1/3'], [1.9091, '10/11'], [1.91, '10/11'], [1.8333, '5/6'], [1.83, '5/6'],
    [1.3636, '4/11'], [1.36, '4/11'], [1.6667, '4/6'], [1.67, '4/6'], [2.5, '6/4'], [2.375, '11/8'], [2.38, '11/8'],
    [1.6154, '8/13'], [1.62, '8/13'], [4.3333, '10/3'], [4.33, '10/3'], [1.5, '1/2'], [3.5, '5/2'], [2.1, '11/10'],
    [11, '10/1'], [34, '33/1'], [1.01, '1/100'], [1.03, '1/33'], [2.02, '51/50'], [3.75, '11/4'], [1.125, '1/8'], [1.13, '1/8'],
  ]; // prettier-ignore
  for (const [price, expected] of cases) assert.equal(formatOdds(price, 'fractional'), expected, String(price));
});

test('a fraction that is no custom is the reduced one, and exact', () => {
  for (let units = 10_100; units < 1_000_000; units += 100) {
    const [numerator, denominator] = formatOdds(units / 10_000, 'fractional').replace('Evens', '1/1').split('/').map(Number) as [number, number];
    assert.ok(Math.abs(numerator / denominator + 1 - units / 10_000) < 0.005_01, String(units));
  }
});

test('American odds are positive from even money on', () => {
  assert.deepEqual([2, 2.5, 1.5, 1.91, 1.01, 101, 1.3333].map((price) => formatOdds(price, 'american')), ['+100', '+150', '-200', '-110', '-10000', '+10000', '-300']);
});

test('what is no odds is a dash', () => {
  for (const price of [undefined, 0, 1, Infinity, NaN]) assert.equal(formatOdds(price, 'fractional'), '-');
});
