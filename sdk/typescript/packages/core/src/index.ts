export { Backoff } from './backoff.js';
export type { Changes } from './changes.js';
export type { Cursor, ResyncReason, SubscriptionRequest, View } from './client-message.js';
export { describeChanges, type CellChange } from './describe.js';
export { ProtocolError, type ErrorName } from './error.js';
export type { Conflation, Resume, SessionEvent } from './event.js';
export {
  Market,
  Selection,
  type AttributeValue,
  type Depth,
  type IndicationName,
  type LadderName,
  type Quote,
  type Rung,
  type SelectionStatus,
  type Standing,
} from './market.js';
export type { MarketState, MarketStatus } from './mirror.js';
export { formatOdds, type OddsFormat } from './odds.js';
export { ClientSession, type Connection, type SessionConfig } from './session.js';
export { restoreSession, storeSession } from './stored.js';
export { Histogram, Telemetry } from './telemetry.js';
