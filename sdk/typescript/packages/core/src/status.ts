/** What a receiver knows of a market [STALE-3]. */
export type MarketState = 'syncing' | 'live' | 'stale';
/** What a market's status reads as. */
export type MarketStatus = 'OPEN' | 'SUSPENDED' | 'CLOSED' | 'SETTLED' | 'VOID';
/** What a selection's status reads as. */
export type SelectionStatus = 'ACTIVE' | 'WINNER' | 'LOSER' | 'PLACED' | 'REMOVED' | 'REMOVED_VACANT' | 'HIDDEN' | 'SUSPENDED';

const STATUSES: readonly (MarketStatus | '')[] = ['', 'OPEN', '', 'CLOSED', 'SETTLED', 'VOID'];

/** What a market's status code reads as [CELL-3]; 0 and those of a later version read as suspended. */
export function statusOf(code: number): MarketStatus {
  return STATUSES[code] || 'SUSPENDED';
}

/** What a selection's status code reads as. */
export function selectionStatusOf(code: number): SelectionStatus {
  return (['ACTIVE', 'WINNER', 'LOSER', 'PLACED', 'REMOVED', 'REMOVED_VACANT', 'HIDDEN'][code] ?? 'SUSPENDED') as SelectionStatus;
}
