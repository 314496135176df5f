import { Field, INFINITE } from './field.js';
import type { Attributes, MarketState, MarketStatus, Mirror, Runner } from './mirror.js';

/** What a selection's status reads as. */
export type SelectionStatus =
  | 'ACTIVE'
  | 'WINNER'
  | 'LOSER'
  | 'PLACED'
  | 'REMOVED'
  | 'REMOVED_VACANT'
  | 'HIDDEN'
  | 'SUSPENDED';
export type AttributeValue = string | number | boolean | object | null;

/** Who knows whether prices can be trusted now; the session. */
export interface Witness {
  isSilent(): boolean;
  ageMs(): number | undefined;
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
 * stand now; nothing has to be read anew, and nothing can be kept too long.
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
  readonly bettable: boolean;
  readonly rungs: readonly Rung[];
}

/** Ladders of a selection. */
export type LadderName = 'back' | 'lay' | 'traded' | 'spBack' | 'spLay' | 'displayBack' | 'displayLay';
/** Prices that tell something and cannot be bet on. */
export type IndicationName = 'lastTraded' | 'near' | 'far' | 'starting';

const LADDERS: readonly string[] = ['back', 'lay', 'traded', 'spBack', 'spLay', 'displayBack', 'displayLay'];
const INDICATIONS: Record<IndicationName, number> = { lastTraded: 2, near: 4, far: 5, starting: 6 };
const SELECTION_STATUSES = 'ACTIVE WINNER LOSER PLACED REMOVED REMOVED_VACANT HIDDEN SUSPENDED'.split(' ') as SelectionStatus[];

/** A market as it may be shown. The same object as long as the market is held; what it says is how things stand now. */
export class Market implements Standing {
  readonly #mirror: Mirror;
  readonly #witness: Witness;
  readonly #selections: Selection[] = [];

  /** Markets are made by sessions. */
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
    return this.#witness.ageMs();
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
    return this.#witness.showsAmounts(this.#mirror) ? this.#mirror.cells[Field.MarketTradedVolume]! / 100 : undefined;
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

  /** An attribute, for example `name`, `fixture_name`, `start_time`. */
  attribute(name: string): AttributeValue | undefined {
    return attributeOf(this.#mirror.attributes, name);
  }

  /** Names of its attributes. */
  get attributeNames(): string[] {
    return [...this.#mirror.attributes.keys()];
  }

  /** Its selections in order of their numbers. */
  get selections(): readonly Selection[] {
    const { runners } = this.#mirror;
    // Numbers stay within an epoch, so selections made earlier stay as well.
    for (let at = this.#selections.length; at < runners.length; at++) {
      this.#selections.push(new Selection(this, this.#mirror, at, this.#witness));
    }
    this.#selections.length = runners.length;
    return this.#selections;
  }

  /** A selection by id and handicap. */
  selection(id: string | number, handicap = 0): Selection | undefined {
    return this.selections.find((selection) => selection.id === String(id) && selection.handicap === handicap);
  }
}

/** One outcome of a market; as its market, it tells how things stand now. */
export class Selection {
  readonly #mirror: Mirror;
  readonly #witness: Witness;
  #back: Quote | undefined;
  #lay: Quote | undefined;

  /** Selections are made by markets. */
  constructor(
    readonly market: Market,
    mirror: Mirror,
    /** Its number in the market. */
    readonly number: number,
    witness: Witness,
  ) {
    this.#mirror = mirror;
    this.#witness = witness;
  }

  get #runner(): Runner {
    return this.#mirror.runners[this.number]!;
  }

  /** The feed's id of it, in decimal. */
  get id(): string {
    return this.#runner.id;
  }

  get handicap(): number {
    return this.#runner.handicap / 1000;
  }

  get status(): SelectionStatus {
    return SELECTION_STATUSES[this.#runner.cells[0]!] ?? 'SUSPENDED';
  }

  /** What to back it at: a sportsbook's one price, or the best an exchange has. */
  get back(): Quote {
    return (this.#back ??= new LiveQuote(this, () => this.#best(0)) as unknown as Quote);
  }

  /** The best price to lay it at. */
  get lay(): Quote {
    return (this.#lay ??= new LiveQuote(this, () => this.#best(1)) as unknown as Quote);
  }

  /** A ladder, best price first, at most `count` rungs. */
  depth(name: LadderName, count = Infinity): Depth {
    const { market } = this;
    const ladder = this.#runner.ladders[LADDERS.indexOf(name)];
    const rungs: Rung[] = [];
    const showsAmounts = this.#witness.showsAmounts(this.#mirror);
    for (let at = 0; ladder && at < Math.min(count, ladder.count); at++) {
      rungs.push({
        price: Math.abs(ladder.pairs[2 * at]!) / 10_000,
        amount: showsAmounts ? ladder.pairs[2 * at + 1]! / 100 : undefined,
      });
    }
    const { state, ageMs, status } = market;
    return { state, ageMs, status, bettable: status === 'OPEN' && this.status === 'ACTIVE' && rungs.length > 0, rungs };
  }

  /** A price that tells something and cannot be bet on. `Infinity` means that there is no money on the other side. */
  indicative(name: IndicationName): number | undefined {
    return decimal(this.#runner.cells[INDICATIONS[name]]!);
  }

  /** Amount traded, if the view shows amounts. */
  get tradedVolume(): number | undefined {
    return this.#witness.showsAmounts(this.#mirror) ? this.#runner.cells[3]! / 100 : undefined;
  }

  /** By how much bets on the others are reduced if it is withdrawn. */
  get reductionFactor(): number | undefined {
    return decimal(this.#runner.cells[7]!);
  }

  /** An attribute, for example `name`, `sort_priority`. */
  attribute(name: string): AttributeValue | undefined {
    return attributeOf(this.#runner.attributes, name);
  }

  /** Names of its attributes. */
  get attributeNames(): string[] {
    return [...(this.#runner.attributes?.keys() ?? [])];
  }

  /** Price in ten-thousandths and amount in cents, -1 where there is none to show. */
  #best(slot: 0 | 1): readonly [number, number] {
    const { cells, ladders } = this.#runner;
    if (slot === 0 && cells[1]) return [cells[1], -1];
    const ladder = ladders[slot];
    if (!ladder?.count) return [0, -1];
    return [Math.abs(ladder.pairs[0]!), this.#witness.showsAmounts(this.#mirror) ? ladder.pairs[1]! : -1];
  }
}

class LiveQuote implements Standing {
  constructor(
    private readonly selection: Selection,
    private readonly best: () => readonly [number, number],
  ) {}

  get state(): MarketState {
    return this.selection.market.state;
  }

  get ageMs(): number | undefined {
    return this.selection.market.ageMs;
  }

  get status(): MarketStatus {
    return this.selection.market.status;
  }

  get bettable(): boolean {
    return this.status === 'OPEN' && this.selection.status === 'ACTIVE' && this.best()[0] > 0;
  }

  get price(): number | undefined {
    return this.bettable ? this.indicativePrice : undefined;
  }

  get amount(): number | undefined {
    const amount = this.best()[1];
    return amount >= 0 && this.bettable ? amount / 100 : undefined;
  }

  get indicativePrice(): number | undefined {
    return decimal(this.best()[0]);
  }
}

function decimal(price: number): number | undefined {
  return price === 0 ? undefined : price === INFINITE ? Infinity : price / 10_000;
}

function attributeOf(attributes: Attributes | undefined, name: string): AttributeValue | undefined {
  const value = attributes?.get(name);
  if (value === undefined) return undefined;
  const text = value.slice(1);
  if (value[0] === 't') return text;
  if (value[0] === 'i') return Number(text);
  if (value[0] === 'b') return text === '1';
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
