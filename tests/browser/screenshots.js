/** Takes pictures of every part of the board at phone and desktop size, light and dark: `npm run screenshots -- FOLDER`. */
import { mkdirSync } from 'node:fs';

import { Demo, launch, live, open, sleep } from './support.js';

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } };
/** Until the panel has means to show. */
const SETTLED_MS = 8000;

const folder = process.argv[2] ?? 'screenshots';
mkdirSync(folder, { recursive: true });
const demo = await Demo.start();
const browser = await launch();
try {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const isPhone = size === 'phone';
      const page = await open(browser, demo, { viewport, colorScheme, ...(isPhone && { deviceScaleFactor: 2, hasTouch: true, isMobile: true }) });
      const shoot = (name) => page.screenshot({ path: `${folder}/${size}-${colorScheme}-${name}.png` });
      const show = async (part) => {
        if (isPhone) await page.click(`.tabs [data-to="${part}"]`);
      };
      if (isPhone) {
        await page.locator('.market[data-sides="2"][data-look="open"] .open').first().click();
        await show('board');
      }
      await sleep(SETTLED_MS);
      await shoot('board');
      for (const sport of await page.locator('#sports button').allTextContents()) {
        await page.click(`#sports button:text-is("${sport}")`);
        await sleep(300);
        if (sport !== 'All') await shoot(`sport-${sport.toLowerCase()}`);
      }
      await page.click('#sports button:text-is("All")');
      if (isPhone) {
        await show('market');
        await shoot('market');
        await show('wire');
        await shoot('wire');
      }
      await show('wire');
      await page.click('#slow');
      await sleep(3000);
      await shoot('slow');
      await page.click('#slow');
      await page.click('#cut');
      await live(page);
      await sleep(1500);
      await shoot('recovered');
      await page.click('#offline');
      await sleep(1200);
      for (const part of isPhone ? ['board', 'market', 'wire'] : ['board']) {
        await show(part);
        await shoot(`offline-${part}`);
      }
      await page.context().close();
    }
  }
} finally {
  await browser.close();
  await demo.kill();
}
