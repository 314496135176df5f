import type { Attributes } from './attribute.js';
import type { Changes } from './changes.js';
import { readAge, readCells } from './compact/cells.js';
import { begin } from './compact/coder.js';
import type { Model } from './compact/model.js';
import { fail } from './error.js';
import { AMOUNT_END, KNOWN_NAMES, SELECTIONS_MAX } from './field.js';
import { AGED, COMPACT, PieceKind } from './frame.js';
import type { Writable } from './market.js';
import type { Values } from './message.js';
import { readPlain } from './plain.js';
import { type Reader, utf8 } from './reader.js';
import { Selection } from './selection.js';

/** Longest market id in bytes. */
const ID_BYTES_MAX = 64;

/**
 * Reads a piece, from behind its market number to the reader's end, into a market: all of it, or nothing of it if it
 * throws. Returns whether it is applied; a catch-up that says what is held already is not [SYNC-6].
 *
 * `kind` is that of the frame's list. `revision` and `time` are those of the frame, which deltas count from. Compact
 * pieces are read with `model`; without one, reading has begun already, because the delta leads the frame.
 */
export function applyPiece(
  market: Writable,
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
  const isSnapshot = kind === PieceKind.Snapshot;
  if (!isDelta) {
    revision = reader.u();
    time = reader.s();
  }
  if (isCompact && model) begin(model, reader.bytes, reader.pos, reader.end);
  if (isDelta) time -= isCompact ? readAge() : isAged && reader.u();
  const publishedMs = 10 * time;
  if (revision >= AMOUNT_END || publishedMs < 0 || publishedMs >= AMOUNT_END) fail('HEAD');
  const from = changes.length;
  const { selections } = market;
  const held = selections.length;
  const isApplied = revision >= market.revision;
  let isRead = false;
  try {
    if (definition) addSelections(market, definition, isSnapshot);
    else if (isSnapshot) fail('DEFINITION');
    if (isCompact) readCells(market, changes, isDelta, !isDelta && !isSnapshot);
    else readPlain(reader, market, changes, isDelta);
    const attributes = definition?.[5]?.map((attribute: Values) => readAttribute(market, attribute));
    if (!isApplied && isDelta) fail('SELECTION');
    isRead = true;
    if (isApplied) {
      attributes?.forEach(([texts, name, value]: ReturnType<typeof readAttribute>) => {
        if (value) texts.set(name, value);
        else texts.delete(name);
      });
      if (definition) market.definitionDigest = undefined;
      market.revision = revision;
      market.publishedMs = publishedMs;
    }
    return isApplied;
  } finally {
    if (!isApplied || !isRead) {
      changes.undo(market, from);
      selections.length = held;
    }
  }
}

const NONE: Values = [];

function addSelections(market: Writable, [, , id = '', first = 0, keys = NONE]: Values, isSnapshot: boolean): void {
  const { selections } = market;
  if (isSnapshot) {
    if (!id || utf8(id).length > ID_BYTES_MAX || /[\0-\x1f\x7f-\x9f]/.test(id)) fail('DEFINITION');
    market.id = id;
  }
  if (first + keys.length > SELECTIONS_MAX || (isSnapshot ? first : keys.length && first > selections.length)) fail('SELECTION');
  if (!keys.length) return;
  const numbers = new Map(selections.map(({ id, thousandths, number }) => [`${id} ${thousandths}`, number]));
  keys.forEach(([, id = '0', thousandths = 0]: Values, at: number) => {
    const number = first + at;
    const key = `${id} ${thousandths}`;
    const known = numbers.get(key) ?? selections.length;
    // A catch-up may name selections that are held already; they must be the same ones, at the same numbers.
    if (known !== number) fail('SELECTION');
    if (known < selections.length) return;
    numbers.set(key, number);
    selections.push(new Selection(market, number, id, thousandths));
  });
}

/** Where an attribute belongs, its name, and its value as it is held; none removes it. */
function readAttribute({ texts, selections }: Writable, values: Values): [Attributes, string, string | undefined] {
  const [, owner = 0, known = 0, text, , integer] = values;
  const name = known ? (KNOWN_NAMES[known - 1] ?? `#${known}`) : text;
  if (!name) fail('DEFINITION');
  if (owner > selections.length) fail('SELECTION');
  if (Math.abs(integer) >= AMOUNT_END) fail('RANGE');
  const kind = values.findIndex((value, field) => field > 3 && value !== undefined);
  const value = kind < 0 ? undefined : 'tibj'[kind - 4] + (kind === 6 ? (values[6] ? '1' : '0') : values[kind]);
  return [owner ? selections[owner - 1]!.texts : texts, name, value];
}
