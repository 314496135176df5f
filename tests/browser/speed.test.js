/** Smoothness and memory at ten times the usual rate. Busy machines are noisy: the figures are printed, the limits are loose. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Demo, launch, open, percentile, sleep } from './support.js';

const SMOOTH_SECONDS = 12;
const LEAK_SECONDS = Number(process.env['BOARD_LEAK_SECONDS'] ?? 60);
/** Most growth of the heap for each market that is held, between the first and the last quarter. */
const GROWTH_MAX = 1.15;

let demo;
let browser;
before(async () => {
  demo = await Demo.start({ speed: '10' });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await demo?.kill();
});

for (const isScrolled of [false, true]) {
  test(`frames at ten times the rate${isScrolled ? ', while somebody scrolls' : ''}`, async () => {
    const page = await open(browser, demo);
    const client = await page.context().newCDPSession(page);
    await client.send('Performance.enable');
    const metrics = async () => Object.fromEntries((await client.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
    await sleep(3000);
    const before = await metrics();
    const seen = await page.evaluate(
      async ([seconds, isScrolled]) => {
        const tasks = [];
        const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
        observer.observe({ type: 'longtask' });
        const { cells, frames } = oddswire.client.session.telemetry;
        const gaps = [];
        const start = performance.now();
        let last = start;
        while (last - start < seconds * 1000) {
          const now = await new Promise((resolve) => requestAnimationFrame(() => resolve(performance.now())));
          gaps.push(now - last);
          last = now;
          if (isScrolled) scrollBy(0, 12);
        }
        observer.disconnect();
        const after = oddswire.client.session.telemetry;
        return { gaps, tasks, cells: (after.cells - cells) / seconds, frames: (after.frames - frames) / seconds, markets: oddswire.client.markets.length, updates: document.querySelector('#updates').textContent };
      },
      [SMOOTH_SECONDS, isScrolled],
    );
    const after = await metrics();
    const share = (name) => `${(((after[name] - before[name]) / (after.Timestamp - before.Timestamp)) * 100).toFixed(1)} %`;
    const rate = seen.gaps.length / SMOOTH_SECONDS;
    console.log(`  ${seen.markets} markets, ${seen.updates} updates, ${seen.cells.toFixed(0)} cells/s in ${seen.frames.toFixed(0)} messages/s`);
    console.log(`  ${rate.toFixed(1)} frames/s, between frames p50 ${percentile(seen.gaps, 0.5).toFixed(1)} ms, p99 ${percentile(seen.gaps, 0.99).toFixed(1)} ms`);
    console.log(`  long tasks: ${seen.tasks.length}${seen.tasks.length ? `, longest ${Math.max(...seen.tasks).toFixed(0)} ms` : ''}`);
    console.log(`  main thread: busy ${share('TaskDuration')}, script ${share('ScriptDuration')}, style ${share('RecalcStyleDuration')}, layout ${share('LayoutDuration')}`);
    assert.ok(rate > 25, `${rate} frames/s`);
    assert.ok(seen.tasks.length < SMOOTH_SECONDS, `${seen.tasks.length} long tasks`);
    await page.context().close();
  });
}

test(`nothing is leaked in ${LEAK_SECONDS} s`, { timeout: (LEAK_SECONDS + 90) * 1000 }, async () => {
  const page = await open(browser, demo);
  const client = await page.context().newCDPSession(page);
  const measure = async () => {
    await client.send('HeapProfiler.collectGarbage');
    await client.send('HeapProfiler.collectGarbage');
    const { usedSize } = await client.send('Runtime.getHeapUsage');
    const { nodes, jsEventListeners } = await client.send('Memory.getDOMCounters');
    const markets = await page.evaluate(() => oddswire.client.markets.length);
    return { heap: usedSize, nodes, listeners: jsEventListeners, markets };
  };
  await sleep(10_000);
  const marks = [];
  const samples = 8;
  for (let at = 0; at < samples; at++) {
    await sleep(((LEAK_SECONDS - 10) * 1000) / samples);
    marks.push(await measure());
  }
  for (const { heap, nodes, listeners, markets } of marks) {
    console.log(`  heap ${(heap / 1e6).toFixed(2)} MB, ${nodes} nodes, ${listeners} listeners, ${markets} markets`);
  }
  const mean = (part, of) => part.reduce((sum, mark) => sum + of(mark), 0) / part.length;
  const quarter = samples / 4;
  const growth = (of) => mean(marks.slice(-quarter), of) / mean(marks.slice(0, quarter), of);
  const heap = growth(({ heap, markets }) => heap / markets);
  const nodes = growth(({ nodes, markets }) => nodes / markets);
  console.log(`  growth for each market held: heap ${heap.toFixed(3)}, nodes ${nodes.toFixed(3)}`);
  assert.ok(heap < GROWTH_MAX, `the heap grew ${heap} times`);
  assert.ok(nodes < GROWTH_MAX, `the page grew ${nodes} times`);
  await page.context().close();
});
