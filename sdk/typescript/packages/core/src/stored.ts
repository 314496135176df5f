import type { Attributes } from './attribute.js';
import type { Cursor, SubscriptionRequest } from './client-message.js';
import { Market } from './market.js';
import { Selection } from './selection.js';
import type { ClientSession } from './session.js';

/** Grows when the form changes; what was stored in another form is not read. */
const VERSION = 1;

/** What a session holds, as JSON can carry it: enough to resume from the cursor somewhere else. */
interface Stored {
  readonly version: number;
  readonly cursor: Cursor;
  readonly requests: readonly SubscriptionRequest[];
  readonly ageMs: number | undefined;
  readonly markets: readonly StoredMarket[];
}
type StoredMarket = readonly [number, string, number, number, number[], StoredAttributes, readonly StoredSelection[]];
type StoredSelection = readonly [string, number, number[], StoredAttributes, (readonly number[])[]];
type StoredAttributes = readonly (readonly [string, string])[];

/**
 * What a session holds as text, to go on from it after a page is loaded again; `undefined` when a cursor could not vouch
 * for it now. A cursor alone would be worthless: it says from where to catch up what is held.
 */
export function storeSession(session: ClientSession): string | undefined {
  const { cursor, ageMs } = session;
  if (!cursor || !session.isResumable) return undefined;
  const stored: Stored = {
    version: VERSION,
    cursor,
    requests: [...session.subscriptions.values()].map(({ request }) => request),
    ageMs,
    markets: [...session.held.values()].map((market) => [
      market.number,
      market.id,
      market.revision,
      market.publishedMs,
      [...market.cells],
      [...market.texts],
      market.selections.map(({ id, thousandths, cells, texts, ladders }) => [
        id,
        thousandths,
        [...cells],
        [...texts],
        ladders.map((rungs) => (rungs ? [...rungs.pairs.subarray(0, 2 * rungs.count)] : [])),
      ]),
    ]),
  };
  return JSON.stringify(stored);
}

/**
 * Gives a new session what {@link storeSession} wrote `elapsedMs` ago. Everything reads as stale until it has been caught
 * up; and it is dropped on connecting unless the same subscriptions have been made by then [RES-1].
 */
export function restoreSession(session: ClientSession, text: string, elapsedMs: number): void {
  const { version, cursor, requests, ageMs, markets }: Stored = JSON.parse(text);
  if (version !== VERSION) return;
  const held = markets.map(([number, id, revision, publishedMs, cells, texts, selections]) => {
    const market = new Market(number, session);
    Object.assign(market, { id, revision, publishedMs, cells: Float64Array.from(cells), toldState: 'stale' });
    put(market.texts, texts);
    selections.forEach(([id, thousandths, cells, texts, ladders], at) => {
      const selection = new Selection(market, at, id, thousandths);
      selection.cells.set(cells);
      put(selection.texts, texts);
      ladders.forEach((pairs, slot) => {
        if (pairs.length > 0) Object.assign(selection.ladder(32 + slot), { pairs: Float64Array.from(pairs), count: pairs.length / 2 });
      });
      market.selections.push(selection);
    });
    return market;
  });
  session.resumeFrom(cursor, requests, held, ageMs === undefined ? undefined : ageMs + elapsedMs);
}

function put(attributes: Attributes, stored: StoredAttributes): void {
  for (const [name, value] of stored) attributes.set(name, value);
}
