import { Field } from './field.js';
import type { Market } from './market.js';

/** What a receiver knows of a market [STALE-3]. */
export type MarketState = 'syncing' | 'live' | 'stale';
/** What a market's status reads as. */
export type MarketStatus = 'OPEN' | 'SUSPENDED' | 'CLOSED' | 'SETTLED' | 'VOID';

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

/** Attributes of a market or a selection: a letter for the type, as in digests [DIG-3], and the value as text. */
export type Attributes = Map<string, string>;

/** One selection with its cells. */
export class Runner {
  /** One-value cells by code - 16, 0 when absent. */
  readonly cells = new Float64Array(8);
  /** Ladders by code - 32; those that never had a rung are missing. */
  readonly ladders: (Rungs | undefined)[] = Array(7).fill(undefined);
  readonly attributes: Attributes = new Map();

  constructor(
    readonly number: number,
    /** 64 bits, in decimal. */
    readonly id: string,
    /** In thousandths. */
    readonly handicap: number,
  ) {}

  /** The ladder of a field, made if it is not there. */
  ladder(field: number): Rungs {
    return (this.ladders[field - Field.Back] ??= new Rungs(field === Field.Back || field === Field.DisplayBack));
  }
}

/** A market as a receiver holds it: raw cells in the units of the wire. People read it through `Market`. */
export class Mirror {
  id = '';
  revision = 0;
  /** The producer's time of the newest commit in it, milliseconds since 1970 in UTC. */
  publishedMs = 0;
  /** The market's own cells by code, 0 when absent. */
  cells = new Float64Array(5);
  runners: Runner[] = [];
  attributes: Attributes = new Map();
  /** Sum of the hashes of selections and attributes, once it was asked for; `null` when it cannot agree [ATTR-3]. */
  definitionDigest: [number, number] | null | undefined;

  state: MarketState = 'syncing';
  /** The connection that last said anything about it. */
  connection = 0;
  /** Grows with every change and every change of state. */
  version = 0;
  /** Numbers of the subscriptions that name it, once it was asked for. */
  subscribers: number[] | undefined;
  /** What people read it through. */
  market: Market | undefined;

  constructor(readonly number: number) {}

  /** Takes the place of what was held under the same number. */
  become(fresh: Mirror): void {
    this.id = fresh.id;
    this.revision = fresh.revision;
    this.publishedMs = fresh.publishedMs;
    this.cells = fresh.cells;
    this.runners = fresh.runners;
    this.attributes = fresh.attributes;
    this.definitionDigest = undefined;
  }

  /** What the status reads as, whatever the state [CELL-3]. */
  status(): MarketStatus {
    return this.cells[Field.Held] && this.cells[Field.Status] === 1 ? 'SUSPENDED' : statusOf(this.cells[Field.Status]!);
  }
}

/** What a status code reads as; 0 and those of a later version read as suspended. */
export function statusOf(code: number): MarketStatus {
  return (['SUSPENDED', 'OPEN', 'SUSPENDED', 'CLOSED', 'SETTLED', 'VOID'] as const)[code] ?? 'SUSPENDED';
}
