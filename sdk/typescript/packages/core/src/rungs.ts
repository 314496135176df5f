/** Amounts per price, best price first. */
export class Rungs {
  /**
   * Key and amount of each rung, one behind the other. The key is the price, negative where the highest is best, so that
   * keys always ascend.
   */
  pairs = new Float64Array(8);
  count = 0;

  constructor(readonly isHighestFirst: boolean) {}

  /** Place of the first rung that is not better than the key. */
  find(key: number): number {
    const { pairs } = this;
    let from = 0;
    let to = this.count;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (pairs[2 * middle]! < key) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** The amount of a key whose place is known, 0 when there is none. */
  amountAt(place: number, key: number): number {
    return place < this.count && this.pairs[2 * place] === key ? this.pairs[2 * place + 1]! : 0;
  }

  /** Sets the amount of a key whose place is known; 0 removes it. */
  setAt(place: number, key: number, old: number, amount: number): void {
    let { pairs } = this;
    const at = 2 * place;
    const end = 2 * this.count;
    if (old > 0 && amount > 0) {
      pairs[at + 1] = amount;
    } else if (amount > 0) {
      if (end === pairs.length) {
        pairs = new Float64Array(2 * end);
        pairs.set(this.pairs);
        this.pairs = pairs;
      }
      for (let to = end + 1; to > at + 1; to--) pairs[to] = pairs[to - 2]!;
      pairs[at] = key;
      pairs[at + 1] = amount;
      this.count++;
    } else if (old > 0) {
      for (let to = at; to < end - 2; to++) pairs[to] = pairs[to + 2]!;
      this.count--;
    }
  }
}
