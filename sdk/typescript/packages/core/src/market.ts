import { type Attributes, type AttributeValue, valuesOf } from './attribute.js';
import { Field } from './field.js';
import { money, type Standing } from './quote.js';
import { Selection } from './selection.js';
import { type MarketState, type MarketStatus, statusOf } from './status.js';

/** Who knows whether prices can be trusted now; the session. */
export interface Witness {
  isSilent(): boolean;
  readonly ageMs: number | undefined;
  showsAmounts(market: Market): boolean;
}

/** A market as sessions write it. */
export type Writable = { -readonly [Member in keyof Market]: Market[Member] };

/** A market that is held. The same object as long as it is; what it says is how things stand now. */
export class Market implements Standing {
  /** The feed's id of it. */
  readonly id: string = '';
  /** Revision of the last change. */
  readonly revision: number = 0;
  /** When the producer published the newest change, milliseconds since 1970 in UTC. */
  readonly publishedMs: number = 0;
  /** Grows with every change of the market and of its state. It does not grow when time alone makes prices stale. */
  readonly version: number = 0;
  /** Its selections in order of their numbers. */
  readonly selections: Selection[] = [];
  /**
   * The market's own cells by code, in the units of the wire, 0 when absent.
   * @internal
   */
  readonly cells = new Float64Array(5);
  /** @internal */
  readonly texts: Attributes = new Map();
  /**
   * Sum of the hashes of selections and attributes, once it was asked for; `null` when it cannot agree [ATTR-3].
   * @internal
   */
  definitionDigest: [number, number] | null | undefined;
  /**
   * The state as of the last word about it; time makes it stale as well.
   * @internal
   */
  toldState: MarketState = 'syncing';
  /**
   * The connection that last said anything about it.
   * @internal
   */
  connection = 0;
  /**
   * It is among those that the session has touched.
   * @internal
   */
  isTouched = false;
  /**
   * Numbers of the subscriptions that name it, once it was asked for.
   * @internal
   */
  subscribers: number[] | undefined;

  /**
   * Markets are made by sessions.
   * @internal
   */
  constructor(
    /** Its number in the epoch. */
    readonly number: number,
    /** @internal */
    readonly witness: Witness,
  ) {}

  get state(): MarketState {
    return this.toldState === 'live' && this.witness.isSilent() ? 'stale' : this.toldState;
  }

  get ageMs(): number | undefined {
    return this.witness.ageMs;
  }

  get status(): MarketStatus {
    const status = this.toldStatus();
    return status === 'OPEN' && this.state !== 'live' ? 'SUSPENDED' : status;
  }

  get inPlay(): boolean {
    return this.cells[Field.InPlay] !== 0;
  }

  /** Amount traded, if the view shows amounts. */
  get tradedVolume(): number | undefined {
    return money(this, this.cells[Field.MarketTradedVolume]!);
  }

  /** Whether the view shows amounts of money. */
  get showsAmounts(): boolean {
    return this.witness.showsAmounts(this);
  }

  /** Its attributes by name, for example `name`, `fixture_name`, `start_time`. */
  get attributes(): Record<string, AttributeValue> {
    return valuesOf(this.texts);
  }

  /** A selection by id and handicap. */
  selection(id: string | number, handicap = 0): Selection | undefined {
    return this.selections.find((selection) => selection.id === String(id) && selection.handicap === handicap);
  }

  /**
   * What the status reads as, whatever the state [CELL-3].
   * @internal
   */
  toldStatus(): MarketStatus {
    const { cells } = this;
    return statusOf(cells[Field.Held] && cells[Field.Status] === 1 ? 0 : cells[Field.Status]!);
  }

  /**
   * Takes what a snapshot has brought. Selections stay the same objects, because applications may hold them.
   * @internal
   */
  become({ id, revision, publishedMs, cells, texts, selections }: Market): void {
    Object.assign(this, { id, revision, publishedMs, cells, texts, definitionDigest: undefined });
    this.selections.length = Math.min(this.selections.length, selections.length);
    selections.forEach(({ number, id, thousandths, cells, ladders, texts }) => {
      const held = (this.selections[number] ??= new Selection(this, number, id, thousandths));
      Object.assign(held, { id, thousandths, cells, ladders, texts });
    });
  }
}
