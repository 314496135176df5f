import type { Changes } from './changes.js';
import { readAge, readCells } from './compact/cells.js';
import { begin } from './compact/coder.js';
import type { Model } from './compact/model.js';
import { fail } from './error.js';
import { AMOUNT_END, KNOWN_NAMES, SELECTIONS_MAX } from './field.js';
import { AGED, COMPACT, PieceKind } from './frame.js';
import type { Values } from './message.js';
import { type Attributes, type Mirror, Runner } from './mirror.js';
import { readPlain } from './plain.js';
import { type Reader, utf8 } from './reader.js';

/** Longest market id in bytes. */
const ID_BYTES_MAX = 64;

/**
 * Reads a piece, from behind its market number to the reader's end, into a mirror: all of it, or nothing of it if it
 * throws. Returns whether it is applied; a catch-up that says what is held already is not [SYNC-6].
 *
 * `kind` is that of the frame's list. `revision` and `time` are those of the frame, which deltas count from. Compact
 * pieces are read with `model`; without one, reading has begun already, because the delta leads the frame.
 */
export function applyPiece(
  mirror: Mirror,
  kind: number,
  reader: Reader,
  definition: Values | undefined,
  revision: number,
  time: number,
  model: Model | undefined,
  changes: Changes,
): boolean {
  const isCompact = kind & COMPACT;
  const isAged = kind & AGED;
  kind &= 3;
  const isDelta = kind === PieceKind.Delta;
  if (!isDelta) {
    revision = reader.u();
    time = reader.s();
  }
  if (isCompact && model) begin(model, reader.bytes, reader.pos, reader.end);
  if (isDelta) time -= isCompact ? readAge() : isAged && reader.u();
  const publishedMs = 10 * time;
  if (revision >= AMOUNT_END || publishedMs < 0 || publishedMs >= AMOUNT_END) fail('HEAD');
  const from = changes.length;
  const { runners } = mirror;
  const held = runners.length;
  let isApplied = false;
  try {
    if (definition) addRunners(mirror, definition, kind === PieceKind.Snapshot);
    else if (kind === PieceKind.Snapshot) fail('DEFINITION');
    if (isCompact) readCells(mirror, changes, isDelta, kind === PieceKind.CatchUp);
    else readPlain(reader, mirror, changes, isDelta);
    const attributes = (definition?.[5] ?? []).map((attribute: Values) => readAttribute(mirror, attribute));
    if (revision >= mirror.revision) {
      isApplied = true;
      for (const [held, name, value] of attributes) {
        if (value) held.set(name, value);
        else held.delete(name);
      }
      if (definition) mirror.definitionDigest = undefined;
      mirror.revision = revision;
      mirror.publishedMs = publishedMs;
    } else if (isDelta) {
      fail('SELECTION');
    }
    return isApplied;
  } finally {
    if (!isApplied) {
      changes.undo(mirror, from);
      runners.length = held;
    }
  }
}

function addRunners(mirror: Mirror, [, , id = '', first = 0, keys = []]: Values, isSnapshot: boolean): void {
  const { runners } = mirror;
  if (isSnapshot) {
    if (!id || utf8(id).length > ID_BYTES_MAX || /[\0-\x1f\x7f-\x9f]/.test(id)) fail('DEFINITION');
    mirror.id = id;
  }
  if (first + keys.length > SELECTIONS_MAX || (isSnapshot ? first > 0 : keys.length > 0 && first > runners.length)) {
    fail('SELECTION');
  }
  const numbers = new Map(keys.length > 0 ? runners.map(({ id, handicap, number }) => [`${id} ${handicap}`, number]) : []);
  keys.forEach(([, key = '0', handicap = 0]: Values, at: number) => {
    const number = first + at;
    const known = numbers.get(`${key} ${handicap}`);
    // A catch-up may name selections that are held already; they must be the same ones, at the same numbers.
    if (known === undefined ? number < runners.length : known !== number) fail('SELECTION');
    if (known !== undefined) return;
    numbers.set(`${key} ${handicap}`, number);
    runners.push(new Runner(number, key, handicap));
  });
}

/** Where an attribute belongs, its name, and its value as it is held; none removes it. */
function readAttribute(mirror: Mirror, values: Values): [Attributes, string, string | undefined] {
  const [, owner = 0, known = 0, text, , integer] = values;
  const name = known ? (KNOWN_NAMES[known - 1] ?? `#${known}`) : text;
  if (!name) fail('DEFINITION');
  if (owner > mirror.runners.length) fail('SELECTION');
  if (Math.abs(integer) >= AMOUNT_END) fail('RANGE');
  const kind = values.findIndex((value, field) => field > 3 && value !== undefined);
  const value = kind < 0 ? undefined : 'tibj'[kind - 4] + (kind === 6 ? (values[6] ? '1' : '0') : values[kind]);
  return [owner ? mirror.runners[owner - 1]!.attributes : mirror.attributes, name, value];
}
