/** Parts that tests read and applications have no business with; they change without notice. */
export { sleeplessClock } from './clock.js';
