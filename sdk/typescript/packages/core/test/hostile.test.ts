import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ClientSession } from '@oddswire/core';
import { writeBytes } from '@oddswire/core/internal';
import { seeded, vectors } from '@oddswire/testing';

/** What a frame of 1 MiB may take, whatever is in it; a busy machine of today takes a few hundred. */
const FRAME_MS_MAX = 5000;
const FRAME_BYTES = 1_000_000;
const worked = vectors().find(({ path }) => path === 'piece/delta-back-and-lay')!;

function varint(value: number): number[] {
  const out: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  return [...out, value];
}

/** Takes a frame in a live session, in time. */
function take(frame: number[]): ClientSession {
  const session = new ClientSession({ agent: 'hostile/1', clock: () => 0 });
  session.keepsChanges = true;
  session.subscribe(1, { topics: ['all'], view: 'full', rateMs: 0 });
  session.connected(0);
  for (const bytes of worked.frames.slice(0, 3)) session.handleFrame(0, bytes);
  session.takeEvents();
  const startedMs = performance.now();
  session.handleFrame(0, Uint8Array.from(frame));
  const ms = performance.now() - startedMs;
  assert.ok(ms < FRAME_MS_MAX, `${Math.round(ms)} ms`);
  return session;
}

/** A frame with one delta of market 0, selection 0, ladder Back, of the rungs that `rung` gives until it is full. */
function ladderFrame(rung: (at: number) => number[]): number[] {
  const piece = [0, 1, 1];
  for (let at = 0; piece.length < FRAME_BYTES; at++) piece.push(...rung(at));
  return [0x30, 2, ...writeBytes([], 11 * 8, piece)];
}

test('rungs beside the ladder that all belong at its top', () => {
  const session = take(ladderFrame((at) => [1, ...varint(30_001 + 3 * at), 1]));
  assert.equal(session.telemetry.piecesUnreadable, 1);
});

test('one rung, set again and again', () => {
  const session = take(ladderFrame(() => [1, ...varint(30_001), 1]));
  assert.equal(session.telemetry.piecesUnreadable, 1);
});

test('markets of as many selections as there may be', () => {
  const keys = Array.from({ length: 1536 }, (_, at) => writeBytes([], 4 * 8, [8, ...varint(at + 1)])).flat();
  const frame: number[] = [];
  for (let market = 1; frame.length < FRAME_BYTES; market++) {
    const definition = [8, ...varint(market), ...writeBytes([], 2 * 8, [0x61, ...Buffer.from(String(market))]), ...keys];
    for (const byte of writeBytes([], 9 * 8, definition)) frame.push(byte);
    for (const byte of writeBytes([], 10 * 8, [...varint(market), 1, 0])) frame.push(byte);
  }
  const session = take(frame);
  assert.ok(session.telemetry.snapshots > 100);
});

test('compact pieces of a megabyte', () => {
  const random = seeded(3);
  for (let round = 0; round < 24; round++) {
    // Bytes that are all alike are the likeliest symbols, or the unlikeliest, again and again.
    const filling = round < 8 ? round * 36 : undefined;
    const coded = Array.from({ length: FRAME_BYTES / 10 }, () => filling ?? random() * 256);
    const catchUp = [0, 11, 0, ...coded];
    take([0x30, 2, ...writeBytes([], (round % 2 ? 15 : 22) * 8, round % 2 ? [0, ...coded] : catchUp)]);
  }
});

test('the same digest, again and again', () => {
  const frame: number[] = [];
  while (frame.length < FRAME_BYTES) frame.push(0x9a, 1, 9, 0x11, 1, 2, 3, 4, 5, 6, 7, 8);
  const session = take(frame);
  assert.equal(session.telemetry.digestsChecked, 1);
});

test('nothing but empty definitions and edges', () => {
  const frame: number[] = [];
  while (frame.length < FRAME_BYTES) frame.push(0x4a, 0, 0x92, 1, 0);
  take(frame);
});

test('a frame that grows longer than one may be is refused unread', () => {
  const session = new ClientSession({ agent: 'hostile/1', clock: () => 0 });
  session.connected(0);
  assert.throws(() => session.handleFrame(0, new Uint8Array(1024 * 1024 + 1)), { name: 'FRAME_TOO_LONG' });
});
