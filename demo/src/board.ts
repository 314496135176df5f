import type { Market } from '@oddswire/web';
import type { OddsFormat } from '@oddswire/web/odds';

import { byId, make, setHidden, setText } from './element.js';
import { MarketView } from './market-view.js';
import { counted, type Place, title } from './names.js';
import type { Painter } from './painter.js';

/** This far outside of the window markets are kept up to date as those inside. */
const NEAR = '200px 0px';

/** What is shown of all markets. */
export interface Filter {
  readonly text: string;
  /** All sports when empty. */
  readonly sport: string;
  readonly isInPlayOnly: boolean;
  /** Closed, settled and void markets too. */
  readonly hasFinished: boolean;
}

/** What a board begins with. */
export const EVERYTHING: Filter = { text: '', sport: '', isInPlayOnly: false, hasFinished: false };

/** A fixture with its markets. */
interface Card {
  readonly key: string;
  readonly element: HTMLElement;
  readonly score: HTMLElement;
  readonly markets: Map<string, MarketView>;
  readonly words: string;
  readonly order: string;
  readonly sport: Sport;
}

interface Sport {
  readonly name: string;
  readonly element: HTMLElement;
  readonly count: HTMLElement;
  readonly grid: HTMLElement;
  /** In order of their start. */
  readonly cards: Card[];
}

/** All markets by sport and fixture. */
export class Board {
  readonly #root = byId('board');
  readonly #painter: Painter;
  readonly #format: () => OddsFormat;
  readonly #views = new Map<string, MarketView>();
  readonly #cards = new Map<string, Card>();
  readonly #sports = new Map<string, Sport>();
  readonly #cardOf = new WeakMap<Element, Card>();
  readonly #observer: IntersectionObserver;
  #width = 0;
  #filter = EVERYTHING;
  #isFiltering = false;
  #chosen: string | undefined;
  /** Called when sports have come or gone, or other markets are shown. */
  onShape: (() => void) | undefined;

  constructor(painter: Painter, format: () => OddsFormat) {
    this.#painter = painter;
    this.#format = format;
    this.#observer = new IntersectionObserver((entries) => this.#see(entries), { rootMargin: NEAR });
    new ResizeObserver(([entry]) => this.#resize(entry!.contentRect.width)).observe(this.#root);
  }

  /** Brings changed markets into the page, and takes away those that have left. */
  apply(changed: readonly Market[], removed: readonly Market[]): void {
    let isReshaped = false;
    for (const market of removed) {
      // A market that was offered again is here under the same id already.
      if (this.#views.get(market.id)?.market !== market) continue;
      this.#remove(market.id);
      isReshaped = true;
    }
    for (const market of changed) {
      let view = this.#views.get(market.id);
      if (!view) {
        view = this.#add(market);
        isReshaped = true;
      } else if (view.market !== market) view.market = market;
      this.#painter.add(view);
    }
    if (isReshaped) this.#filterSoon();
  }

  /** Brings up to date what may wait for a moment. */
  tick(): void {
    for (const view of this.#views.values()) if (view.isNear && view.isUndefined) view.define();
  }

  /** Paints everything: formats, or the passing of time, have changed what there is to see. */
  repaint(): void {
    for (const view of this.#views.values()) this.#painter.add(view);
  }

  /** Ids of the markets that the filter shows, in the order of the page. */
  shown(): string[] {
    return [...this.#root.querySelectorAll<HTMLElement>('.market:not([hidden] *, [hidden])')].map((element) => element.dataset['market']!);
  }

  get size(): number {
    return this.#views.size;
  }

  get sports(): readonly string[] {
    return [...this.#sports.keys()];
  }

  view(id: string): MarketView | undefined {
    return this.#views.get(id);
  }

  /** Marks the chosen market. */
  choose(id: string | undefined): void {
    if (this.#chosen !== undefined) this.#views.get(this.#chosen)?.button.removeAttribute('aria-current');
    this.#chosen = id;
    if (id !== undefined) this.#views.get(id)?.button.setAttribute('aria-current', 'true');
  }

  /** Shows the markets that a filter leaves. */
  filter(filter: Filter): void {
    this.#filter = filter;
    const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
    for (const sport of this.#sports.values()) {
      let shown = 0;
      for (const card of sport.cards) {
        let isShown = false;
        const left = words.filter((word) => !card.words.includes(word));
        for (const view of card.markets.values()) {
          const isMatch =
            (!filter.isInPlayOnly || view.isInPlay) &&
            (filter.hasFinished || !view.isFinished || view.market.id === this.#chosen) &&
            left.every((word) => view.words.includes(word));
          setHidden(view.element, !isMatch);
          isShown ||= isMatch;
          if (isMatch) shown++;
        }
        setHidden(card.element, !isShown);
      }
      setHidden(sport.element, shown === 0 || (filter.sport !== '' && filter.sport !== sport.name));
      setText(sport.count, counted(shown));
    }
    byId('empty').hidden = this.#views.size > 0;
    this.onShape?.();
  }

  /** Once, however many markets have come or gone. */
  #filterSoon(): void {
    if (this.#isFiltering) return;
    this.#isFiltering = true;
    requestAnimationFrame(() => {
      this.#isFiltering = false;
      this.filter(this.#filter);
    });
  }

  #add(market: Market): MarketView {
    const view = new MarketView(market, this.#painter, this.#format);
    view.paint();
    const { place } = view;
    const key = `${place.sport}/${place.fixture}`;
    const card = this.#cards.get(key) ?? this.#addCard(key, place);
    view.onPlace = () => this.#showScore(card, view);
    view.onFinish = () => this.#filterSoon();
    this.#showScore(card, view);
    card.markets.set(market.id, view);
    card.element.append(view.element);
    this.#views.set(market.id, view);
    if (market.id === this.#chosen) this.choose(market.id);
    return view;
  }

  #showScore(card: Card, view: MarketView): void {
    setText(card.score, view.place.score);
    card.element.classList.toggle('in-play', view.isInPlay);
  }

  #addCard(key: string, place: Place): Card {
    const score = make('span', 'score', place.score);
    const competition = make('span', 'competition', place.competition);
    const element = make('article', 'card', make('header', '', make('h3', '', place.fixtureName), score, competition));
    const sport = this.#sports.get(place.sport) ?? this.#addSport(place.sport);
    const words = `${place.fixtureName} ${place.competition} ${place.sport}`.toLowerCase();
    const card: Card = { key, element, score, markets: new Map(), words, order: `${place.startTime} ${place.fixture}`, sport };
    const at = sport.cards.findIndex(({ order }) => order > card.order);
    sport.grid.insertBefore(element, at < 0 ? null : sport.cards[at]!.element);
    sport.cards.splice(at < 0 ? sport.cards.length : at, 0, card);
    this.#cards.set(key, card);
    this.#cardOf.set(element, card);
    this.#observer.observe(element);
    return card;
  }

  #addSport(name: string): Sport {
    const heading = make('h2', '', title(name));
    heading.id = `sport-${name}`;
    const count = make('span', 'count', '');
    const grid = make('div', 'cards');
    const element = make('section', 'sport', make('div', 'sport-head', heading, count), grid);
    element.setAttribute('aria-labelledby', heading.id);
    const sport: Sport = { name, element, count, grid, cards: [] };
    this.#sports.set(name, sport);
    this.#root.append(element);
    return sport;
  }

  #remove(id: string): void {
    const view = this.#views.get(id)!;
    this.#views.delete(id);
    this.#painter.remove(view);
    view.element.remove();
    const card = this.#cards.get(`${view.place.sport}/${view.place.fixture}`);
    if (!card) return;
    card.markets.delete(id);
    if (card.markets.size > 0) return;
    this.#observer.unobserve(card.element);
    card.element.remove();
    this.#cards.delete(card.key);
    card.sport.cards.splice(card.sport.cards.indexOf(card), 1);
    if (card.sport.cards.length > 0) return;
    card.sport.element.remove();
    this.#sports.delete(card.sport.name);
  }

  /** The board grows and shrinks with its markets all the time: only another width is news to a name. */
  #resize(width: number): void {
    if (width === this.#width) return;
    this.#width = width;
    fit([...this.#views.values()].filter(({ isNear }) => isNear), width);
  }

  #see(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      for (const view of this.#cardOf.get(target)?.markets.values() ?? []) {
        view.isNear = isIntersecting;
        if (isIntersecting) this.#painter.add(view);
      }
    }
    fit(entries.filter(({ isIntersecting }) => isIntersecting).flatMap(({ target }) => [...(this.#cardOf.get(target)?.markets.values() ?? [])]), this.#width);
  }
}

/**
 * Lets names that have room go without being cut off: each that is cut off is painted by itself. The page has just been laid
 * out when this is called, and everything is measured before anything is written.
 */
function fit(views: readonly MarketView[], width: number): void {
  const unfitted = views.filter(({ fittedWidth }) => fittedWidth !== width);
  for (const view of unfitted) view.fittedWidth = width;
  const names = unfitted.flatMap(({ names }) => names);
  const fits = names.map(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth);
  names.forEach((name, at) => name.classList.toggle('fits', fits[at]));
}
