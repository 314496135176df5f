export * from '@oddswire/core';
export {
  OddswireClient,
  type ClientEvents,
  type ClientOptions,
  type ClientState,
  type FrameEvent,
  type StateChange,
  type Traffic,
} from './client.js';
export { Subscription, type SubscribeOptions, type SubscriptionChange, type SubscriptionEvents } from './subscription.js';
