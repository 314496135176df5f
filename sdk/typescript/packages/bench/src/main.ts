/**
 * Time per changed cell: decoding and applying this SDK's frames, against parsing the same changes as JSON and with
 * protobuf-es (parsing alone, without applying them to anything).
 */
import { ClientSession, type View } from '@oddswire/web';
import { describeChanges } from '@oddswire/web/changes';

import { recordFrames } from './record.js';
import { fromProtobuf, toProtobuf, type Update, updateOf } from './rivals.js';

const ROUNDS = Number(process.env['ODDSWIRE_BENCH_ROUNDS'] ?? 40);
/** Recordings that show much; and how many times faster than recorded they are replayed, so that flushes stay small. */
const RECORDINGS = (process.env['ODDSWIRE_BENCH_RECORDINGS'] ?? 'pro-cricket-inplay,rec-horse-win-1.258742455').split(',');
const SPEED = process.env['ODDSWIRE_BENCH_SPEED'] ?? 'max';

/** What was parsed last, so that parsing it cannot be left out. */
const kept: { value?: unknown } = {};

for (const view of ['full', 'best3', 'prices'] as View[]) {
  const frames = await recordFrames(view, RECORDINGS, SPEED, true);
  const { updates, cells, bytes, timed } = updatesOf(frames, view);
  // Recorded on its own, so that its flushes fall elsewhere: it has its own cells.
  const plainFrames = await recordFrames(view, RECORDINGS, SPEED, false);
  const plain = updatesOf(plainFrames, view);
  const json = updates.map((update) => JSON.stringify(update));
  const protobuf = updates.map(toProtobuf);
  const rows = {
    'oddswire, decode + apply': () => timeOf(frames, timed, view) / cells,
    'oddswire, plain encoding': () => timeOf(plainFrames, plain.timed, view) / plain.cells,
    'JSON.parse': () => {
      const startedMs = performance.now();
      for (const text of json) kept.value = JSON.parse(text);
      return (performance.now() - startedMs) / cells;
    },
    'protobuf-es, decode': () => {
      const startedMs = performance.now();
      for (const message of protobuf) kept.value = fromProtobuf(message);
      return (performance.now() - startedMs) / cells;
    },
  };
  const times: Record<string, number[]> = {};
  // One after the other in every round, so that a busy machine is as bad for all.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(rows)) {
      (times[name] ??= []).push(run() * 1e6);
    }
  }
  const length = (texts: readonly { readonly length: number }[]): number => texts.reduce((sum, { length }) => sum + length, 0);
  const deltas = timed.filter(Boolean).length;
  console.log(`\n${view}: ${deltas} frames with changes, ${cells} changed cells, ${(cells / deltas).toFixed(1)} a frame`);
  const own = median(times['oddswire, decode + apply']!);
  for (const [name, values] of Object.entries(times)) {
    const sizes: Record<string, number> = {
      'oddswire, plain encoding': (plain.bytes / plain.cells) * cells,
      'JSON.parse': length(json),
      'protobuf-es, decode': length(protobuf),
    };
    const size = sizes[name] ?? bytes;
    console.log(
      `  ${name.padEnd(25)} ${median(values).toFixed(0).padStart(5)} ns a cell (median of ${ROUNDS}; fastest ${Math.min(...values).toFixed(0)}), ` +
        `${(median(values) / own).toFixed(2)} x, ${(size / cells).toFixed(1)} bytes a cell`,
    );
  }
}

/** How long the frames take that are timed: first images are applied, and not timed, for they hold other cells than those that are counted. */
function timeOf(frames: readonly Uint8Array[], timed: readonly boolean[], view: View): number {
  const session = start(view);
  let spentMs = 0;
  frames.forEach((frame, at) => {
    const startedMs = performance.now();
    session.handleFrame(0, frame);
    if (timed[at]) spentMs += performance.now() - startedMs;
    session.takeEvents();
  });
  return spentMs;
}

function start(view: View): ClientSession {
  const session = new ClientSession({ agent: 'bench/1', clock: () => 0 });
  session.subscribe(1, { topics: ['all'], view, rateMs: 0 });
  session.connected(0);
  return session;
}

/** What the frames change, as messages; and which frames that is, for first images are left out. */
function updatesOf(frames: readonly Uint8Array[], view: View): { updates: Update[]; cells: number; bytes: number; timed: boolean[] } {
  const session = start(view);
  session.keepsChanges = true;
  const updates: Update[] = [];
  const timed: boolean[] = [];
  let bytes = 0;
  for (const frame of frames) {
    session.handleFrame(0, frame);
    const events = session.takeEvents();
    const isTimed = events.some(({ type }) => type === 'changed') && !events.some(({ type }) => type === 'snapshot');
    const changed = isTimed ? events.filter((event) => event.type === 'changed') : [];
    timed.push(isTimed);
    for (const event of changed) {
      const described = describeChanges(session.changes, event as never);
      if (described.length > 0) updates.push(updateOf(event.type === 'changed' ? event.market.revision : 0, described));
    }
    if (isTimed) bytes += frame.length;
  }
  return { updates, cells: updates.reduce((sum, update) => sum + update.cells.length, 0), bytes, timed };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

