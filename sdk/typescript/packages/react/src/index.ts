/**
 * Hooks over an `OddswireClient`. Each renders its component anew when what it gives out has changed, and not when anything
 * else has.
 */
import type { Market, MarketState, MarketStatus, OddswireClient, Quote, StateChange } from '@oddswire/web';
import { useCallback, useMemo, useSyncExternalStore } from 'react';

/** A market by id, rendered anew with every change of it or of its state; `undefined` while it is not held. */
export function useMarket(client: OddswireClient, id: string): Market | undefined {
  const subscribe = useCallback((changed: () => void) => client.on(`market/${id}`, changed), [client, id]);
  // The object stays the same; its version tells that it has changed.
  const version = (): number | undefined => client.market(id)?.version;
  useSyncExternalStore(subscribe, version, version);
  return client.market(id);
}

/** Which price of a selection. */
export interface PriceOptions {
  /** What to back it at, unless given. */
  readonly side?: 'back' | 'lay';
  /** For selections that have one. */
  readonly handicap?: number;
}

/** A price as it was rendered. */
export interface SelectionPrice {
  readonly state: MarketState;
  readonly status: MarketStatus;
  /** Whether a bet may be offered. */
  readonly bettable: boolean;
  /** Decimal odds; only while a bet may be offered. */
  readonly price: number | undefined;
  /** Amount of money at that price, if the view shows amounts. */
  readonly amount: number | undefined;
  /** Decimal odds whatever their state; for display only. */
  readonly indicativePrice: number | undefined;
  /** How things stand now. What takes a bet must ask this, because time passes between rendering and the click. */
  readonly quote: Quote;
}

/** A price with its state, rendered anew when one of them changes; `undefined` while the selection is not held. */
export function useSelectionPrice(
  client: OddswireClient,
  marketId: string,
  selectionId: string | number,
  { side = 'back', handicap = 0 }: PriceOptions = {},
): SelectionPrice | undefined {
  const store = useMemo(() => {
    let rendered: SelectionPrice | undefined;
    return {
      subscribe: (changed: () => void) => client.on(`market/${marketId}`, changed),
      read: (): SelectionPrice | undefined => {
        const quote = client.market(marketId)?.selection(selectionId, handicap)?.[side];
        if (!quote) return (rendered = undefined);
        const { state, status, bettable, price, amount, indicativePrice } = quote;
        const now = { state, status, bettable, price, amount, indicativePrice, quote };
        const isSame = rendered && (Object.keys(now) as (keyof SelectionPrice)[]).every((key) => now[key] === rendered![key]);
        return isSame ? rendered : (rendered = now);
      },
    };
  }, [client, marketId, selectionId, side, handicap]);
  return useSyncExternalStore(store.subscribe, store.read, store.read);
}

/** Where the client stands, and why there is no connection when there is none. */
export function useConnection(client: OddswireClient): StateChange {
  const subscribe = useCallback((changed: () => void) => client.on('state', changed), [client]);
  const read = (): StateChange => client.connection;
  return useSyncExternalStore(subscribe, read, read);
}
