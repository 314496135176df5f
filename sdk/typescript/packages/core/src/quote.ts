import { INFINITE } from './field.js';
import type { Market } from './market.js';
import type { Selection } from './selection.js';
import type { MarketState, MarketStatus } from './status.js';

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

/** The quote of one side of a selection: `slot` is 0 for the backing side, 1 for the laying side. */
export function quoteOf(selection: Selection, slot: 0 | 1): Quote {
  const ladder = (): Float64Array | undefined => {
    const rungs = selection.ladders[slot];
    return rungs?.count ? rungs.pairs : undefined;
  };
  // A sportsbook's one price.
  const offered = (): number => (slot ? 0 : selection.cells[1]!);
  const quote = {
    get state() {
      return selection.market.state;
    },
    get ageMs() {
      return selection.market.ageMs;
    },
    get status() {
      return selection.market.status;
    },
    get bettable() {
      return quote.status === 'OPEN' && selection.status === 'ACTIVE' && quote.indicativePrice !== undefined;
    },
    get price() {
      return quote.bettable ? quote.indicativePrice : undefined;
    },
    get amount() {
      const pairs = offered() ? undefined : ladder();
      return pairs && quote.bettable ? money(selection.market, pairs[1]!) : undefined;
    },
    get indicativePrice(): number | undefined {
      return decimal(offered() || Math.abs(ladder()?.[0] ?? 0));
    },
  };
  return quote as Quote;
}

/** A price as decimal odds, if there is one. */
export function decimal(price: number): number | undefined {
  return price === INFINITE ? Infinity : price / 10_000 || undefined;
}

/** An amount of money, if the view shows amounts. */
export function money({ showsAmounts }: Market, cents: number): number | undefined {
  return showsAmounts ? cents / 100 : undefined;
}
