import type { View } from '@oddswire/web';
import type { OddsFormat } from '@oddswire/web/odds';

/** What the reader has chosen. It outlives the page. */
export interface Settings {
  readonly view: View;
  /** At most one change of a market in this time; 0 for every change. */
  readonly rateMs: number;
  readonly format: OddsFormat;
  readonly theme: 'auto' | 'light' | 'dark';
  /** Ask for as little as a slow line can take, whatever view and rate say. */
  readonly isSlow: boolean;
}

const KEY = 'oddswire-board';
const DEFAULTS: Settings = { view: 'best1', rateMs: 0, format: 'decimal', theme: 'auto', isSlow: false };

/** Settings as they were left, or as they come. */
export function loadSettings(): Settings {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') };
  } catch {
    // The browser keeps nothing, or something else stands there.
    return DEFAULTS;
  }
}

export function storeSettings(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Then they last as long as the page.
  }
}
