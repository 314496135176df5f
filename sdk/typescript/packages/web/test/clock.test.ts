import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sleeplessClock } from '@oddswire/web/internal';

function clocks(): { steady: number; wall: number; read: () => number } {
  const clock = { steady: 0, wall: 1_000_000, read: (): number => 0 };
  clock.read = sleeplessClock(() => clock.steady, () => clock.wall);
  return clock;
}

test('it goes with the steady clock, whatever the grain of the other', () => {
  const clock = clocks();
  for (let ms = 0; ms < 10_000; ms += 0.3) {
    clock.steady = ms;
    clock.wall = 1_000_000 + Math.floor(ms);
    assert.equal(clock.read(), ms);
  }
});

test('it sees a sleep that the steady clock slept through', () => {
  const clock = clocks();
  clock.steady = 100;
  clock.wall += 60_100;
  assert.equal(clock.read(), 60_100);
  clock.steady = 200;
  clock.wall += 100;
  assert.equal(clock.read(), 60_200);
});

test('it does not go back when the wall clock is set back', () => {
  const clock = clocks();
  clock.steady = 5000;
  clock.wall -= 3_600_000;
  assert.equal(clock.read(), 5000);
  clock.steady = 5100;
  clock.wall += 100;
  assert.equal(clock.read(), 5100);
});
