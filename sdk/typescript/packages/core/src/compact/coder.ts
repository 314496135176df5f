import { fail } from '../error.js';
import { AMOUNT_END } from '../field.js';
import type { Model } from './model.js';
import { MODEL_BYTES, Table } from './tables.js';

// Reads symbols and numbers off entropy-coded bytes [COMPACT-5]. Reading never fails for want of bytes: `finish` tells.
//
// There is one reader, and what it is at stands in this module: pieces are read one after the other, and not even an
// object is made for one.

/** The state is filled up to this from the bytes that are left. */
const STATE_LOW = 1 << 23;
/** Longest number: amounts are below 2^53. */
const LENGTH_MAX = 53;

/** Where the parts of all symbols end, context by context, and guesses: those of the model in use, in memory that stays where it is. */
const ends = new Uint16Array(MODEL_BYTES);
const guesses = new Uint8Array(4 * MODEL_BYTES);
let model: Model | undefined;
let bytes: Uint8Array;
/**
 * The state, in an array of its own: it has up to 31 bits, and engines with short small integers (those of browsers) would
 * otherwise make an object of it at every symbol. It is so long because they keep shorter ones where they have to look for them.
 */
const states = new Int32Array(32);
let pos = 0;
let end = 0;

/** Begins to read bytes from one position to another. */
export function begin(by: Model, from: Uint8Array, start: number, stop: number): void {
  if (by !== model) {
    model = by;
    ends.set(by.ends);
    guesses.set(by.guesses);
  }
  resume(from, 0, start, stop);
  refill(0);
}

/** Goes on where {@link state} and {@link position} were taken. */
export function resume(from: Uint8Array, state: number, start: number, stop: number): void {
  bytes = from;
  states[0] = state;
  pos = start;
  end = stop;
}

export function state(): number {
  return states[0]!;
}

export function position(): number {
  return pos;
}

/** Bytes not read yet. */
export function remaining(): number {
  return end - pos;
}

/** Moves to a state, filled up from the bytes that are left. */
function refill(state: number): void {
  while (state < STATE_LOW && pos < end) state = (state << 8) | bytes[pos++]!;
  states[0] = state;
}

/** A symbol of a wide context, whose ends begin at `first`. */
export function symbol(first: number): number {
  const state = states[0]!;
  const slot = state & 4095;
  let at = first + guesses[4 * first + (slot >> 7)]!;
  // The last end is above every slot.
  while (ends[at]! <= slot) at++;
  const start = at > first ? ends[at - 1]! : 0;
  refill((Math.imul(ends[at]! - start, state >>> 12) + slot - start) | 0);
  return at - first;
}

/** A symbol of a narrow one. */
export function few(first: number): number {
  const slot = states[0]! & 4095;
  let at = first;
  let start = 0;
  let stop = ends[at]!;
  while (stop <= slot) {
    start = stop;
    stop = ends[++at]!;
  }
  refill((Math.imul(stop - start, states[0]! >>> 12) + slot - start) | 0);
  return at - first;
}

/** A symbol of a context of two: 1 for yes. */
export function bit(table: number, context: number): number {
  const split = ends[table + 2 * context]!;
  const state = states[0]!;
  const slot = state & 4095;
  if (slot < split) {
    refill((Math.imul(split, state >>> 12) + slot) | 0);
    return 0;
  }
  refill((Math.imul(4096 - split, state >>> 12) + slot - split) | 0);
  return 1;
}

/** Bits as they are. */
export function raw(bits: number): number {
  let value = 0;
  for (; bits > 12; bits -= 12) value = value * 4096 + take(12);
  return value * (1 << bits) + take(bits);
}

/** At most 12 of them. */
function take(bits: number): number {
  const state = states[0]!;
  refill(state >>> bits);
  return state & ((1 << bits) - 1);
}

/** The length of a number, in a context of `size` symbols. */
export function readLength(at: number, size: number): number {
  let length = symbol(at);
  if (length === size - 1) length = raw(6);
  return length > LENGTH_MAX ? fail('AMOUNT') : length;
}

/** What follows the length of a number; the whole number. */
export function readRest(length: number): number {
  return length < 31 ? (1 << length) - 1 + raw(length) : amount(2 ** length - 1 + raw(length));
}

/** A number in a context of `size` symbols. `top` is the table of its leading bits. */
export function readNumber(at: number, size: number, top: number = Table.Top): number {
  const length = readLength(at, size);
  if (length === 0) return 0;
  if (length < 4) return (1 << length) - 1 + (symbol(top + 8 * length) & ((1 << length) - 1));
  const first = 8 + (symbol(top + 8 * (length < 8 ? length : 8)) & 7);
  const others = length - 3;
  return length < 31 ? (first << others) - 1 + raw(others) : amount(first * 2 ** others - 1 + raw(others));
}

/** A number without a habit of its own. */
export function readLoose(context: number): number {
  return readNumber(Table.Loose + 24 * context, 24);
}

/** A number that is mostly below 15. */
export function readCount(at: number): number {
  const count = symbol(at);
  return count < 15 ? count : 15 + readLoose(0);
}

/** Checks that everything was read: the writer began at state 0, so a reader ends there. */
export function finish(): void {
  if (states[0] || pos < end) fail('CODER');
}

/** Checks that an amount is one. */
export function amount(value: number): number {
  return value < 0 || value >= AMOUNT_END ? fail('AMOUNT') : value;
}
