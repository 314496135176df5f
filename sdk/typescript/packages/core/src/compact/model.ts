import { murmur3 } from '../digest.js';
import { fail } from '../error.js';
import { SHIPPED } from './shipped-model.js';
import { LAYOUT, SIZES } from './tables.js';

/** Static probabilities for every decision of the compact encoding [COMPACT-3]. */
export interface Model {
  /** Names it by what is in it. */
  readonly id: number;
  /** Where the parts of all symbols of 4096 end, context by context. */
  readonly ends: Uint16Array;
  /** For wide contexts the first symbol that ends in each 32nd of the 4096; those of a context begin at four times its place. */
  readonly guesses: Uint8Array;
}

/** Contexts of fewer symbols have no room for guesses, and no need. */
export const WIDE = 8;

/** Reads a model. */
export function readModel(bytes: Uint8Array): Model {
  const ends = new Uint16Array(bytes.length);
  const guesses = new Uint8Array(4 * bytes.length);
  let at = 0;
  for (let table = 0; table < SIZES.length; table += 2) {
    for (let context = 0; context < SIZES[table]!; context++) {
      const first = at;
      at = fill(bytes, ends, at, SIZES[table + 1]!);
      if (at - first >= WIDE) guess(ends, guesses, first);
    }
  }
  if (bytes[0] !== LAYOUT || at + 1 !== bytes.length) fail('MODEL');
  const words: number[] = [];
  bytes.forEach((byte, at) => (words[at >> 2] = words[at >> 2]! | (byte << (8 * (at & 3)))));
  return { id: murmur3(0, words), ends, guesses };
}

/** Notes for each 32nd of a wide context which symbol it may be. */
export function guess(ends: Uint16Array, guesses: Uint8Array, first: number): void {
  let value = 0;
  for (let part = 0; part < 32; part++) {
    while (ends[first + value]! <= 128 * part) value++;
    guesses[4 * first + part] = value;
  }
}

/** Turns the codes of a context of `size` symbols into the ends of their parts. */
export function fill(bytes: Uint8Array, ends: Uint16Array, at: number, size: number): number {
  const weight = (at: number): number => {
    const code = bytes[at + 1]!;
    // What is missing counts as too large, too.
    return code < 64 ? (4 + (code & 3)) << (code >> 2) : fail('MODEL');
  };
  const last = at + size;
  let sum = 0;
  let greatest = at;
  for (let symbol = at; symbol < last; symbol++) {
    sum += weight(symbol);
    if (weight(symbol) > weight(greatest)) greatest = symbol;
  }
  let left = 4096;
  for (let symbol = at; symbol < last; symbol++) left -= ends[symbol] = 1 + Math.floor((weight(symbol) * (4096 - size)) / sum);
  // What rounding has left over is the greatest's.
  ends[greatest]! += left;
  for (let symbol = at + 1; symbol < last; symbol++) ends[symbol]! += ends[symbol - 1]!;
  return last;
}

let shipped: Model | undefined;

/** The model that comes with this version. */
export function shippedModel(): Model {
  return (shipped ??= readModel(Uint8Array.from(SHIPPED.slice(64), (character) => SHIPPED.indexOf(character))));
}
