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
  const name = text('name') || title(text('market_type').replaceAll('_', ' ').toLowerCase()) || market.id;
  const sport = text('sport');
  return {
    sport: SPORTS[sport] ?? (sport || 'other'),
    fixture: text('fixture') || market.id,
    fixtureName: text('fixture_name') || text('venue') || (text('fixture') ? `Fixture ${text('fixture')}` : name),
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

/** A number of markets in words. */
export function counted(count: number): string {
  return `${count} market${count === 1 ? '' : 's'}`;
}

/** Selections in the order in which they are shown. */
export function inOrder(market: Market): Selection[] {
  const order = (selection: Selection): number => Number(selection.attributes['sort_priority'] ?? selection.number);
  return [...market.selections].sort((a, b) => order(a) - order(b));
}

/** Names of selections. Those that differ in nothing but their handicap have it in their name. */
export function namesOf(selections: readonly Selection[]): string[] {
  const count = new Map<string, number>();
  for (const { id } of selections) count.set(id, (count.get(id) ?? 0) + 1);
  return selections.map(({ id, handicap, attributes }) => {
    const name = String(attributes['name'] ?? `#${id}`);
    return count.get(id)! > 1 ? `${name} ${handicap > 0 ? '+' : ''}${handicap}` : name;
  });
}

/** The same for where there is little room, without the word that all of them end with: "Over 2.5" says enough under "Total Goals". */
export function labelsOf(selections: readonly Selection[]): string[] {
  const names = namesOf(selections);
  const ending = /\s[\p{L}]+$/u.exec(names[0] ?? '')?.[0];
  const isShared = ending && names.length > 1 && names.every((name) => name.endsWith(ending) && name.length > ending.length);
  return isShared ? names.map((name) => name.slice(0, -ending.length)) : names;
}
