/** How odds are written. */
export * from '@oddswire/core/odds';
