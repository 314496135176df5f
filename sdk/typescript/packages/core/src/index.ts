export { Backoff } from './backoff.js';
export type { Changes } from './changes.js';
export type { Cursor, ResyncReason, SubscriptionRequest, View } from './client-message.js';
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
export { ClientSession, type Connection, type SessionConfig, TELEMETRY_REFUSED } from './session.js';
export { Histogram, nextReportMs, type ReconnectCause, REPORT_INTERVAL_MS, Telemetry } from './telemetry.js';
