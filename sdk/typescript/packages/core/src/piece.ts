import type { Changes } from './changes.js';
import type { Encoding } from './encoding.js';
import { fail } from './error.js';
import { AMOUNT_END, KNOWN_NAMES, SELECTIONS_MAX } from './field.js';
import { PieceKind } from './frame.js';
import type { Values } from './message.js';
import { type Mirror, Runner } from './mirror.js';
import { type Reader, utf8 } from './reader.js';

/** Longest market id in bytes. */
const ID_BYTES_MAX = 64;

/**
 * Reads a piece, from behind its market number to the reader's end, into a mirror: all of it, or nothing of it if it
 * throws. Returns whether it is applied; a catch-up that says what is held already is not [SYNC-6].
 *
 * `revision` and `time` are those of the frame, which deltas count from.
 */
export function applyPiece(
  mirror: Mirror,
  kind: PieceKind,
  reader: Reader,
  definition: Values | undefined,
  revision: number,
  time: number,
  encoding: Encoding,
  changes: Changes,
): boolean {
  const isDelta = kind === PieceKind.Delta;
  if (!isDelta) revision = reader.u();
  const publishedMs = 10 * (isDelta ? time - reader.u() : reader.s());
  if (revision >= AMOUNT_END || publishedMs < 0 || publishedMs >= AMOUNT_END) fail('HEAD');
  const from = changes.length;
  const { runners } = mirror;
  const held = runners.length;
  try {
    if (definition) addRunners(mirror, definition, kind === PieceKind.Snapshot);
    else if (kind === PieceKind.Snapshot) fail('DEFINITION');
    encoding.decode(reader, mirror, changes, isDelta);
    const attributes = (definition?.[5] ?? []).map((attribute: Values) => readAttribute(mirror, attribute));
    const isHeld = revision < mirror.revision;
    if (isHeld && isDelta) fail('SELECTION');
    if (isHeld) {
      changes.undo(mirror, from);
      runners.length = held;
      return false;
    }
    for (const set of attributes) set();
    if (definition) mirror.definitionDigest = undefined;
  } catch (error) {
    changes.undo(mirror, from);
    runners.length = held;
    throw error;
  }
  mirror.revision = revision;
  mirror.publishedMs = publishedMs;
  return true;
}

function addRunners(mirror: Mirror, [, , id = '', first = 0, keys = []]: Values, isSnapshot: boolean): void {
  const { runners } = mirror;
  if (isSnapshot) {
    if (!isId(id)) fail('DEFINITION');
    mirror.id = id;
  }
  if (first + keys.length > SELECTIONS_MAX || (isSnapshot && first > 0)) fail('SELECTION');
  if (keys.length > 0 && first > runners.length) fail('SELECTION');
  keys.forEach(([, key = '0', handicap = 0]: Values, at: number) => {
    const number = first + at;
    // A catch-up may name selections that are held already; they must be the same ones, at the same numbers.
    const known = runners.findIndex((runner) => runner.id === key && runner.handicap === handicap);
    if (known < 0 ? number < runners.length : known !== number) fail('SELECTION');
    if (known < 0) runners.push(new Runner(number, key, handicap));
  });
}

/** Checks an attribute, and returns what sets or removes it. */
function readAttribute(mirror: Mirror, values: Values): () => void {
  const [kind, owner = 0, known = 0, text = ''] = values;
  const name: string = known === 0 ? text : (KNOWN_NAMES[known - 1] ?? `#${known}`);
  if (!name) fail('DEFINITION');
  if (owner > mirror.runners.length) fail('SELECTION');
  const value = values[kind];
  if (kind === 5 && Math.abs(value) >= AMOUNT_END) fail('RANGE');
  return () => {
    const attributes = owner === 0 ? mirror.attributes : (mirror.runners[owner - 1]!.attributes ??= new Map());
    if (kind) attributes.set(name, 'tibj'[kind - 4] + (kind === 6 ? (value ? 1 : 0) : value));
    else attributes.delete(name);
  };
}

function isId(id: string): boolean {
  return id !== '' && utf8(id).length <= ID_BYTES_MAX && !/[\0-\x1f\x7f-\x9f]/.test(id);
}
