import { Field } from './field.js';
import type { Market } from './market.js';
import type { Selection } from './selection.js';

/** Numbers per entry: selection (or MARKET), field code, price (0 if it is no rung), old value, new value. */
const STRIDE = 5;

/**
 * What a frame has changed, cell by cell, in flat memory that is used again. It takes back the changes of a piece that
 * turns out not to be readable, and shows a user interface what moved.
 */
export class Changes {
  entries = new Float64Array(256 * STRIDE);
  length = 0;
  /**
   * How many of them emptied a ladder and were not named one by one.
   * @internal
   */
  cleared = 0;

  /**
   * Forgets everything.
   * @internal
   */
  reset(): void {
    this.length = 0;
    this.cleared = 0;
  }

  /** @internal */
  push(selection: number, field: number, price: number, old: number, value: number): void {
    const at = this.length * STRIDE;
    let { entries } = this;
    if (at === entries.length) {
      entries = new Float64Array(2 * at);
      entries.set(this.entries);
      this.entries = entries;
    }
    entries[at] = selection;
    entries[at + 1] = field;
    entries[at + 2] = price;
    entries[at + 3] = old;
    entries[at + 4] = value;
    this.length++;
  }

  /**
   * Empties the ladders of a selection that a mask names; bit n is for the one of code 32 + n.
   * @internal
   */
  clear({ number, ladders }: Selection, mask: number): void {
    ladders.forEach((rungs, slot) => {
      // The last one first: undoing then puts the best one back first.
      while (mask & (1 << slot) && rungs?.count) {
        const place = rungs.count - 1;
        const key = rungs.pairs[2 * place]!;
        const old = rungs.pairs[2 * place + 1]!;
        rungs.setAt(place, key, old, 0);
        this.push(number, Field.Back + slot, Math.abs(key), old, 0);
        this.cleared++;
      }
    });
  }

  /**
   * What a rung held before the entries from `from` on, if one is about it; else `otherwise`.
   * @internal
   */
  before(from: number, price: number, otherwise: number): number {
    for (let at = from * STRIDE; at < this.length * STRIDE; at += STRIDE) {
      if (this.entries[at + 2] === price) return this.entries[at + 3]!;
    }
    return otherwise;
  }

  /**
   * Takes the entries from `from` on back, the last one first.
   * @internal
   */
  undo(market: Market, from: number): void {
    while (this.length > from) {
      const at = --this.length * STRIDE;
      const [number, field, price, old, value] = this.entries.subarray(at);
      const selection = market.selections[number!];
      if (!selection) market.cells[field!] = old!;
      else if (field! < Field.Back) selection.cells[field! - Field.SelectionStatus] = old!;
      else {
        const rungs = selection.ladder(field!);
        const key = rungs.isHighestFirst ? -price! : price!;
        rungs.setAt(rungs.find(key), key, value!, old!);
      }
    }
  }
}
