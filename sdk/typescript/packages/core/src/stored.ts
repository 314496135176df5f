import type { Cursor, SubscriptionRequest } from './client-message.js';
import { type Attributes, Mirror, Runner } from './mirror.js';
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
type StoredMarket = readonly [number, string, number, number, number[], StoredAttributes, readonly StoredRunner[]];
type StoredRunner = readonly [string, number, number[], StoredAttributes, (readonly number[])[]];
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
    markets: [...session.mirrors.values()].map((mirror) => [
      mirror.number,
      mirror.id,
      mirror.revision,
      mirror.publishedMs,
      [...mirror.cells],
      [...mirror.attributes],
      mirror.runners.map(({ id, handicap, cells, attributes, ladders }) => [
        id,
        handicap,
        [...cells],
        [...attributes],
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
  const mirrors = markets.map(([number, id, revision, publishedMs, cells, attributes, runners]) => {
    const mirror = new Mirror(number);
    Object.assign(mirror, { id, revision, publishedMs, cells: Float64Array.from(cells), state: 'stale' });
    put(mirror.attributes, attributes);
    mirror.runners = runners.map(([id, handicap, cells, attributes, ladders], at) => {
      const runner = new Runner(at, id, handicap);
      runner.cells.set(cells);
      put(runner.attributes, attributes);
      ladders.forEach((pairs, slot) => {
        if (pairs.length > 0) Object.assign(runner.ladder(32 + slot), { pairs: Float64Array.from(pairs), count: pairs.length / 2 });
      });
      return runner;
    });
    return mirror;
  });
  session.resumeFrom(cursor, requests, mirrors, ageMs === undefined ? undefined : ageMs + elapsedMs);
}

function put(attributes: Attributes, stored: StoredAttributes): void {
  for (const [name, value] of stored) attributes.set(name, value);
}
