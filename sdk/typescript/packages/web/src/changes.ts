/** What the last frame has changed, cell by cell, for people. */
export * from '@oddswire/core/changes';
