import { fail } from '../error.js';
import { AMOUNT_END } from '../field.js';
import type { Model } from './model.js';
import { Table } from './tables.js';

/** The state is filled up to this from the bytes that are left. */
const STATE_LOW = 1 << 23;
/** Longest number: amounts are below 2^53. */
const LENGTH_MAX = 53;

/** Reads symbols and numbers off entropy-coded bytes [COMPACT-5]. Reading never fails for want of bytes: `finish` tells. */
export class SymbolReader {
  /** Where the parts of all symbols end, context by context. */
  protected ends!: Uint16Array;
  protected bytes!: Uint8Array;
  /** The state, and what of the bytes is left; to be kept and put back where something else is read in between. */
  state = 0;
  pos = 0;
  end = 0;

  /** Begins to read bytes from `pos` to `end`. */
  begin({ ends }: Model, bytes: Uint8Array, pos: number, end: number): void {
    this.ends = ends;
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
    this.state = 0;
    this.#fill();
  }

  #fill(): void {
    while (this.state < STATE_LOW && this.pos < this.end) this.state = (this.state << 8) | this.bytes[this.pos++]!;
  }

  /** A symbol of the context whose ends begin at `at`. */
  symbol(at: number): number {
    const { ends, state } = this;
    const slot = state & 4095;
    const first = at;
    let start = 0;
    let end = ends[at]!;
    // The last end is above every slot.
    while (end <= slot) {
      start = end;
      end = ends[++at]!;
    }
    this.state = Math.imul(end - start, state >>> 12) + slot - start;
    this.#fill();
    return at - first;
  }

  /** A symbol of a context of two: 1 for yes. */
  bit(table: number, context: number): number {
    return this.symbol(table + 2 * context);
  }

  /** Bits as they are. */
  raw(bits: number): number {
    let value = 0;
    for (; bits > 0; bits -= 12) {
      const some = bits < 12 ? bits : 12;
      value = value * (1 << some) + (this.state & ((1 << some) - 1));
      this.state >>>= some;
      this.#fill();
    }
    return value;
  }

  /** The length of a number, in a context of `size` symbols. */
  length(at: number, size: number): number {
    let length = this.symbol(at);
    if (length === size - 1) length = this.raw(6);
    return length > LENGTH_MAX ? fail('AMOUNT') : length;
  }

  /** What follows the length of a number whose leading bits have no habits; the whole number. */
  rest(length: number): number {
    return this.#check(power(length) - 1 + this.raw(length));
  }

  /** A number in a context of `size` symbols. `top` is the table of its leading bits. */
  number(at: number, size: number, top: number = Table.Top): number {
    const length = this.length(at, size);
    const leading = length < 3 ? length : 3;
    const first = leading && this.symbol(top + 8 * (length < 8 ? length : 8)) & ((1 << leading) - 1);
    const others = length - leading;
    return this.#check(power(length) - 1 + first * power(others) + this.raw(others));
  }

  /** A number without a habit of its own. */
  loose(context: number): number {
    return this.number(Table.Loose + 24 * context, 24);
  }

  /** A number that is mostly below 15. */
  count(at: number): number {
    const count = this.symbol(at);
    return count < 15 ? count : 15 + this.loose(0);
  }

  /** Checks that everything was read: the writer began at state 0, so a reader ends there. */
  finish(): void {
    if (this.state || this.pos < this.end) fail('CODER');
  }

  #check(value: number): number {
    return value < AMOUNT_END ? value : fail('AMOUNT');
  }
}

function power(bits: number): number {
  return bits < 31 ? 1 << bits : 2 ** bits;
}
