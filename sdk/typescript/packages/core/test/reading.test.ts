import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Backoff, ClientSession } from '@oddswire/core';
import { describeChanges } from '@oddswire/core/changes';
import { restoreSession, storeSession } from '@oddswire/core/stored';
import { digestOf } from '@oddswire/core/internal';
import { seeded, vectors } from '@oddswire/testing';

const worked = vectors().find(({ path }) => path === 'piece/delta-back-and-lay')!;

/** A live session as in the protocol's worked example, before its delta, on a clock of its own. */
function liveSession(frames = worked.frames.slice(0, 3)): { session: ClientSession; clock: { nowMs: number } } {
  const clock = { nowMs: 0 };
  const session = new ClientSession({ agent: 'test/1', clock: () => clock.nowMs });
  session.subscribe(1, { topics: ['all'], view: 'full', rateMs: 0 });
  session.connected(0);
  for (const frame of frames) session.handleFrame(0, frame);
  session.takeEvents();
  session.takeMessages();
  return { session, clock };
}

test('a quote has a price while it may be bet on, and only then', () => {
  const { session, clock } = liveSession();
  const { back, lay } = session.market('1.23')!.selection(47972)!;
  assert.ok(back.bettable);
  assert.deepEqual([back.price, back.amount, back.state, back.status, lay.price], [2.48, 12.34, 'live', 'OPEN', 2.5]);
  // Nobody told the quote; the clock alone makes it stale.
  clock.nowMs = 2501;
  assert.deepEqual(
    [back.bettable, back.price, back.amount, back.indicativePrice, back.state, back.status],
    [false, undefined, undefined, 2.48, 'stale', 'SUSPENDED'],
  );
});

test('the same objects are read again, and say what is so now', () => {
  const { session } = liveSession();
  const market = session.market('1.23')!;
  const quote = market.selections[0]!.back;
  session.handleFrame(0, worked.frames[3]!);
  assert.equal(session.market('1.23'), market);
  assert.equal(market.selections[0]!.back, quote);
  assert.equal(quote.price, 2.46);
  assert.deepEqual(market.selections[0]!.depth('back', 1).rungs, [{ price: 2.46, amount: 45 }]);
});

test('a market that has left is never live again to those who still hold it', () => {
  const { session } = liveSession();
  const market = session.market('1.23')!;
  session.handleFrame(0, Uint8Array.from([0x30, 0x80 | 6, 1, 0xa2, 1, 1, 0]));
  assert.equal(session.market('1.23'), undefined);
  assert.deepEqual([market.state, market.status, market.selections[0]!.back.bettable], ['stale', 'SUSPENDED', false]);
});

test('amounts that a view hides are not shown as money', () => {
  const clock = { nowMs: 0 };
  const session = new ClientSession({ agent: 'test/1', clock: () => clock.nowMs });
  session.subscribe(1, { topics: ['market/1.23'], view: 'full-prices', rateMs: 0 });
  session.connected(0);
  for (const frame of worked.frames.slice(0, 3)) session.handleFrame(0, frame);
  const selection = session.market('1.23')!.selections[0]!;
  assert.deepEqual([selection.back.price, selection.back.amount, selection.depth('lay').rungs[0]], [2.48, undefined, { price: 2.5, amount: undefined }]);
});

test('changes are described in the words of people', () => {
  const { session } = liveSession();
  session.handleFrame(0, worked.frames[3]!);
  const [event] = session.takeEvents();
  assert.ok(event?.type === 'changed');
  assert.deepEqual(
    describeChanges(session.changes, event).map(({ selection, field, price, from, to }) => [selection?.id, field, price, from, to]),
    [
      ['47972', 'back', 2.48, 12.34, undefined],
      ['47972', 'back', 2.46, 50, 45],
      ['47972', 'lay', 2.48, undefined, 3],
      ['47972', 'lastTraded', undefined, 2.48, 2.5],
    ],
  );
});

test('what is stored goes on in another session, stale until it has been caught up', () => {
  const { session } = liveSession();
  const text = storeSession(session)!;
  const next = new ClientSession({ agent: 'test/1', clock: () => 0 });
  restoreSession(next, text, 0);
  const market = next.market('1.23')!;
  assert.deepEqual([market.state, market.selections[0]!.back.indicativePrice], ['stale', 2.48]);
  assert.equal(digestOf([...next.held.values()][0]!), digestOf([...session.held.values()][0]!));
  next.subscribe(1, { topics: ['all'], view: 'full', rateMs: 0 });
  next.connected(0);
  const [, subscribe] = next.takeMessages();
  assert.ok(Buffer.from(subscribe!).toString('hex').endsWith('2a0b09efcdab8967452301100a'), 'it names the cursor');
  // Nothing has changed meanwhile: the catch-up is empty.
  for (const hex of ['0a1409efcdab8967452301100a180120e8072a027331', 'c20106080118012001', '4208080a1005180a2000']) {
    next.handleFrame(0, Uint8Array.from(Buffer.from(hex, 'hex')));
  }
  assert.deepEqual([market.state, next.isSynced, market.selections[0]!.back.price], ['live', true, 2.48]);
});

test('what is stored is dropped when the next page subscribes to something else', () => {
  const { session } = liveSession();
  const next = new ClientSession({ agent: 'test/1', clock: () => 0 });
  restoreSession(next, storeSession(session)!, 0);
  next.subscribe(1, { topics: ['all'], view: 'prices', rateMs: 0 });
  next.connected(0);
  assert.deepEqual([next.markets().length, next.cursor], [0, undefined]);
});

test('nothing is stored that no cursor vouches for', () => {
  const { session } = liveSession();
  session.subscribe(2, { topics: ['sport/7'], view: 'full', rateMs: 0 });
  assert.equal(storeSession(session), undefined);
});

test('three snapshots that cannot be read are enough', () => {
  const { session } = liveSession();
  const broken = Uint8Array.from([0x52, 3, 0, 1, 0]);
  const told = [0, 1, 2].map(() => {
    session.handleFrame(0, broken);
    return session.takeEvents().map(({ type }) => type);
  });
  assert.deepEqual(told, [['resyncing'], ['resyncing'], ['abandoned']]);
});

test('what changed nothing visible does not settle, and silence is judged once', () => {
  const { session } = liveSession();
  assert.equal(session.handleTimeout(2500), false);
  assert.equal(session.handleTimeout(2501), true);
  assert.equal(session.telemetry.stale, 1);
  assert.equal(session.handleTimeout(9999), true);
  assert.equal(session.telemetry.stale, 1);
});

test('delays stay under a ceiling that doubles and stops, and a thousand clients spread evenly', () => {
  const backoff = new Backoff(() => 0.999_999);
  const delays = Array.from({ length: 8 }, () => Math.round(backoff.nextDelayMs()));
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
  backoff.reset();
  assert.equal(Math.round(backoff.nextDelayMs()), 500);
  const random = seeded(3);
  const early = Array.from({ length: 1000 }, () => new Backoff(random).nextDelayMs()).filter((delay) => delay < 250).length;
  assert.ok(early > 400 && early < 600, `${early} of 1000 in the first half`);
});

test('between a gap and its catch-up digests are of what is not held yet', () => {
  const { session } = liveSession();
  // Sequence 7 where 6 should be.
  session.handleFrame(0, Uint8Array.from([0x30, 0x87, 1]));
  assert.deepEqual(session.takeEvents(), [{ type: 'gap' }]);
  // A heartbeat that was under way, with a digest of market 0.
  session.handleFrame(0, Uint8Array.from(Buffer.from('1204080b20079a0109110102030405060708', 'hex')));
  assert.deepEqual([session.takeEvents(), session.telemetry.digestsChecked], [[], 0]);
});
