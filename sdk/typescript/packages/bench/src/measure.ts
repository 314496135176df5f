/**
 * Time per changed cell, in whatever engine this runs: decoding and applying this SDK's frames, against parsing the same
 * changes as JSON and with protobuf-es (parsing alone, without applying them to anything).
 */
import { ClientSession, type View } from '@oddswire/web';
import { describeChanges } from '@oddswire/web/changes';

import { fromProtobuf, toProtobuf, type Update, updateOf } from './rivals.js';

/** One line of the table. */
export interface Row {
  readonly name: string;
  /** Nanoseconds a cell, in each round. */
  readonly times: number[];
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
  const subjects: readonly [string, () => number, number][] = [
    ['compact, decode + apply', () => apply(compact, view), compact.bytes / compact.cells],
    ['plain, decode + apply', () => apply(plain, view), plain.bytes / plain.cells],
    ['JSON.parse', () => parse(json, JSON.parse) / compact.cells, length(json) / compact.cells],
    ['protobuf-es, decode', () => parse(protobuf, fromProtobuf) / compact.cells, length(protobuf) / compact.cells],
  ];
  const rows: Row[] = subjects.map(([name, , bytesPerCell]) => ({ name, times: [], bytesPerCell }));
  // One after the other in every round, so that a busy machine is as bad for all.
  for (let round = 0; round < rounds; round++) subjects.forEach(([, run], at) => rows[at]!.times.push(run() * 1e6));
  const { deltas, cells } = compact;
  return { title: `${view}: ${deltas} frames with changes, ${cells} changed cells, ${(cells / deltas).toFixed(1)} a frame`, rows };
}

function parse<Text>(texts: readonly Text[], one: (text: Text) => unknown): number {
  const startedMs = performance.now();
  for (const text of texts) kept.value = one(text);
  return performance.now() - startedMs;
}

/** Milliseconds a cell. First images are applied, and not timed, for they hold other cells than those that are counted. */
function apply({ frames, timed, cells }: Recording, view: View): number {
  const session = start(view);
  let spentMs = 0;
  // Looked at where runs begin and end, and not at every frame: clocks of browsers are coarse.
  let startedMs = 0;
  for (let at = 0; at < frames.length; at++) {
    if (timed[at] && !timed[at - 1]) startedMs = performance.now();
    session.handleFrame(0, frames[at]!);
    session.takeEvents();
    if (timed[at] && !timed[at + 1]) spentMs += performance.now() - startedMs;
  }
  return spentMs / cells;
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
    ...rows.map(({ name, times, bytesPerCell }) => {
      const typical = median(times);
      return (
        `  ${name.padEnd(25)} ${typical.toFixed(0).padStart(5)} ns a cell (median of ${times.length}; fastest ${Math.min(...times).toFixed(0)}), ` +
        `${(typical / own).toFixed(2)} x, ${bytesPerCell.toFixed(1)} bytes a cell`
      );
    }),
  ];
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
