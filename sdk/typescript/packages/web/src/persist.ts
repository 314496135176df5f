import { restoreSession, storeSession } from '@oddswire/core/stored';

import type { OddswireClient } from './client.js';

/** Most characters kept for the next page. Browsers give 5 million to all of an origin's pages in a tab. */
const STORED_MAX = 2_000_000;
/** What is kept longer is not worth reading: servers forget changes after two hours unless they are told otherwise. */
const STORED_MAX_MS = 7_200_000;

/** Where what is held is kept. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/**
 * Lets what a client holds outlive the page: it is kept when the page is left, and what the page before has kept is given to
 * this client, as stale, to be resumed. Call it in the same task in which the client is made. Returns what ends keeping.
 */
export function persist(client: OddswireClient, store: Store = globalThis.sessionStorage): () => void {
  const { session, url } = client;
  const { document } = globalThis;
  const quietly = (action: () => void): void => {
    try {
      action();
    } catch {
      // The browser keeps nothing for this page, or nothing more; or something else stands there. Then it begins afresh.
    }
  };
  const keep = (): void =>
    quietly(() => {
      const text = storeSession(session) ?? '';
      if (text && text.length <= STORED_MAX) store.setItem(url, `${Date.now()} ${text}`);
      else store.removeItem(url);
    });
  const hidden = (): void => void (document.visibilityState === 'hidden' && keep());
  quietly(() => {
    const stored = store.getItem(url) ?? '';
    store.removeItem(url);
    const elapsedMs = Date.now() - parseInt(stored, 10);
    if (elapsedMs >= 0 && elapsedMs < STORED_MAX_MS) restoreSession(session, stored.slice(stored.indexOf(' ')), elapsedMs);
  });
  globalThis.addEventListener?.('pagehide', keep);
  document?.addEventListener('visibilitychange', hidden);
  return () => {
    globalThis.removeEventListener?.('pagehide', keep);
    document?.removeEventListener('visibilitychange', hidden);
  };
}
