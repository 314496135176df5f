import type { ClientSession, Market, View } from '@oddswire/core';

import type { Emitter } from './emitter.js';

/** What to subscribe to. */
export interface SubscribeOptions {
  /** `all`, `market/ID`, `fixture/ID`, `competition/ID`, `sport/ID` or `type/NAME`; or up to 32 of them. */
  readonly topic: string | readonly string[];
  /** What part of each market; `best3` unless given. */
  readonly view?: View;
  /** No more than one change per market in this time, in milliseconds; 0, for every change, unless given. */
  readonly maxRateMs?: number;
}

/** Markets that have changed, all at one moment: in cells, in state, or by leaving. */
export interface SubscriptionChange {
  readonly changed: readonly Market[];
  readonly removed: readonly Market[];
}

export interface SubscriptionEvents {
  /** Once per frame that concerns it, after all of the frame was applied. */
  change: SubscriptionChange;
  /** The gateway refuses it; the sentence says what to do. It is ended. */
  refused: { readonly code: number; readonly message: string };
}

/** An interest in markets, held up over all connections until it is ended. */
export interface Subscription extends Emitter<SubscriptionEvents> {
  /** Its number in the session. */
  readonly number: number;
  /** The markets that its topics name, in the order in which they came. */
  readonly markets: readonly Market[];
  /** One of them, by id. */
  market(id: string): Market | undefined;
  /** Ends it. */
  unsubscribe(): void;
}

export function subscriptionOf(
  session: ClientSession,
  number: number,
  on: Subscription['on'],
  unsubscribe: (subscription: Subscription) => void,
): Subscription {
  let membership = -1;
  let markets: readonly Market[] = [];
  const subscription: Subscription = {
    number,
    on,

    get markets() {
      // The same list as long as the same markets are in it.
      if (membership !== session.membership) {
        membership = session.membership;
        markets = session.markets(number);
      }
      return markets;
    },

    market: (id) => session.market(id, number),

    unsubscribe: () => unsubscribe(subscription),
  };
  return subscription;
}
