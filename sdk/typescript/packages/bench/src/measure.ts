/**
 * Time per changed cell, in whatever engine this runs: decoding and applying this SDK's frames, against parsing the same
 * changes as JSON and with protobuf-es (parsing alone, without applying them to anything).
 */
import { ClientSession, type View } from '@oddswire/core';
import { describeChanges } from '@oddswire/web/changes';

import { fromProtobuf, toProtobuf, type Update, updateOf } from './rivals.js';

/** One line of the table. */
export interface Row {
  readonly name: string;
  /** Nanoseconds a cell, in each round. */
  readonly times: number[];
  /**
   * For each chunk of messages its time in each round, in milliseconds. The shortest of them has nothing in it that others did on the
   * machine, and the median little, as long as others do less than half.
   */
  readonly chunks: number[][];
  readonly cells: number;
  readonly bytesPerCell: number;
}

/** The frames of one connection, taken apart in steps: what is not timed before what is. */
interface Recording {
  readonly frames: readonly Uint8Array[];
  /** Whether a frame has changes and no first image. */
  readonly timed: readonly boolean[];
  readonly updates: readonly Update[];
  readonly cells: number;
  readonly bytes: number;
  readonly deltas: number;
}

/** Messages that are timed together: clocks of browsers are coarse, and turns of other processes seldom so short. */
const CHUNK = 16;

/** What was parsed last, so that parsing it cannot be left out. */
const kept: { value?: unknown } = {};

/**
 * Measures the same changes in every form. The plain frames are of a connection of their own, whose flushes fall elsewhere,
 * so they count their own cells.
 */
export function measure(view: View, compactFrames: readonly Uint8Array[], plainFrames: readonly Uint8Array[], rounds: number): { title: string; rows: Row[] } {
  const compact = read(compactFrames, view);
  const plain = read(plainFrames, view);
  const json = compact.updates.map((update) => JSON.stringify(update));
  const protobuf = compact.updates.map(toProtobuf);
  const length = (texts: readonly { readonly length: number }[]): number => texts.reduce((sum, { length }) => sum + length, 0);
  const subjects: readonly [string, () => number[], number, number][] = [
    ['compact, decode + apply', () => apply(compact, view), compact.bytes, compact.cells],
    ['plain, decode + apply', () => apply(plain, view), plain.bytes, plain.cells],
    ['JSON.parse', () => parse(json, JSON.parse), length(json), compact.cells],
    ['protobuf-es, decode', () => parse(protobuf, fromProtobuf), length(protobuf), compact.cells],
  ];
  const rows: Row[] = subjects.map(([name, , bytes, cells]) => ({ name, times: [], chunks: [], cells, bytesPerCell: bytes / cells }));
  // One after the other in every round, so that a busy machine is as bad for all.
  for (let round = 0; round < rounds; round++) {
    subjects.forEach(([, run, , cells], at) => {
      const { times, chunks } = rows[at]!;
      const taken = run();
      times.push((1e6 * sum(taken)) / cells);
      taken.forEach((ms, chunk) => (chunks[chunk] ??= []).push(ms));
    });
  }
  const { deltas, cells } = compact;
  return { title: `${view}: ${deltas} frames with changes, ${cells} changed cells, ${(cells / deltas).toFixed(1)} a frame`, rows };
}

/** Milliseconds of each chunk. */
function parse<Text>(texts: readonly Text[], one: (text: Text) => unknown): number[] {
  const chunks: number[] = [];
  for (let at = 0; at < texts.length; ) {
    const end = Math.min(at + CHUNK, texts.length);
    const startedMs = performance.now();
    for (; at < end; at++) kept.value = one(texts[at]!);
    chunks.push(performance.now() - startedMs);
  }
  return chunks;
}

/** Milliseconds of each chunk. First images are applied, and not timed, for they hold other cells than those that are counted. */
function apply({ frames, timed }: Recording, view: View): number[] {
  const session = start(view);
  const chunks: number[] = [];
  for (let at = 0; at < frames.length; ) {
    const isTimed = timed[at];
    const startedMs = performance.now();
    for (let taken = 0; at < frames.length && taken < CHUNK && timed[at] === isTimed; taken++) {
      session.handleFrame(0, frames[at++]!);
      session.takeEvents();
    }
    if (isTimed) chunks.push(performance.now() - startedMs);
  }
  return chunks;
}

function sum(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function start(view: View): ClientSession {
  const session = new ClientSession({ agent: 'bench/1', clock: () => 0 });
  session.subscribe(1, { topics: ['all'], view, rateMs: 0 });
  session.connected(0);
  return session;
}

function read(frames: readonly Uint8Array[], view: View): Recording {
  const session = start(view);
  session.keepsChanges = true;
  const updates: Update[] = [];
  const timed: boolean[] = [];
  let bytes = 0;
  for (const frame of frames) {
    session.handleFrame(0, frame);
    const events = session.takeEvents();
    const isTimed = events.some(({ type }) => type === 'changed') && !events.some(({ type }) => type === 'snapshot');
    timed.push(isTimed);
    if (!isTimed) continue;
    bytes += frame.length;
    for (const event of events) {
      if (event.type !== 'changed') continue;
      const described = describeChanges(session.changes, event);
      if (described.length > 0) updates.push(updateOf(event.market.revision, described));
    }
  }
  const cells = updates.reduce((sum, update) => sum + update.cells.length, 0);
  return { frames, timed, updates, cells, bytes, deltas: timed.filter(Boolean).length };
}

/** The lines of a table, the first subject being what the others are compared with. */
export function describe({ title, rows }: { title: string; rows: readonly Row[] }): string[] {
  const own = median(rows[0]!.times);
  return [
    title,
    ...rows.map(({ name, times, chunks, cells, bytesPerCell }) => {
      const typical = median(times);
      const each = (one: (chunk: number[]) => number): string => ((1e6 * sum(chunks.map(one))) / cells).toFixed(0);
      return (
        `  ${name.padEnd(25)} ${typical.toFixed(0).padStart(5)} ns a cell (median of ${times.length} rounds), ` +
        `${each(median)} of chunks, ${each((chunk) => Math.min(...chunk))} undisturbed, ` +
        `${(typical / own).toFixed(2)} x, ${bytesPerCell.toFixed(1)} bytes a cell`
      );
    }),
  ];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
