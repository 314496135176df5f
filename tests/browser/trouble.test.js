/** What the board shows while things go wrong, and how soon it is right again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Demo, launch, Line, live, open, sleep } from './support.js';

/** Two and a half heartbeats of 900 ms [STALE-1], and what a machine takes for a timer and a frame. */
const STALE_WITHIN_MS = 2500;
const STALE_AT_LAST_MS = 2 * STALE_WITHIN_MS;
const FRESH_WITHIN_MS = 300;
/** A machine that is busy elsewhere may take longer, but not each time: so often everything is done, at most and at least. */
const ROUNDS_MAX = 8;
const ROUNDS_MIN = 2;

/** Whether there is nothing more to be learned by another round. */
const isTimed = (times, withinMs) => times.length >= ROUNDS_MAX || (times.length >= ROUNDS_MIN && Math.min(...times) <= withinMs);

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

/** Milliseconds from the call until no price is offered any more. */
const untilNothingIsOffered = (page, timeoutMs) =>
  page.evaluate(async (timeoutMs) => {
    const start = performance.now();
    while (performance.now() - start < timeoutMs) {
      if (!document.querySelector('#board .offered, #market .offered')) return performance.now() - start;
      await new Promise(requestAnimationFrame);
    }
    return Infinity;
  }, timeoutMs);

test('away and back: the first fresh price', async () => {
  const page = await open(browser, demo);
  const times = [];
  while (!isTimed(times, FRESH_WITHIN_MS)) {
    await page.click('#offline');
    assert.ok((await untilNothingIsOffered(page, 2000)) < 2000);
    await sleep(1000);
    times.push(
      await page.evaluate(async () => {
        const start = performance.now();
        document.querySelector('#offline').click();
        while (!document.querySelector('#board .offered')) await new Promise(requestAnimationFrame);
        return performance.now() - start;
      }),
    );
    await live(page);
  }
  const telemetry = await page.evaluate(() => oddswire.client.telemetry());
  console.log(`  first fresh price after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms; ${telemetry.resumes} resumes`);
  assert.ok(telemetry.resumes >= times.length, 'it was resumed, not begun afresh');
  assert.equal(telemetry.digestMismatches, 0);
  assert.ok(Math.min(...times) <= FRESH_WITHIN_MS, `${Math.min(...times)} ms`);
  assert.match(await page.locator('#recovery').textContent({ timeout: 3000 }), /./);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the network goes, and another one comes', async () => {
  const line = await Line.to(demo);
  const page = await open(browser, line);
  await page.evaluate(() => {
    globalThis.freshMs = [];
    addEventListener('online', async () => {
      const start = performance.now();
      while (!document.querySelector('#board .offered')) await new Promise(requestAnimationFrame);
      freshMs.push(performance.now() - start);
    });
  });
  let freshMs = [];
  while (!isTimed(freshMs, FRESH_WITHIN_MS)) {
    line.cut();
    await page.context().setOffline(true);
    assert.ok((await untilNothingIsOffered(page, 2000)) < 2000);
    // Longer than the first attempts to come back take: the client waits for the next one.
    await sleep(2500);
    line.mend();
    await page.context().setOffline(false);
    await live(page);
    freshMs = await page.evaluate(() => freshMs);
  }
  const telemetry = await page.evaluate(() => oddswire.client.telemetry());
  console.log(`  first fresh price ${freshMs.map((ms) => ms.toFixed(0)).join(', ')} ms after the network was back`);
  assert.ok(Math.min(...freshMs) <= FRESH_WITHIN_MS, `${freshMs}`);
  assert.equal(telemetry.digestMismatches, 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
  line.close();
});

test('a connection that is cut comes back by itself', async () => {
  const page = await open(browser, demo);
  await page.click('#cut');
  await live(page);
  await page.waitForFunction(() => /^Resumed/.test(document.querySelector('#recovery').textContent), null, { timeout: 5000 });
  console.log(`  ${await page.locator('#recovery').textContent()}`);
  await page.context().close();
});

test('a page that is loaded again resumes', async () => {
  const page = await open(browser, demo);
  // A market is chosen by itself on a wide screen; until it is here, no cursor vouches for everything that was asked for.
  await page.waitForFunction(() => location.hash && oddswire.client.session.isResumable);
  await page.reload();
  await live(page);
  const telemetry = await page.evaluate(() => oddswire.client.telemetry());
  console.log(`  after loading again: ${telemetry.resumes} resumes, ${telemetry.snapshots} snapshots, ${telemetry.bytes} bytes`);
  assert.ok(telemetry.resumes > 0 && telemetry.snapshots < 20, JSON.stringify(telemetry));
  await page.context().close();
});

test('a frozen server makes everything stale, and a thawed one live', async () => {
  const page = await open(browser, demo);
  const times = [];
  while (!isTimed(times, STALE_WITHIN_MS)) {
    // A page that has just come has much to paint, and reads the server's last words late.
    await sleep(1500);
    demo.signal('SIGSTOP');
    const staleMs = await untilNothingIsOffered(page, 2 * STALE_AT_LAST_MS).finally(() => demo.signal('SIGCONT'));
    times.push(staleMs);
    const looks = await page.evaluate(() => [...new Set([...document.querySelectorAll('.market')].filter((block) => block.querySelector('[data-status="active"]')).map((block) => block.dataset.look))]);
    assert.ok(staleMs <= STALE_AT_LAST_MS, `${staleMs} ms`);
    assert.ok(!looks.includes('open'), looks.join());
    await live(page);
  }
  console.log(`  stale ${times.map((ms) => ms.toFixed(0)).join(', ')} ms after the server was frozen`);
  assert.ok(Math.min(...times) <= STALE_WITHIN_MS, `${times}`);
  await page.context().close();
});

test('a server that dies and comes back', async () => {
  const page = await open(browser, demo);
  await demo.kill();
  assert.ok((await untilNothingIsOffered(page, 5000)) < 5000, 'nothing is offered without a server');
  assert.notEqual(await page.locator('#connection-text').textContent(), 'Live');
  await sleep(1000);
  await demo.restart();
  await live(page, 30_000);
  const differing = async () => {
    const held = (await (await fetch(`${demo.url}v1/markets`)).json()).markets.map(({ market }) => market);
    const shown = await page.locator('.market').evaluateAll((blocks) => blocks.map((block) => block.dataset.market));
    return [held.filter((id) => !shown.includes(id)), shown.filter((id) => !held.includes(id))];
  };
  // Markets come while a feed begins, and between two readings.
  let [missing, wrong] = await differing();
  for (let tries = 0; tries < 20 && missing.length + wrong.length > 0; tries++) {
    await sleep(250);
    [missing, wrong] = await differing();
  }
  assert.deepEqual({ missing, wrong }, { missing: [], wrong: [] });
  assert.equal((await page.evaluate(() => oddswire.client.telemetry())).epochsChanged, 1);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
