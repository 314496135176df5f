/** Parts that tests and tools read and applications have no business with; they change without notice. */
export * from './changes.js';
export * from './client-message.js';
export * from './compact/cells.js';
export * from './compact/coder.js';
export * from './compact/lead.js';
export * from './compact/model.js';
export * from './compact/tables.js';
export * from './digest.js';
export * from './frame.js';
export * from './message.js';
export * from './mirror.js';
export * from './piece.js';
export * from './plain.js';
export * from './price-ladder.js';
export * from './reader.js';
export * from './telemetry.js';
