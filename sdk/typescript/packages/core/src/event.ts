import type { ResyncReason } from './client-message.js';
import type { Market } from './market.js';
import type { MarketStatus } from './status.js';

/** What became of a cursor on a new connection [RES-2]. Places in this list are the numbers that travel. */
export const RESUMES = ['FRESH', 'CAUGHT_UP', 'EPOCH_CHANGED', 'TOO_OLD'] as const;
export type Resume = (typeof RESUMES)[number];

/** Why several changes became one [RATE-3]. Places in this list are the numbers that travel. */
export const CONFLATIONS = ['NONE', 'ASKED', 'RECEIVER_SLOW', 'SERVER_SLOW'] as const;
export type Conflation = (typeof CONFLATIONS)[number];

/** Something that happened in a session, in order. */
export type SessionEvent =
  /** The gateway has answered the hello. `session` is its name in the server's logs. */
  | { readonly type: 'welcomed'; readonly epoch: string; readonly session: string }
  /** A subscription was taken, at this rate; its topics name so many markets now. */
  | {
      readonly type: 'subscribed';
      readonly subscription: number;
      readonly rateMs: number;
      readonly markets: number;
      readonly resume: Resume;
    }
  /** A market came into view, or was sent again. */
  | { readonly type: 'snapshot'; readonly market: Market }
  /** A market changed. Its cells stand in the session's `changes` from `from` to `to`, until the next frame. */
  | {
      readonly type: 'changed';
      readonly market: Market;
      readonly cells: number;
      readonly conflated: Conflation;
      readonly from: number;
      readonly to: number;
    }
  /** What a market's status reads as at a revision. Every edge is reported once, before the change that holds it. */
  | { readonly type: 'status'; readonly market: Market; readonly revision: number; readonly status: MarketStatus }
  /** A market has left. */
  | { readonly type: 'removed'; readonly market: Market }
  /** Frames were lost; everything since was asked for. */
  | { readonly type: 'gap' }
  /** Something did not fit, and the market was asked for again. */
  | { readonly type: 'resyncing'; readonly number: number; readonly reason: ResyncReason }
  /** Three snapshots of a market in a row could not be read; it is not asked for again on this connection [SYNC-5]. */
  | { readonly type: 'abandoned'; readonly number: number }
  /** Everything that was asked for is here, up to this revision. */
  | { readonly type: 'synced'; readonly revision: number }
  /** The gateway has been silent for too long; everything reads as stale. */
  | { readonly type: 'stale' }
  /** The gateway asks to move, after this time. */
  | { readonly type: 'drain'; readonly reconnectAfterMs: number }
  /** The gateway reports an error [ERR-2]; `subscription` is 0 when it is about none. */
  | { readonly type: 'refused'; readonly code: number; readonly message: string; readonly subscription: number };
