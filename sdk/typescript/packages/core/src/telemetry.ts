/** A histogram with fixed buckets: `counts[i]` values were at most `bounds[i]`, the last one counts those above all. */
export class Histogram {
  readonly counts: number[];

  constructor(readonly bounds: readonly number[]) {
    this.counts = Array(bounds.length + 1).fill(0);
  }

  add(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > this.bounds[at]!) at++;
    this.counts[at]!++;
  }
}

/** Upper bounds of the buckets of both histograms, in milliseconds. */
const BOUNDS_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];

/** What a client has seen, over all its connections. */
export class Telemetry {
  /** Connections made. */
  connections = 0;
  /** Why connections ended or did not come about, with how often. */
  readonly disconnects: Record<string, number> = {};
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
  /** Pieces that could not be read. */
  piecesUnreadable = 0;
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
  readonly applyDelayMs = new Histogram(BOUNDS_MS);
  /** For each time that prices stopped being live: how long until they were again, in milliseconds. */
  readonly stalenessMs = new Histogram(BOUNDS_MS);
}
