import { type Attributes, type AttributeValue, valuesOf } from './attribute.js';
import { Field } from './field.js';
import type { Market } from './market.js';
import { decimal, money, type Quote, quoteOf, type Standing } from './quote.js';
import { Rungs } from './rungs.js';
import { type SelectionStatus, selectionStatusOf } from './status.js';

/** One step of a ladder: decimal odds, and the amount of money there, if the view shows amounts. */
export interface Rung {
  readonly price: number;
  readonly amount: number | undefined;
}

/** A ladder, best price first, as of the moment when it was read. */
export interface Depth extends Standing {
  /** Whether bets may be offered at these prices. */
  readonly bettable: boolean;
  readonly rungs: readonly Rung[];
}

/** Ladders of a selection. Places in this list are their codes, from 32. */
const LADDERS = ['back', 'lay', 'traded', 'spBack', 'spLay', 'displayBack', 'displayLay'] as const;
export type LadderName = (typeof LADDERS)[number];
/** Prices that tell something and cannot be bet on. Places in this list are their codes, from 16. */
const INDICATIONS = ['', '', 'lastTraded', '', 'near', 'far', 'starting', 'reductionFactor'] as const;
export type IndicationName = Exclude<(typeof INDICATIONS)[number], ''>;

/** One outcome of a market; as its market, it tells how things stand now, and stays the same object. */
export class Selection {
  /** What to back it at: a sportsbook's one price, or the best an exchange has. */
  readonly back: Quote = quoteOf(this, 0);
  /** The best price to lay it at. */
  readonly lay: Quote = quoteOf(this, 1);
  /**
   * One-value cells by code - 16, in the units of the wire, 0 when absent.
   * @internal
   */
  readonly cells = new Float64Array(8);
  /**
   * Ladders by code - 32; those that never had a rung are missing.
   * @internal
   */
  readonly ladders: (Rungs | undefined)[] = Array(7).fill(undefined);
  /** @internal */
  readonly texts: Attributes = new Map();

  /**
   * Selections are made by sessions.
   * @internal
   */
  constructor(
    readonly market: Market,
    /** Its number in the market. */
    readonly number: number,
    /** The feed's id of it, 64 bits in decimal. */
    readonly id: string,
    /** @internal */
    readonly thousandths: number,
  ) {}

  get handicap(): number {
    return this.thousandths / 1000;
  }

  get status(): SelectionStatus {
    return selectionStatusOf(this.cells[0]!);
  }

  /** Amount traded, if the view shows amounts. */
  get tradedVolume(): number | undefined {
    return money(this.market, this.cells[3]!);
  }

  /** Its attributes by name, for example `name`, `sort_priority`. */
  get attributes(): Record<string, AttributeValue> {
    return valuesOf(this.texts);
  }

  /** A ladder, best price first, at most `count` rungs. */
  depth(name: LadderName, count = Infinity): Depth {
    const { market } = this;
    const { state, ageMs, status } = market;
    const ladder = this.ladders[LADDERS.indexOf(name)];
    const rungs: Rung[] = [];
    for (let at = 0; ladder && at < Math.min(count, ladder.count); at++) {
      rungs.push({ price: Math.abs(ladder.pairs[2 * at]!) / 10_000, amount: money(market, ladder.pairs[2 * at + 1]!) });
    }
    return { state, ageMs, status, bettable: status === 'OPEN' && this.status === 'ACTIVE', rungs };
  }

  /** A price that tells something and cannot be bet on. `Infinity` means that there is no money on the other side. */
  indicative(name: IndicationName): number | undefined {
    return decimal(this.cells[INDICATIONS.indexOf(name)]!);
  }

  /**
   * The ladder of a field, made if it is not there.
   * @internal
   */
  ladder(field: number): Rungs {
    return (this.ladders[field - Field.Back] ??= new Rungs(field === Field.Back || field === Field.DisplayBack));
  }
}
