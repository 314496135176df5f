/** What the controls of the board ask of the server, and whether its panel says what arrives. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Demo, launch, live, open, sleep } from './support.js';

/** How long changes of markets are counted. */
const COUNTED_SECONDS = 4;

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

/** What the board has asked for all markets. */
const asked = (page) => page.evaluate(() => [...oddswire.client.session.subscriptions.values()].map(({ request }) => request).find(({ topics }) => topics[0] === 'all'));

/** The most changes of one market while they were counted, and how many in all. */
const countChanges = (page) =>
  page.evaluate(async (seconds) => {
    const counts = new Map();
    const stop = oddswire.client.on('frame', ({ events }) => {
      for (const { type, market } of events) if (type === 'changed') counts.set(market.id, (counts.get(market.id) ?? 0) + 1);
    });
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    stop();
    // The chosen market has its own subscription.
    counts.delete(decodeURIComponent(location.hash.slice(1)));
    return { most: Math.max(0, ...counts.values()), all: [...counts.values()].reduce((sum, count) => sum + count, 0) };
  }, COUNTED_SECONDS);

test('view, rate and slow phone are what the server is asked for, and what it sends', async () => {
  const page = await open(browser, demo);
  assert.deepEqual(await asked(page), { topics: ['all'], view: 'best1', rateMs: 0 });
  // Most rungs of any market but the chosen one, which has its own subscription.
  const depthIs = (expected) =>
    page.waitForFunction((expected) => {
      const others = oddswire.client.markets.filter(({ id }) => !location.hash.includes(encodeURIComponent(id)));
      const depths = others.flatMap(({ selections }) => selections.map((selection) => selection.depth('back').rungs.length));
      return Math.max(...depths) === expected;
    }, expected);
  await depthIs(1);
  await page.selectOption('#view', 'best3');
  await depthIs(3);
  await live(page);

  const every = await countChanges(page);
  await page.selectOption('#rate', '1000');
  await sleep(1500);
  await live(page);
  const rated = await countChanges(page);
  console.log(`  changes in ${COUNTED_SECONDS} s: ${every.all}, at most one a second: ${rated.all}; of one market ${every.most} and ${rated.most}`);
  assert.ok(rated.most <= COUNTED_SECONDS + 2 && rated.most < every.most, `${rated.most}`);
  assert.ok(rated.all > 0);

  await page.click('#slow');
  assert.deepEqual(await asked(page), { topics: ['all'], view: 'prices', rateMs: 1000 });
  assert.ok(await page.isDisabled('#view') && (await page.isVisible('#slow-note')));
  await live(page);
  await page.reload();
  await live(page);
  assert.equal((await asked(page)).view, 'prices', 'a setting outlives the page');
  await page.click('#slow');
  assert.deepEqual(await asked(page), { topics: ['all'], view: 'best3', rateMs: 1000 });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('colours are those of the system until somebody chooses', async () => {
  const page = await open(browser, demo, { colorScheme: 'dark' });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await background();
  await page.click('#theme');
  assert.equal(await page.getAttribute('#theme', 'aria-label'), 'Colours: light');
  assert.notEqual(await background(), dark);
  await page.click('#theme');
  assert.equal(await background(), dark);
  await page.context().close();
});

test('the panel says what arrives', async () => {
  const page = await open(browser, demo);
  // The browser's compressor gives its bytes in lumps.
  await page.waitForFunction(() => /\d/.test(document.querySelector('[data-of="deflate"]').cells[2].textContent) && /%/.test(document.querySelector('#share').textContent), null, { timeout: 30_000 });
  const { rows, share, bytes, figures } = await page.evaluate(() => ({
    rows: Object.fromEntries([...document.querySelectorAll('.bars tbody tr')].map((row) => [row.dataset.of, [row.cells[2].textContent, row.cells[3].textContent, row.cells[1].firstElementChild.style.getPropertyValue('--share')]])),
    share: document.querySelector('#share').textContent,
    bytes: oddswire.client.telemetry().bytes,
    figures: Object.fromEntries(['updates', 'lag-50', 'lag-90', 'lag-99', 'revision', 'connections', 'resumes', 'digests'].map((id) => [id, document.getElementById(id).textContent])),
  }));
  console.log(`  Oddswire ${share} of JSON; ${Object.entries(rows).map(([of, [now, all, part]]) => `${of} ${now}, ${all} in all (${part})`).join('; ')}`);
  console.log(`  ${Object.entries(figures).map(([name, text]) => `${name} ${text}`).join(', ')}`);
  const parts = Object.fromEntries(Object.entries(rows).map(([of, [, , part]]) => [of, parseFloat(part)]));
  assert.equal(parts.json, 100);
  assert.ok(parts.wire > 0 && parts.wire < parts.deflate && parts.deflate < 60, JSON.stringify(parts));
  assert.ok(Math.abs(parseFloat(share) - parts.wire) < 0.2);
  // Written once a second, of bytes that go on arriving.
  const told = parseFloat(rows.wire[1]) * (rows.wire[1].endsWith('MB') ? 1e6 : 1e3);
  assert.ok(told <= bytes * 1.01 && told > bytes * 0.8, `${told} told, ${bytes} received`);
  const [p50, p90, p99] = ['lag-50', 'lag-90', 'lag-99'].map((id) => parseFloat(figures[id]) * (figures[id].endsWith(' ms') ? 1 : 1000));
  assert.ok(p50 > 0 && p50 <= p90 && p90 <= p99, `${p50} ${p90} ${p99}`);
  assert.match(figures.updates, /^[1-9]\d*\/s$/);
  assert.match(figures.digests, /^\d+ ✓$/);
  await page.context().close();
});
