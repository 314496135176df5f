import type { Changes, LadderName, Market, Selection, SessionEvent } from '@oddswire/web';
import { describeChanges } from '@oddswire/web/changes';

type Changed = SessionEvent & { readonly type: 'changed' };

const LADDERS: readonly LadderName[] = ['back', 'lay', 'traded', 'spBack', 'spLay', 'displayBack', 'displayLay'];
/** A ladder of at most this many rungs may be written whole where that is shorter: a careful team would do so. */
const WHOLE_MAX = 10;

/**
 * A change of a market as a careful team would write it in JSON (RFC 7396): only the cells that have changed, full words,
 * no spaces. Statuses are codes, as they are here. Empty when nothing but names has changed.
 */
export function patchJson(changes: Changes, event: Changed): string {
  const { market } = event;
  let own = '';
  const parts = new Map<Selection, { cells: string; ladders: Map<LadderName, string> }>();
  for (const { selection, field, price, to } of describeChanges(changes, event)) {
    if (!selection) {
      own += `,"${field}":${value(to)}`;
      continue;
    }
    let part = parts.get(selection);
    if (!part) parts.set(selection, (part = { cells: '', ladders: new Map() }));
    if (price === undefined) part.cells += `,"${field}":${value(to)}`;
    else part.ladders.set(field as LadderName, `${part.ladders.get(field as LadderName) ?? ''},"${price}":${value(to)}`);
  }
  if (!own && parts.size === 0) return '';
  let selections = '';
  for (const [selection, { cells, ladders }] of parts) {
    let text = cells;
    for (const [name, rungs] of ladders) {
      const patch = `{${rungs.slice(1)}}`;
      const whole = ladderJson(selection, name, WHOLE_MAX);
      text += `,"${name}":${whole !== undefined && whole.length < patch.length ? whole : patch}`;
    }
    selections += `,"${keyOf(selection)}":{${text.slice(1)}}`;
  }
  return `${head(market)}${own}${selections && `,"selections":{${selections.slice(1)}}`}}`;
}

/** A whole market. */
export function snapshotJson(market: Market): string {
  const selections: Record<string, unknown> = {};
  for (const selection of market.selections) {
    const cells: Record<string, unknown> = { definition: selection.attributes, status: selection.status };
    for (const name of ['lastTraded', 'near', 'far', 'starting'] as const) {
      const price = selection.indicative(name);
      if (price !== undefined) cells[name] = price;
    }
    let hasLadder = false;
    for (const name of LADDERS) {
      const { rungs } = selection.depth(name);
      if (rungs.length === 0) continue;
      hasLadder = true;
      cells[name] = rungs.map(({ price, amount }) => (amount === undefined ? price : [price, amount]));
    }
    if (!hasLadder && selection.back.indicativePrice !== undefined) cells['price'] = selection.back.indicativePrice;
    selections[keyOf(selection)] = cells;
  }
  const { status, inPlay, tradedVolume, attributes } = market;
  return `${head(market)},${JSON.stringify({ status, inPlay, tradedVolume, definition: attributes, selections }).slice(1)}`;
}

function head(market: Market): string {
  return `{"market":${JSON.stringify(market.id)},"revision":${market.revision},"published_ms":${market.publishedMs}`;
}

function keyOf({ id, handicap }: Selection): string {
  return handicap === 0 ? id : `${id}/${handicap}`;
}

function ladderJson(selection: Selection, name: LadderName, rungsMax: number): string | undefined {
  const { rungs } = selection.depth(name, rungsMax + 1);
  if (rungs.length > rungsMax) return undefined;
  return `[${rungs.map(({ price, amount }) => (amount === undefined ? price : `[${price},${amount}]`)).join()}]`;
}

/** `null` removes a member; what is infinite has no other way to be said. */
function value(to: number | undefined): number | string {
  return to === undefined ? 'null' : to === Infinity ? '"Infinity"' : to;
}
