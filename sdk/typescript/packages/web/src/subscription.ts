import type { Market, View } from '@oddswire/core';

import type { OddswireClient } from './client.js';
import { Emitter } from './emitter.js';

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
export class Subscription extends Emitter<SubscriptionEvents> {
  readonly #client: OddswireClient;
  #membership = -1;
  #markets: readonly Market[] = [];

  /**
   * Subscriptions are made by clients.
   * @internal
   */
  constructor(
    client: OddswireClient,
    /** Its number in the session. */
    readonly number: number,
  ) {
    super();
    this.#client = client;
  }

  /** The markets that its topics name, in the order in which they came. */
  get markets(): readonly Market[] {
    const { session } = this.#client;
    if (this.#membership !== session.membership) {
      this.#membership = session.membership;
      this.#markets = session.markets(this.number);
    }
    return this.#markets;
  }

  /** One of them, by id. */
  market(id: string): Market | undefined {
    return this.#client.session.market(id, this.number);
  }

  /** Ends it. */
  unsubscribe(): void {
    this.#client.unsubscribe(this);
  }

  /**
   * For the client: tells what has happened.
   * @internal
   */
  tell<Name extends keyof SubscriptionEvents>(name: Name, event: SubscriptionEvents[Name]): void {
    this.emit(name, event);
  }
}
