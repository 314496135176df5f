/** What the board shows, to whoever looks, types or listens. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { Demo, launch, live, open, painted } from './support.js';

/** Markets that are compared with the server's JSON. */
const COMPARED = 40;

let demo;
let browser;
before(async () => {
  demo = await Demo.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await demo?.kill();
});

test('the board shows what the store holds', async () => {
  const page = await open(browser, demo);
  const compared = await page.evaluate(async (count) => {
    const { client } = oddswire;
    const painted = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const text = (price) => (price === null ? '–' : price.toFixed(2).replace(/^(\d{3,})\.00$/, '$1'));
    const shown = (element) => [...element.querySelectorAll('li')].map((li) => [...li.querySelectorAll('.price')].map((cell) => (li.dataset.status === 'active' ? cell.textContent : '')));
    const blocks = [...document.querySelectorAll('.market')];
    const step = Math.max(Math.floor(blocks.length / count), 1);
    const wrong = [];
    let right = 0;
    let prices = 0;
    for (const block of blocks.filter((_, at) => at % step === 0)) {
      const id = block.dataset.market;
      let answer;
      block.scrollIntoView();
      await painted();
      // Prices move while they are compared: a market that moves all the time has a few tries.
      for (let tries = 0; tries < 20; tries++) {
        const json = await (await fetch(`/v1/markets/${id}?view=best1`)).json();
        await painted();
        const isExchange = block.dataset.sides === '2';
        const isOpen = json.status === 'OPEN' && !json.held;
        const order = [...json.selections].sort((a, b) => a.definition.sort_priority - b.definition.sort_priority);
        const expected = order.map(({ status, price, back, lay }) =>
          (isExchange ? [back[0]?.[0] ?? null, lay[0]?.[0] ?? null] : [price]).map((value) => (status !== 'ACTIVE' ? '' : text(isOpen ? value : null))),
        );
        answer = { look: block.dataset.look, status: json.status, expected: JSON.stringify(expected), shown: JSON.stringify(shown(block)) };
        if (answer.expected !== answer.shown) continue;
        prices += expected.flat().length;
        break;
      }
      if (answer.expected === answer.shown) right++;
      else wrong.push({ id, ...answer });
    }
    return { right, wrong, prices };
  }, COMPARED);
  console.log(`  ${compared.right} markets with ${compared.prices} prices compared with the server's JSON`);
  assert.deepEqual(compared.wrong, []);
  assert.ok(compared.right >= COMPARED * 0.9 && compared.prices > COMPARED, `${compared.right} markets, ${compared.prices} prices`);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the ladder of the chosen market is the one that the store holds', async () => {
  const page = await open(browser, demo);
  const result = await page.evaluate(async () => {
    const { client } = oddswire;
    document.querySelector('.market[data-sides="2"][data-look="open"] .open').click();
    const id = decodeURIComponent(location.hash.slice(1));
    for (let tries = 0; tries < 200; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const json = await (await fetch(`/v1/markets/${id}?view=full`)).json();
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const market = client.market(id);
      if (market.revision !== json.revision || !market.selections.some((selection) => selection.depth('back').rungs.length > 1)) continue;
      const name = document.querySelector('.runner[aria-pressed="true"]').textContent;
      const { back, lay } = json.selections.find(({ definition }) => definition.name === name);
      const rows = [...document.querySelectorAll('.ladder tbody tr')].map((row) => [row.dataset.side, Number(row.cells[1].textContent)]);
      const expected = [...lay.slice(0, 7).reverse().map(([price]) => ['lay', price]), ...back.slice(0, 7).map(([price]) => ['back', price])];
      return { rows, expected };
    }
    return undefined;
  });
  assert.ok(result, 'the market moved all the time');
  assert.ok(result.expected.length > 2);
  assert.deepEqual(result.rows, result.expected);
  await page.context().close();
});

test('a suspended market shows no price, and says so in words', async () => {
  const page = await open(browser, demo);
  await page.waitForSelector('.market[data-look="suspended"]', { timeout: 60_000, state: 'attached' });
  const seen = await page.evaluate(async () => {
    const found = [];
    const end = performance.now() + 3000;
    while (performance.now() < end) {
      await new Promise(requestAnimationFrame);
      for (const block of document.querySelectorAll('.market[data-look="suspended"]')) {
        const style = getComputedStyle(block);
        found.push({
          offered: block.querySelectorAll('.offered').length,
          prices: [...block.querySelectorAll('.price')].filter((cell) => cell.textContent !== '–').length,
          badge: block.querySelector('.badge').textContent,
          hasPattern: style.backgroundImage.includes('repeating-linear-gradient'),
        });
      }
    }
    return found;
  });
  assert.ok(seen.length > 0);
  for (const { offered, prices, badge, hasPattern } of seen) {
    assert.deepEqual({ offered, prices, badge, hasPattern }, { offered: 0, prices: 0, badge: 'Suspended', hasPattern: true });
  }
  await page.context().close();
});

test('formats, search and filters', async () => {
  const page = await open(browser, demo);
  const texts = () => page.locator('.sport:first-of-type .card:nth-child(-n+2) .price.offered').allTextContents();
  await page.selectOption('#format', 'fractional');
  await painted(page);
  assert.ok((await texts()).every((text) => /^(\d+\/\d+|Evens)$/.test(text)));
  await page.selectOption('#format', 'american');
  await painted(page);
  assert.ok((await texts()).every((text) => /^[+-]\d+$/.test(text)));
  const visible = () => page.locator('.market:visible').count();
  const all = await visible();
  await page.fill('#search', 'correct score');
  const some = await visible();
  assert.ok(some > 10 && some < all / 2, `${some} of ${all}`);
  assert.match(await page.locator('#shown').textContent(), /^\d+ of \d+ markets$/);
  await page.fill('#search', '');
  await page.click('#sports button[data-sport="racing"]');
  assert.deepEqual(await page.locator('.sport:visible h2').allTextContents(), ['Racing']);
  await page.context().close();
});

test('everything can be done with the keyboard', async () => {
  const page = await open(browser, demo);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
  // One stop for the whole board, and arrows inside of it.
  assert.equal(await page.locator('#board .open[tabindex="0"]').count(), 1);
  await page.locator('#board .open[tabindex="0"]').focus();
  const focused = () => page.evaluate(() => document.activeElement.closest('.market')?.dataset.market);
  const first = await focused();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  const third = await focused();
  assert.notEqual(third, first);
  await page.keyboard.press('Enter');
  assert.equal(decodeURIComponent(new URL(page.url()).hash.slice(1)), third);
  await page.keyboard.press('End');
  assert.equal(await focused(), await page.evaluate(() => [...document.querySelectorAll('.market')].filter((market) => market.checkVisibility()).at(-1).dataset.market));
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
  await page.context().close();
});

for (const [colorScheme, width, height] of [['light', 1440, 900], ['dark', 1440, 900], ['light', 360, 780], ['dark', 360, 780]]) {
  test(`accessible: ${colorScheme}, ${width} pixels wide, live and stale`, async () => {
    const page = await open(browser, demo, { colorScheme, viewport: { width, height }, reducedMotion: 'reduce' });
    const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
    await page.evaluate(axe);
    for (const part of width < 1080 ? ['board', 'market', 'wire'] : ['board']) {
      if (width < 1080) {
        if (part === 'market') {
          await page.evaluate(() => document.querySelector('.market .open').click());
        } else await page.click(`.tabs [data-to="${part}"]`);
      }
      for (const isLive of [true, false]) {
        await page.evaluate((isLive) => (isLive ? oddswire.client.goOnline() : oddswire.client.goOffline()), isLive);
        if (isLive) await live(page);
        await page.evaluate(async () => {
          // Cards out of sight are left out by the browser and so by the check; a handful of each sport is enough.
          for (const sport of document.querySelectorAll('.sport')) [...sport.querySelectorAll('.card')].slice(4).forEach((card) => card.remove());
          await new Promise((resolve) => setTimeout(resolve, 1200));
        });
        const violations = await page.evaluate(async () => {
          const { violations } = await globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
          return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, any }) => `${html.slice(0, 120)} ${any[0]?.message ?? ''}`).join(' | ')} (${nodes.length})`);
        });
        assert.deepEqual(violations, [], `${part}, ${isLive ? 'live' : 'stale'}`);
      }
      await page.evaluate(() => oddswire.client.goOnline());
    }
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, 'nothing is wider than the screen');
    await page.context().close();
  });
}
