import { writeBytes, writeMessage, type Shape, type Values } from './message.js';
import { type Figures, pairs } from './telemetry.js';

type Best = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/**
 * What part of a market a receiver wants [VIEW-1]: the best price of each side, the best N rungs of each side, or every
 * ladder in full. `-prices` leaves amounts of money out.
 */
export type View = 'prices' | `best${Best}` | `best${Best}-prices` | 'full' | 'full-prices';

/** "I hold exactly what my views of these markets were then." */
export interface Cursor {
  /** 16 hexadecimal digits. */
  readonly epoch: string;
  readonly revision: number;
}

/** Interest in markets [SUB-1]. */
export interface SubscriptionRequest {
  /** `all`, `market/ID`, `fixture/ID`, `competition/ID`, `sport/ID` or `type/NAME`; at most 32. */
  readonly topics: readonly string[];
  readonly view: View;
  /** No more than one delta per market in this time, in milliseconds; 0 for every flush. */
  readonly rateMs: number;
}

/** Why something is asked for again. Places in this list are the numbers that travel. */
export const RESYNC_REASONS = ['UNSPECIFIED', 'GAP', 'DIGEST', 'UNKNOWN_MARKET', 'MALFORMED'] as const;
export type ResyncReason = (typeof RESYNC_REASONS)[number];

/** The first message of a session [HELLO-1]. */
export function hello(agent: string, encodings: readonly number[], token: string, models: readonly number[] = []): Uint8Array {
  // What is more than a byte is cut off.
  const bytes = models.flatMap((id) => [id, id >> 8, id >> 16, id >> 24]);
  return message(1, 'spsb', [agent, encodings, token, bytes]);
}

export function subscribe(subscription: number, request: SubscriptionRequest, cursor?: Cursor): Uint8Array {
  const resumed = cursor && [cursor.epoch, cursor.revision];
  const { topics, view, rateMs } = request;
  return message(2, ['u', 'r', 'uuu', 'u', 'fu'], [subscription, topics, viewMessage(view), rateMs, resumed]);
}

export function unsubscribe(subscription: number): Uint8Array {
  return message(3, 'u', [subscription]);
}

/** Asks for snapshots of `markets`, at most 512, or for a catch-up of everything `since` a revision [SYNC-3]. */
export function resync(markets: readonly number[], reason: ResyncReason, since?: number): Uint8Array {
  return message(4, 'puo', [markets, RESYNC_REASONS.indexOf(reason), since]);
}

/** What was seen since the last report [TEL-1]. */
export function telemetry(fresh: Figures): Uint8Array {
  const delays = (at: number): Values | undefined => (fresh[at]!.some(Boolean) ? [pairs(fresh[at]!), fresh[at + 2]![0]] : undefined);
  const values = fresh.slice(0, 8).map((counts, field) => (field === 2 ? pairs(counts) : counts[0]));
  return message(5, ['u', 'u', 'p', 'u', 'u', 'u', 'u', 'u', 'pu', 'pu'], [...values, delays(8), delays(9)]);
}

function viewMessage(view: string): Values {
  const [, depth, best, hidden] = /^(prices|full|best(10|[1-9]))(-prices)?$/.exec(view) ?? [];
  if (!depth || (hidden && depth === 'prices')) {
    throw new TypeError(`"${view}" is not a view`);
  }
  return [best ? 2 : depth === 'full' ? 3 : 1, Number(best ?? 0), Number(depth !== 'prices' && !hidden)];
}

function message(kind: number, shape: Shape, values: Values): Uint8Array {
  return Uint8Array.from(writeBytes([], kind * 8, writeMessage(shape, values)));
}
