import { type Market, OddswireClient, type Subscription, type SubscribeOptions } from '@oddswire/web';
import { persist } from '@oddswire/web/persist';

import type { Settings } from './settings.js';

/** What a slow line is asked for. */
const SLOW = { view: 'prices', maxRateMs: 1000 } as const;

/** Who hears of markets: once per frame, those that are here and have changed, and those that have left. */
export type MarketsListener = (changed: readonly Market[], removed: readonly Market[]) => void;

/**
 * The client, with two interests: every market as the settings say, and the chosen one in full. A market that is named twice
 * travels once, in the wider view, so choosing one costs its ladders and nothing else.
 */
export class Feed {
  readonly client: OddswireClient;
  readonly #listener: MarketsListener;
  #all: Subscription | undefined;
  #chosen: Subscription | undefined;
  #asked = '';
  #askedChosen = '';

  constructor(url: string, listener: MarketsListener) {
    this.client = new OddswireClient(url, { agent: 'oddswire-board/0.1' });
    persist(this.client);
    this.#listener = listener;
  }

  /** Asks for what is wanted now, before it ends what was wanted until now: markets in both are not sent again. */
  ask({ view, rateMs, isSlow }: Settings, chosen: string | undefined): void {
    const all: SubscribeOptions = { topic: 'all', ...(isSlow ? SLOW : { view, maxRateMs: rateMs }) };
    const one: SubscribeOptions | undefined =
      chosen === undefined ? undefined : { topic: `market/${chosen}`, ...(isSlow ? { ...SLOW, view: 'best3' } : { view: 'full', maxRateMs: rateMs }) };
    const { client } = this;
    if (this.#asked !== JSON.stringify(all)) {
      this.#asked = JSON.stringify(all);
      const old = this.#all;
      this.#all = client.subscribe(all);
      this.#all.on('change', ({ changed, removed }) => this.#listener(changed, removed));
      old?.unsubscribe();
    }
    if (this.#askedChosen !== JSON.stringify(one)) {
      this.#askedChosen = JSON.stringify(one);
      const old = this.#chosen;
      this.#chosen = one && client.subscribe(one);
      old?.unsubscribe();
    }
  }
}
