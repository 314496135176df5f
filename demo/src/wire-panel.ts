import type { OddswireClient } from '@oddswire/web';

import { byId, setText } from './element.js';
import type { Count, Meter } from './meter.js';

/** Height of the sparkline in its own units. */
const SPARK_HEIGHT = 32;
/** What takes more than this many times the usual second, as snapshots do, is cut off at the top. */
const SPARK_MAX = 2.5;

/** What the connection costs, written once a second: figures that jump cannot be read. */
export class WirePanel {
  readonly #client: OddswireClient;
  readonly #meter: Meter;
  readonly #rows = new Map<string, { bar: HTMLElement; now: HTMLElement; total: HTMLElement }>();

  constructor(client: OddswireClient, meter: Meter) {
    this.#client = client;
    this.#meter = meter;
    for (const row of byId('wire').querySelectorAll<HTMLTableRowElement>('tbody tr')) {
      const [, bar, now, total] = row.cells;
      this.#rows.set(row.dataset['of']!, { bar: bar!.firstElementChild as HTMLElement, now: now!, total: total! });
    }
  }

  tick(): void {
    const { now, total, deflate } = this.#meter;
    const isMoving = now.liveJson > 0;
    const share = isMoving ? now.liveWire / now.liveJson : undefined;
    this.#row('json', now.json, total.json, isMoving ? 1 : undefined);
    this.#row('wire', now.wire, total.wire, share);
    const { now: ratio, total: totalRatio } = deflate;
    this.#row('deflate', scaled(now.json, ratio), scaled(total.json, totalRatio), isMoving ? ratio : undefined);
    setText(byId('share'), share === undefined ? '–' : percent(share));
    this.#spark();
    this.#figures(now);
    this.#recovery();
  }

  #row(name: string, now: number | undefined, total: number | undefined, share: number | undefined): void {
    const row = this.#rows.get(name)!;
    setText(row.now, now === undefined ? 'not yet' : `${bytes(now)}/s`);
    setText(row.total, total === undefined ? '–' : bytes(total));
    row.bar.style.setProperty('--share', `${Math.min((share ?? 0) * 100, 100).toFixed(1)}%`);
  }

  #figures({ updates }: Count): void {
    const { session } = this.#client;
    const { telemetry, cursor } = session;
    setText(byId('updates'), `${Math.round(updates)}/s`);
    const lag = this.#meter.lagMs;
    ['lag-50', 'lag-90', 'lag-99'].forEach((id, at) => setText(byId(id), lag ? duration(lag[at]!) : '–'));
    byId('lag-50').title = this.#meter.isForeignClock ? 'The producers keep another time than this machine, as in a recording.' : '';
    setText(byId('revision'), cursor ? cursor.revision.toLocaleString('en') : '–');
    setText(byId('connections'), String(telemetry.connections));
    setText(byId('resumes'), String(this.#meter.resumed));
    const { digestsChecked, digestMismatches } = telemetry;
    setText(byId('digests'), digestMismatches ? `${digestMismatches} of ${digestsChecked} differ` : `${digestsChecked.toLocaleString('en')} ✓`);
  }

  #recovery(): void {
    const { recovery } = this.#meter;
    if (!recovery) return;
    const { awayMs, backMs, bytes: came, snapshotBytes, wasResumed } = recovery;
    const how = wasResumed ? 'Resumed' : 'Begun afresh';
    const saved = wasResumed ? `; everything as JSON would be ${bytes(snapshotBytes)}` : '';
    setText(byId('recovery'), `${how} ${duration(backMs)} after connecting, ${duration(awayMs)} away: ${bytes(came)}${saved}.`);
  }

  #spark(): void {
    const { history } = this.#meter;
    const busy = history.map(({ json, wire }) => Math.max(json, wire)).filter(Boolean).sort((a, b) => a - b);
    const most = Math.max(Math.min(SPARK_MAX * (busy[busy.length >> 1] ?? 0), busy.at(-1) ?? 0), 1);
    const path = (of: keyof Count): string => {
      const points = history.map((count, at) => `${at} ${(SPARK_HEIGHT * (1 - Math.min(count[of] / most, 1) * 0.96)).toFixed(1)}`);
      return `M0 ${SPARK_HEIGHT}L${points.join('L')}L${history.length - 1} ${SPARK_HEIGHT}Z`;
    };
    for (const of of ['json', 'wire'] as const) byId('spark').querySelector(`.${of}`)!.setAttribute('d', path(of));
  }
}

function scaled(value: number, ratio: number | undefined): number | undefined {
  return ratio === undefined ? undefined : value * ratio;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** Bytes in units of a thousand. */
export function bytes(count: number): string {
  if (count < 1000) return `${Math.round(count)} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(count < 1e5 ? 1 : 0)} kB`;
  return `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)} MB`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
