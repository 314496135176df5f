import type { Market, View } from '@oddswire/web';
import type { OddsFormat } from '@oddswire/web/odds';

import { Board, EVERYTHING, type Filter } from './board.js';
import { ConnectionView } from './connection.js';
import { Detail, titleOf } from './detail.js';
import { byId, make, setText } from './element.js';
import { Feed } from './feed.js';
import { Meter } from './meter.js';
import { counted, title } from './names.js';
import { Painter } from './painter.js';
import { moveFocus } from './roving.js';
import { loadSettings, type Settings, storeSettings } from './settings.js';
import { WirePanel } from './wire-panel.js';

/** How often ages are written, and silence is looked for. */
const TICK_MS = 250;
/** Colours, in the order in which the button goes through them. */
const THEMES = { auto: 'as the system', light: 'light', dark: 'dark' };

let settings = loadSettings();
let filter = EVERYTHING;
let chosen = decodeURIComponent(location.hash.slice(1)) || undefined;

const painter = new Painter();
const format = (): OddsFormat => settings.format;
const board = new Board(painter, format);
const detail = new Detail(painter, format);
const feed = new Feed(location.origin, apply);
const { client } = feed;
// The client resumes from the page before this one only if it is asked for the same in the same turn.
feed.ask(settings, chosen);
const meter = new Meter(client);
const wire = new WirePanel(client, meter);
new ConnectionView(client);
// For the browser's console, and for tests.
Object.assign(globalThis, { oddswire: { client } });

function apply(changed: readonly Market[], removed: readonly Market[]): void {
  board.apply(changed, removed);
  const held = chosen === undefined ? undefined : client.market(chosen);
  if (held !== detail.market) openChosen();
  else if (held && changed.includes(held)) painter.add(detail);
}

function choose(id: string): void {
  chosen = id;
  history.replaceState(null, '', `#${encodeURIComponent(id)}`);
  board.choose(id);
  feed.ask(settings, id);
  openChosen();
  show('market');
}

function openChosen(): void {
  const market = chosen === undefined ? undefined : client.market(chosen);
  detail.open(market);
  document.title = titleOf(market);
}

/** On small screens one part of the page is seen at a time. */
function show(part: string): void {
  document.body.dataset['view'] = part;
  for (const tab of document.querySelectorAll<HTMLElement>('.tabs button')) {
    if (tab.dataset['to'] === part) tab.setAttribute('aria-current', 'true');
    else tab.removeAttribute('aria-current');
  }
}

function change(part: Partial<Settings>): void {
  settings = { ...settings, ...part };
  storeSettings(settings);
  showSettings();
  feed.ask(settings, chosen);
  board.repaint();
  painter.add(detail);
}

function showSettings(): void {
  const { view, rateMs, format, theme, isSlow } = settings;
  document.documentElement.dataset['theme'] = theme;
  byId<HTMLSelectElement>('format').value = format;
  byId('theme').title = byId('theme').ariaLabel = `Colours: ${THEMES[theme]}`;
  byId<HTMLSelectElement>('view').value = view;
  byId<HTMLSelectElement>('rate').value = String(rateMs);
  for (const id of ['view', 'rate']) byId<HTMLSelectElement>(id).disabled = isSlow;
  byId('slow').setAttribute('aria-pressed', String(isSlow));
}

function after(theme: Settings['theme']): Settings['theme'] {
  const themes = Object.keys(THEMES) as Settings['theme'][];
  return themes[(themes.indexOf(theme) + 1) % themes.length]!;
}

function refine(part: Partial<Filter>): void {
  filter = { ...filter, ...part };
  board.filter(filter);
}

/** The sports there are, and how many markets are shown. */
function showShape(): void {
  const sports = ['', ...board.sports];
  const chips = byId('sports');
  if (chips.dataset['sports'] !== sports.join()) {
    chips.dataset['sports'] = sports.join();
    chips.replaceChildren(
      ...sports.map((sport) => {
        const chip = make('button', 'chip', sport ? title(sport) : 'All');
        chip.type = 'button';
        chip.dataset['sport'] = sport;
        chip.addEventListener('click', () => refine({ sport }));
        return chip;
      }),
    );
  }
  for (const chip of chips.querySelectorAll<HTMLElement>('button')) {
    chip.setAttribute('aria-pressed', String(chip.dataset['sport'] === filter.sport));
  }
  const shown = board.shown();
  setText(byId('shown'), shown.length === board.size ? counted(board.size) : `${shown.length} of ${counted(board.size)}`);
  // The Tab key stops once at the board.
  if (!document.querySelector('#board .open[tabindex="0"]:not([hidden] *)')) {
    const first = shown[0] === undefined ? undefined : board.view(shown[0]);
    if (first) first.button.tabIndex = 0;
  }
}

function listen(): void {
  const select = (id: string, chose: (value: string) => void): void => {
    byId(id).addEventListener('change', (event) => chose((event.target as HTMLSelectElement).value));
  };
  select('format', (value) => change({ format: value as OddsFormat }));
  byId('theme').addEventListener('click', () => change({ theme: after(settings.theme) }));
  select('view', (value) => change({ view: value as View }));
  select('rate', (value) => change({ rateMs: Number(value) }));
  byId('slow').addEventListener('click', () => change({ isSlow: !settings.isSlow }));
  byId('cut').addEventListener('click', () => client.disconnect());
  byId('offline').addEventListener('click', () => (client.state === 'offline' ? client.goOnline() : client.goOffline()));
  byId('filter').addEventListener('submit', (event) => event.preventDefault());
  byId('search').addEventListener('input', (event) => refine({ text: (event.target as HTMLInputElement).value }));
  byId('in-play').addEventListener('change', (event) => refine({ isInPlayOnly: (event.target as HTMLInputElement).checked }));
  byId('finished').addEventListener('change', (event) => refine({ hasFinished: (event.target as HTMLInputElement).checked }));
  for (const tab of document.querySelectorAll<HTMLElement>('.tabs button')) tab.addEventListener('click', () => show(tab.dataset['to']!));
  const root = byId('board');
  root.addEventListener('click', (event) => {
    const market = (event.target as Element).closest<HTMLElement>('.market');
    if (market) choose(market.dataset['market']!);
  });
  root.addEventListener('keydown', (event) => moveFocus(event, board.shown().map((id) => board.view(id)!.button)));
  root.addEventListener('focusin', (event) => {
    const button = event.target as HTMLElement;
    if (!button.matches('.open') || button.tabIndex === 0) return;
    for (const other of root.querySelectorAll<HTMLElement>('.open[tabindex="0"]')) other.tabIndex = -1;
    button.tabIndex = 0;
  });
  addEventListener('keydown', (event) => {
    if (event.key !== '/' || (event.target as Element).matches('input, select')) return;
    event.preventDefault();
    byId('search').focus();
  });
}

board.onShape = showShape;
board.choose(chosen);
showSettings();
listen();
let ticks = 0;
setInterval(() => {
  // A page that was asleep finds that everything is stale before the client's timer does.
  const isSilent = client.session.connection !== 'disconnected' && client.session.isSilent();
  if (isSilent) board.repaint();
  board.tick();
  detail.tick();
  if (isSilent && detail.market) painter.add(detail);
  if (++ticks % (1000 / TICK_MS) === 0) wire.tick();
  // Something stands there from the beginning where there is room for it.
  if (chosen === undefined && matchMedia('(min-width: 1080px)').matches) {
    const first = board.shown()[0];
    if (first !== undefined && client.state === 'live') {
      choose(first);
      show('board');
    }
  }
}, TICK_MS);
