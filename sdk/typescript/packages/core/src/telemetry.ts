/** Why a connection ended and had to be made again [TEL-2]. Places in this list are the numbers that travel. */
export const RECONNECT_CAUSES = ['other', 'network', 'silence', 'wake', 'closed', 'drain', 'error', 'frame', 'application'] as const;
export type ReconnectCause = (typeof RECONNECT_CAUSES)[number];

/** Upper bounds of the buckets of both histograms, in milliseconds [TEL-3]. */
const BOUNDS_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
/** Greatest number in a report [TEL-5]. */
const COUNT_MAX = 65_535;
/** What is longer counts as this in a sum [TEL-4]. */
const DELAY_MAX_MS = 3_600_000;
/** How often a client reports, in the middle; and within what time a new connection's first report comes [TEL-1]. */
export const REPORT_INTERVAL_MS = 30_000;
const FIRST_REPORT_WITHIN_MS = 10_000;

/** A histogram with fixed buckets: `counts[i]` values were at most `bounds[i]`, the last one counts those above all. */
export class Histogram {
  readonly bounds: readonly number[] = BOUNDS_MS;
  readonly counts: number[] = Array(BOUNDS_MS.length + 1).fill(0);
  /** All values together, none counted as more than an hour. */
  sum = 0;

  add(value: number): void {
    let at = 0;
    while (at < BOUNDS_MS.length && value > BOUNDS_MS[at]!) at++;
    this.counts[at]!++;
    this.sum += Math.min(Math.max(Math.round(value), 0), DELAY_MAX_MS);
  }
}

/** What a client has seen, over all its connections. */
export class Telemetry {
  /** Connections made. */
  connections = 0;
  /** Attempts to connect that came to nothing. */
  failedAttempts = 0;
  /** Why connections ended that had to be made again, with how often. */
  readonly reconnects: { [Cause in ReconnectCause]?: number } = {};
  /** Frames applied. */
  frames = 0;
  /** Bytes received. */
  bytes = 0;
  /** Changed cells applied. */
  cells = 0;
  snapshots = 0;
  /** Subscriptions resumed with a catch-up. */
  resumes = 0;
  /** Times that frames were lost. */
  gaps = 0;
  /** Markets that were asked for again. */
  resyncs = 0;
  /** Pieces that could not be read. */
  piecesUnreadable = 0;
  /** Frames that could not be used and ended the connection. */
  framesRefused = 0;
  digestsChecked = 0;
  digestMismatches = 0;
  /** Changes that stand for several commits because this client was slow. */
  conflatedSlow = 0;
  /** Times that the gateway was silent for too long. */
  stale = 0;
  /** Epochs that ended. */
  epochsChanged = 0;
  /**
   * From publishing to applying, in milliseconds: for each frame of changes the time since the producers' clock in it.
   * The time now is estimated from the gateway's heartbeats, and lacks the shortest way that one of them took.
   */
  readonly applyDelayMs = new Histogram();
  /** For each time that prices stopped being live: how long until they were again, in milliseconds. */
  readonly stalenessMs = new Histogram();
}

/** Numbers that travel, in the order of a report's fields; then the sums of its two histograms. */
export type Figures = readonly (readonly number[])[];
const FIELDS = 10;

export function figures(telemetry: Telemetry): Figures {
  const { connections, failedAttempts, reconnects, resumes, gaps, resyncs, digestMismatches, framesRefused, applyDelayMs, stalenessMs } = telemetry;
  return [
    [connections],
    [failedAttempts],
    RECONNECT_CAUSES.map((cause) => reconnects[cause] ?? 0),
    ...[resumes, gaps, resyncs, digestMismatches, framesRefused].map((count) => [count]),
    applyDelayMs.counts.slice(),
    stalenessMs.counts.slice(),
    [applyDelayMs.sum],
    [stalenessMs.sum],
  ];
}

/** What is new since `reported`; what a report has no room for is left for the next one. */
export function freshFigures(seen: Figures, reported: Figures | undefined): Figures {
  return seen.map((counts, field) =>
    counts.map((count, at) => Math.min(count - (reported?.[field]![at] ?? 0), field < FIELDS ? COUNT_MAX : Infinity)),
  );
}

/** Places that hold something, each with what it holds. */
export function pairs(counts: readonly number[]): number[] {
  return counts.flatMap((count, place) => (count ? [place, count] : []));
}

/**
 * How long to wait before a report, so that a crowd does not report at once: evenly drawn from half an interval to one and
 * a half, for the first of a connection from nothing to ten seconds. `random` is from 0 to below 1.
 */
export function nextReportMs(intervalMs: number, isFirst: boolean, random: number): number {
  return isFirst ? random * Math.min(intervalMs, FIRST_REPORT_WITHIN_MS) : intervalMs * (0.5 + random);
}
