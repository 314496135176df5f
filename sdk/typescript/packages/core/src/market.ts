import { Field, INFINITE } from './field.js';
import type { Attributes, MarketState, MarketStatus, Mirror, Runner } from './mirror.js';

/** What a selection's status reads as. */
export type SelectionStatus = 'ACTIVE' | 'WINNER' | 'LOSER' | 'PLACED' | 'REMOVED' | 'REMOVED_VACANT' | 'HIDDEN' | 'SUSPENDED';
export type AttributeValue = string | number | boolean | object | null;

/** Who knows whether prices can be trusted now; the session. */
export interface Witness {
  isSilent(): boolean;
  readonly ageMs: number | undefined;
  showsAmounts(mirror: Mirror): boolean;
}

/** What comes out together with every price. It is judged anew, by the clock, whenever it is read. */
export interface Standing {
  /** What is known of the market: on its way, live, or stale. */
  readonly state: MarketState;
  /** How long ago the producers vouched for their prices, in milliseconds, if anybody said. */
  readonly ageMs: number | undefined;
  /** What the market's status reads as: only a live market can be open. */
  readonly status: MarketStatus;
}

/**
 * A price with everything that decides whether it may be bet on. It stays the same object and always tells how things
 * stand now, so nothing has to be read anew, and nothing can be kept too long.
 *
 * `price` is a number only while a bet may be offered. To show a price that cannot be had now, in grey perhaps, there is
 * `indicativePrice`, whose name says what it is.
 */
export type Quote = Standing & {
  /** The price as decimal odds, whatever its state; `undefined` when there is none. For display only. */
  readonly indicativePrice: number | undefined;
} & (
    | {
        /** Whether a bet may be offered [CELL-6]: the market is live and open, the selection active, and there is a price. */
        readonly bettable: true;
        /** Decimal odds. */
        readonly price: number;
        /** Amount of money at that price, if the view shows amounts. */
        readonly amount: number | undefined;
      }
    | { readonly bettable: false; readonly price: undefined; readonly amount: undefined }
  );

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
const SELECTION_STATUSES = ['ACTIVE', 'WINNER', 'LOSER', 'PLACED', 'REMOVED', 'REMOVED_VACANT', 'HIDDEN', 'SUSPENDED'] as const;

/** A market as it may be shown. The same object as long as the market is held; what it says is how things stand now. */
export class Market implements Standing {
  readonly #mirror: Mirror;
  readonly #witness: Witness;
  readonly #selections: Selection[] = [];

  /**
   * Markets are made by sessions.
   * @internal
   */
  constructor(mirror: Mirror, witness: Witness) {
    this.#mirror = mirror;
    this.#witness = witness;
  }

  /** The feed's id of it. */
  get id(): string {
    return this.#mirror.id;
  }

  /** Its number in the epoch. */
  get number(): number {
    return this.#mirror.number;
  }

  get state(): MarketState {
    const { state } = this.#mirror;
    return state === 'live' && this.#witness.isSilent() ? 'stale' : state;
  }

  get ageMs(): number | undefined {
    return this.#witness.ageMs;
  }

  get status(): MarketStatus {
    const status = this.#mirror.status();
    return status === 'OPEN' && this.state !== 'live' ? 'SUSPENDED' : status;
  }

  get inPlay(): boolean {
    return this.#mirror.cells[Field.InPlay] !== 0;
  }

  /** Amount traded, if the view shows amounts. */
  get tradedVolume(): number | undefined {
    return money(this, this.#mirror.cells[Field.MarketTradedVolume]!);
  }

  /** Revision of the last change. */
  get revision(): number {
    return this.#mirror.revision;
  }

  /** When the producer published the newest change, milliseconds since 1970 in UTC. */
  get publishedMs(): number {
    return this.#mirror.publishedMs;
  }

  /** Grows with every change of the market and of its state. It does not grow when time alone makes prices stale. */
  get version(): number {
    return this.#mirror.version;
  }

  /** Whether the view shows amounts of money. */
  get showsAmounts(): boolean {
    return this.#witness.showsAmounts(this.#mirror);
  }

  /** Its attributes by name, for example `name`, `fixture_name`, `start_time`. */
  get attributes(): Record<string, AttributeValue> {
    return valuesOf(this.#mirror.attributes);
  }

  /** Its selections in order of their numbers. */
  get selections(): readonly Selection[] {
    const { runners } = this.#mirror;
    const selections = this.#selections;
    // Numbers stay, so selections made earlier stay as well.
    for (let at = selections.length; at < runners.length; at++) {
      selections.push(new Selection(this, at, () => this.#mirror.runners[at]!));
    }
    selections.length = runners.length;
    return selections;
  }

  /** A selection by id and handicap. */
  selection(id: string | number, handicap = 0): Selection | undefined {
    const text = String(id);
    return this.selections.find((selection) => selection.id === text && selection.handicap === handicap);
  }
}

/** One outcome of a market; as its market, it tells how things stand now. */
export class Selection {
  readonly #runner: () => Runner;
  /** What to back it at: a sportsbook's one price, or the best an exchange has. */
  readonly back: Quote;
  /** The best price to lay it at. */
  readonly lay: Quote;

  /**
   * Selections are made by markets.
   * @internal
   */
  constructor(
    readonly market: Market,
    /** Its number in the market. */
    readonly number: number,
    runner: () => Runner,
  ) {
    this.#runner = runner;
    this.back = quoteOf(this, runner, 0);
    this.lay = quoteOf(this, runner, 1);
  }

  /** The feed's id of it, in decimal. */
  get id(): string {
    return this.#runner().id;
  }

  get handicap(): number {
    return this.#runner().handicap / 1000;
  }

  get status(): SelectionStatus {
    return SELECTION_STATUSES[this.#runner().cells[0]!] ?? 'SUSPENDED';
  }

  /** Amount traded, if the view shows amounts. */
  get tradedVolume(): number | undefined {
    return money(this.market, this.#runner().cells[3]!);
  }

  /** Its attributes by name, for example `name`, `sort_priority`. */
  get attributes(): Record<string, AttributeValue> {
    return valuesOf(this.#runner().attributes);
  }

  /** A ladder, best price first, at most `count` rungs. */
  depth(name: LadderName, count = Infinity): Depth {
    const { market } = this;
    const { state, ageMs, status } = market;
    const ladder = this.#runner().ladders[LADDERS.indexOf(name)];
    const rungs: Rung[] = [];
    for (let at = 0; ladder && at < Math.min(count, ladder.count); at++) {
      rungs.push({ price: Math.abs(ladder.pairs[2 * at]!) / 10_000, amount: money(market, ladder.pairs[2 * at + 1]!) });
    }
    return { state, ageMs, status, bettable: status === 'OPEN' && this.status === 'ACTIVE', rungs };
  }

  /** A price that tells something and cannot be bet on. `Infinity` means that there is no money on the other side. */
  indicative(name: IndicationName): number | undefined {
    return decimal(this.#runner().cells[INDICATIONS.indexOf(name)]!);
  }
}

/** `slot` is 0 for the backing side, 1 for the laying side. */
function quoteOf(selection: Selection, runner: () => Runner, slot: 0 | 1): Quote {
  const { market } = selection;
  const quote = {
    get state() {
      return market.state;
    },
    get ageMs() {
      return market.ageMs;
    },
    get status() {
      return market.status;
    },
    get bettable() {
      return market.status === 'OPEN' && selection.status === 'ACTIVE' && quote.indicativePrice !== undefined;
    },
    get price() {
      return quote.bettable ? quote.indicativePrice : undefined;
    },
    get amount() {
      const { cells, ladders } = runner();
      const ladder = (slot || !cells[1]) && ladders[slot];
      return ladder && quote.bettable ? money(market, ladder.pairs[1]!) : undefined;
    },
    get indicativePrice(): number | undefined {
      const { cells, ladders } = runner();
      const ladder = ladders[slot];
      return decimal((!slot && cells[1]) || (ladder?.count ? Math.abs(ladder.pairs[0]!) : 0));
    },
  };
  return quote as Quote;
}

function decimal(price: number): number | undefined {
  return price === INFINITE ? Infinity : price / 10_000 || undefined;
}

function money(market: Market, cents: number): number | undefined {
  return market.showsAmounts ? cents / 100 : undefined;
}

function valuesOf(attributes: Attributes): Record<string, AttributeValue> {
  return Object.fromEntries([...attributes].map(([name, value]) => [name, valueOf(value[0]!, value.slice(1))]));
}

function valueOf(type: string, text: string): AttributeValue {
  if (type === 't') return text;
  if (type === 'b') return text === '1';
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
