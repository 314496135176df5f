import type { Market, Selection } from '@oddswire/web';

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
  const { status } = market;
  // The SDK says so of live markets alone.
  if (status === 'OPEN') return 'open';
  const { state } = market;
  // What was closed stays closed. Everything else says first whether it can be trusted at all.
  if (state !== 'live' && status === 'SUSPENDED') return state;
  return status.toLowerCase() as Look;
}

/** Whether there is nothing more to come. */
export function isFinished(market: Market): boolean {
  return market.status !== 'OPEN' && market.status !== 'SUSPENDED';
}

/**
 * The price to show: in an open market one to bet on, and in no other. A suspended market shows none at all; a stale or unfinished one shows what it
 * was, struck through. The look must have been asked for in the same turn: it says for all prices of the market whether
 * they are prices, where each of them would look at the clock again.
 */
export function shownPrice(selection: Selection, side: 'back' | 'lay', look: Look): number | undefined {
  const isShown = look === 'open' || look === 'stale' || look === 'syncing';
  return isShown && selection.status === 'ACTIVE' ? selection[side].indicativePrice : undefined;
}
