import type { Market, Quote } from '@oddswire/web';

/** What a market looks like. Only in `open` may its prices be taken for prices. */
export type Look = 'open' | 'suspended' | 'closed' | 'settled' | 'void' | 'stale' | 'syncing';

/** Words and signs, so that nobody needs colours to tell. */
export const LABELS: Record<Look, string> = {
  open: 'Open',
  suspended: 'Suspended',
  closed: 'Closed',
  settled: 'Settled',
  void: 'Void',
  stale: 'Stale',
  syncing: 'Syncing',
};

export function lookOf(market: Market): Look {
  const { state, status } = market;
  // What was closed stays closed. Everything else says first whether it can be trusted at all.
  if (state !== 'live' && status === 'SUSPENDED') return state;
  return status.toLowerCase() as Look;
}

/** Whether there is nothing more to come. */
export function isFinished(market: Market): boolean {
  return market.status !== 'OPEN' && market.status !== 'SUSPENDED';
}

/**
 * The price to show and whether it is one. A suspended market shows none at all; a stale or unfinished one shows what it
 * was, struck through.
 */
export function shownPrice(quote: Quote, look: Look): number | undefined {
  if (look === 'open') return quote.price;
  if (look === 'stale' || look === 'syncing') return quote.indicativePrice;
  return undefined;
}
