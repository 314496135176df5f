import type { ClientState, OddswireClient, StateChange } from '@oddswire/web';

import { byId, setData, setText } from './element.js';

/** A state that lasts shorter than this is not read out. */
const ANNOUNCE_AFTER_MS = 1500;

const WORDS: Record<ClientState, string> = {
  connecting: 'Connecting',
  syncing: 'Syncing',
  live: 'Live',
  waiting: 'Connection lost',
  offline: 'Offline',
  closed: 'Closed',
};
/** For those who listen to the page. */
const SENTENCES: Partial<Record<ClientState, string>> = {
  live: 'Prices are live.',
  waiting: 'The connection is lost. Prices are stale and cannot be bet on.',
  offline: 'Offline. Prices are stale and cannot be bet on.',
  closed: 'The server refuses this page. Prices are stale.',
};

/** Shows where the client stands, and says so when it matters. */
export class ConnectionView {
  readonly #client: OddswireClient;
  #announced: ClientState = 'connecting';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: OddswireClient) {
    this.#client = client;
    client.on('state', (change) => this.#show(change));
  }

  #show({ state, reason }: StateChange): void {
    setData(byId('connection'), 'state', state);
    setText(byId('connection-text'), WORDS[state]);
    byId('connection').title = reason ?? '';
    const offline = byId<HTMLButtonElement>('offline');
    setText(offline, state === 'offline' ? 'Go online' : 'Go offline');
    offline.setAttribute('aria-pressed', String(state === 'offline'));
    byId<HTMLButtonElement>('cut').disabled = state === 'offline' || state === 'closed';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#announce(), ANNOUNCE_AFTER_MS);
  }

  #announce(): void {
    const { state } = this.#client;
    const sentence = SENTENCES[state];
    if (!sentence || state === this.#announced) return;
    this.#announced = state;
    setText(byId('announce'), sentence);
  }
}
