/**
 * Clients of this SDK against the real server, over connections that are cut, stalled, late and lose frames, while recorded
 * markets are replayed. In the end each must hold what the server's JSON says, and all digests on the way must have agreed;
 * and the server's metrics must tell what the clients have seen.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { OddswireClient, type Telemetry, type View } from '@oddswire/web';
import { FaultyProxy, marketJson, recordings, seeded, Server } from '@oddswire/testing';

const SECONDS = Number(process.env['ODDSWIRE_CONFORMANCE_SECONDS'] ?? 40);
const SEED = Number(process.env['ODDSWIRE_SEED'] ?? 1);
/** More than a server counts are not sent even if all are drawn short. */
const REPORT_INTERVAL_MS = 12_000;
/** What one receiver asks for, and what happens to it. */
const RECEIVERS: readonly { view: View; maxRateMs: number; fault: Fault; compact?: boolean }[] = [
  { view: 'full', maxRateMs: 0, fault: 'none' },
  { view: 'full', maxRateMs: 0, fault: 'none', compact: false },
  { view: 'full', maxRateMs: 0, fault: 'cut' },
  { view: 'full', maxRateMs: 0, fault: 'cut', compact: false },
  { view: 'full', maxRateMs: 100, fault: 'stall' },
  { view: 'best3', maxRateMs: 0, fault: 'cut' },
  { view: 'best3', maxRateMs: 250, fault: 'drop' },
  { view: 'best1-prices', maxRateMs: 0, fault: 'stall' },
  { view: 'prices', maxRateMs: 1000, fault: 'cut' },
  { view: 'prices', maxRateMs: 0, fault: 'drop' },
  { view: 'best10', maxRateMs: 50, fault: 'offline' },
  { view: 'full-prices', maxRateMs: 500, fault: 'subscriptions' },
];
/** Share of the frames that vanish where frames do. */
const DROP_RATE = 0.02;
type Fault = 'none' | 'cut' | 'stall' | 'drop' | 'offline' | 'subscriptions';

class Receiver {
  readonly client: OddswireClient;
  private resting = false;

  constructor(
    readonly proxy: FaultyProxy,
    readonly view: View,
    readonly maxRateMs: number,
    readonly fault: Fault,
    readonly compact: boolean,
    private readonly random: () => number,
  ) {
    this.client = new OddswireClient(proxy.url, { agent: 'conformance/1', compact, reportIntervalMs: REPORT_INTERVAL_MS });
    this.client.subscribe({ topic: 'all', view, maxRateMs });
    proxy.delayMs = Math.floor(random() * 30);
  }

  /** Makes trouble until it is told to stop. */
  async suffer(): Promise<void> {
    const { client, proxy, random } = this;
    let extra: ReturnType<OddswireClient['subscribe']> | undefined;
    while (!this.resting) {
      await sleep(100 + random() * 900);
      if (this.fault === 'cut') proxy.cut();
      else if (this.fault === 'stall') proxy.stall(random() * 2000);
      else if (this.fault === 'drop') proxy.dropRate = DROP_RATE;
      else if (this.fault === 'offline') {
        client.goOffline();
        await sleep(random() * 1500);
        client.goOnline();
      } else if (this.fault === 'subscriptions') {
        extra?.unsubscribe();
        extra = client.subscribe({ topic: random() < 0.5 ? 'sport/7' : 'all', view: 'best3', maxRateMs: 0 });
        if (random() < 0.3) client.disconnect();
      }
    }
    extra?.unsubscribe();
    proxy.dropRate = 0;
  }

  rest(): void {
    this.resting = true;
  }
}

const files = recordings();
if (files.length === 0) {
  console.log('skipped: there are no recordings; name their folder in ODDSWIRE_DATA');
  process.exit(0);
}
const random = seeded(SEED);
const server = await Server.start({
  ODDSWIRE_FANOUT_HEARTBEAT_INTERVAL_MS: '500',
  // Little of it, so that a receiver that stalls is noticed.
  ODDSWIRE_HTTP_SEND_BUFFER_BYTES: '4096',
});
const receivers: Receiver[] = [];
for (const { view, maxRateMs, fault, compact = true } of RECEIVERS) {
  receivers.push(new Receiver(await FaultyProxy.start(server.http, random), view, maxRateMs, fault, compact, random));
}
console.log(`seed ${SEED}, ${SECONDS} s, ${receivers.length} receivers`);
const suffering = receivers.map((receiver) => receiver.suffer());
const endMs = Date.now() + SECONDS * 1000;
for (let round = 0; Date.now() < endMs; round++) {
  const file = files[round % files.length]!;
  process.stdout.write(`\r${Math.ceil((endMs - Date.now()) / 1000)} s left, ${file.split('/').at(-1)}      `);
  await server.replay([file], 'max', `replay-${round % files.length}`);
}
process.stdout.write('\n');
for (const receiver of receivers) receiver.rest();
await Promise.all(suffering);

const { markets } = await server.get('/v1/markets');
const ids: string[] = markets.map(({ market }: { market: string }) => market);
let failures = 0;
const seen: Telemetry[] = [];
for (const { client, view, maxRateMs, fault, compact, proxy } of receivers) {
  for (let waited = 0; client.state !== 'live' && waited < 100; waited++) await sleep(100);
  // The slowest rate class and a heartbeat later everything is here.
  await sleep(1600);
  const different = await differences(client, view);
  const telemetry = client.telemetry();
  const isProven = telemetry.digestsChecked > 0 && telemetry.digestMismatches === 0;
  const isRight = client.state === 'live' && client.markets.length === ids.length && different.length === 0 && isProven;
  if (!isRight) failures++;
  console.log(
    `${isRight ? 'ok  ' : 'FAIL'} ${view.padEnd(12)} ${String(maxRateMs).padStart(4)} ms ${fault.padEnd(13)} ${compact ? 'compact' : 'plain  '} ${client.state}, ${client.markets.length} markets, ` +
      `${telemetry.connections} connections, ${telemetry.resumes} resumes, ${telemetry.frames} frames, ${telemetry.cells} cells, ${(telemetry.bytes / telemetry.cells).toFixed(2)} bytes a cell, ` +
      `${telemetry.gaps} gaps, ${telemetry.conflatedSlow} conflated, ${telemetry.digestsChecked} digests, ${telemetry.digestMismatches} differ, ` +
      `${telemetry.piecesUnreadable} unreadable, ${proxy.counts.dropped} dropped`,
  );
  for (const text of different.slice(0, 3)) console.log(text);
  client.report();
  seen.push(client.telemetry());
  // On loopback it is there sooner.
  await sleep(200);
  client.close();
  proxy.stop();
}
if (!areReported(seen, await server.metrics())) failures++;
server.stop();
process.exit(failures > 0 ? 1 : 0);

/** Markets that are held other than the server's JSON says, and how they differ. */
async function differences(client: OddswireClient, view: View): Promise<string[]> {
  const different = [];
  for (const id of ids) {
    const { epoch, revision, published_ms: published, ...expected } = await server.get(`/v1/markets/${id}?view=${view}`);
    const market = client.market(id);
    // What a view does not show moves the server's revision and time, and not the receiver's.
    const { revision: r, published_ms: p, ...held } = (market ? marketJson(market, view) : {}) as Record<string, unknown>;
    void [epoch, revision, published, r, p];
    try {
      assert.deepEqual(held, expected);
    } catch (error) {
      different.push(`${id}: ${(error as Error).message.slice(0, 400)}`);
    }
  }
  return different;
}

/** Whether a scraper sees what the clients have seen: nothing that they have not, and all but what was lost with connections. */
function areReported(seen: readonly Telemetry[], scraped: Record<string, number>): boolean {
  const sum = (of: (telemetry: Telemetry) => number): number => seen.reduce((sum, telemetry) => sum + of(telemetry), 0);
  const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
  const figures: Record<string, number> = {
    connections_total: sum(({ connections }) => connections),
    'reconnects_total{cause="network"}': sum(({ reconnects }) => reconnects.network ?? 0),
    'reconnects_total{cause="application"}': sum(({ reconnects }) => reconnects.application ?? 0),
    'reconnects_total{cause="frame"}': sum(({ reconnects }) => reconnects.frame ?? 0),
    resumes_total: sum(({ resumes }) => resumes),
    gaps_total: sum(({ gaps }) => gaps),
    resyncs_total: sum(({ resyncs }) => resyncs),
    digest_mismatches_total: sum(({ digestMismatches }) => digestMismatches),
    apply_delay_seconds_count: sum(({ applyDelayMs }) => total(applyDelayMs.counts)),
    staleness_seconds_count: sum(({ stalenessMs }) => total(stalenessMs.counts)),
  };
  const told = Object.entries(figures).map(([name, count]) => ({ name, count, scraped: scraped[`oddswire_client_${name}`] ?? NaN }));
  const isRight = told.every(({ count, scraped }) => scraped <= count && scraped >= 0.9 * count - 2) && scraped['oddswire_client_reports_refused_total'] === 0;
  console.log(`${isRight ? 'ok  ' : 'FAIL'} scraped of what clients have seen: ${told.map(({ name, count, scraped }) => `${name} ${scraped} of ${count}`).join(', ')}`);
  return isRight;
}
