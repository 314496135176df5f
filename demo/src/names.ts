import type { Market, Selection } from '@oddswire/web';

/** Sports by the number that Betfair gives them, for recordings. */
const SPORTS: Record<string, string> = {
  '1': 'football',
  '2': 'tennis',
  '3': 'golf',
  '4': 'cricket',
  '7': 'racing',
  '4339': 'greyhounds',
  '7522': 'basketball',
  '2378961': 'politics',
};

/** Where a market belongs and what it is called. */
export interface Place {
  readonly sport: string;
  readonly fixture: string;
  readonly fixtureName: string;
  readonly competition: string;
  readonly startTime: string;
  readonly name: string;
  readonly score: string;
}

export function placeOf(market: Market): Place {
  const { attributes } = market;
  const text = (name: string): string => (attributes[name] === undefined ? '' : String(attributes[name]));
  const name = text('name') || text('market_type').replaceAll('_', ' ').toLowerCase() || market.id;
  const sport = text('sport');
  return {
    sport: SPORTS[sport] ?? (sport || 'other'),
    fixture: text('fixture') || market.id,
    fixtureName: text('fixture_name') || text('venue') || name,
    competition: text('competition_name'),
    startTime: text('start_time'),
    name,
    score: text('score'),
  };
}

/** A word with a capital letter. */
export function title(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** Selections in the order in which they are shown. */
export function inOrder(market: Market): Selection[] {
  const order = (selection: Selection): number => Number(selection.attributes['sort_priority'] ?? selection.number);
  return [...market.selections].sort((a, b) => order(a) - order(b));
}

/** Names of selections, without the word that all of them end with: "Over 2.5" says enough under "Total Goals". */
export function labelsOf(selections: readonly Selection[]): string[] {
  const names = selections.map((selection) => String(selection.attributes['name'] ?? `#${selection.id}`));
  const ending = /\s[\p{L}]+$/u.exec(names[0] ?? '')?.[0];
  const isShared = ending && names.length > 1 && names.every((name) => name.endsWith(ending) && name.length > ending.length);
  return isShared ? names.map((name) => name.slice(0, -ending.length)) : names;
}
