/** The table of `measure.ts` in Node, or with `--browser` in Chromium. */
import type { View } from '@oddswire/web';

import { measureInBrowser } from './browser.js';
import { describe, measure } from './measure.js';
import { recordFrames } from './record.js';

const ROUNDS = Number(process.env['ODDSWIRE_BENCH_ROUNDS'] ?? 40);
/** Recordings that show much; and how many times faster than recorded they are replayed, so that flushes stay small. */
const RECORDINGS = (process.env['ODDSWIRE_BENCH_RECORDINGS'] ?? 'pro-cricket-inplay,rec-horse-win-1.258742455').split(',');
const SPEED = process.env['ODDSWIRE_BENCH_SPEED'] ?? 'max';

for (const view of ['full', 'best3', 'prices'] as View[]) {
  const compact = await recordFrames(view, RECORDINGS, SPEED, true);
  const plain = await recordFrames(view, RECORDINGS, SPEED, false);
  const table = process.argv.includes('--browser') ? await measureInBrowser(view, compact, plain, ROUNDS) : measure(view, compact, plain, ROUNDS);
  console.log(`\n${describe(table).join('\n')}`);
}
