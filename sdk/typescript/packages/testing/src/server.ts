import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { REPOSITORY } from './vectors.js';

/** Where the `oddswire` binary is; `ODDSWIRE_BIN` says, or it was built in this repository. */
export function oddswireBinary(): string {
  const named = process.env['ODDSWIRE_BIN'];
  const candidates = named ? [named] : ['release', 'debug'].map((profile) => join(REPOSITORY, 'target', profile, 'oddswire'));
  const found = candidates.find((path) => existsSync(path));
  if (!found) {
    throw new Error(`there is no oddswire binary at ${candidates.join(' or ')}; run \`cargo build -p oddswire-server\`, or set ODDSWIRE_BIN`);
  }
  return found;
}

/** Recorded markets, as the tests of the server find them; `ODDSWIRE_DATA` says where. None where there are none. */
export function recordings(): string[] {
  const folder = process.env['ODDSWIRE_DATA'] ?? join(REPOSITORY, '../shared/data');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /\.(bz2|gz|json)$/.test(name)) : [];
  return names.sort().map((name) => join(folder, name));
}

/** A running `oddswire serve`. */
export class Server {
  private constructor(
    private readonly process: ChildProcess,
    /** Host and port of streams and JSON. */
    readonly http: string,
    /** URL for producers. */
    readonly grpc: string,
    private readonly figures: string,
  ) {}

  /** Starts one on free ports. `environment` holds settings, as `ODDSWIRE_FANOUT_HEARTBEAT_INTERVAL_MS`. */
  static async start(environment: Record<string, string> = {}): Promise<Server> {
    const child = spawn(oddswireBinary(), ['serve', '--http', '127.0.0.1:0', '--grpc', '127.0.0.1:0'], {
      env: { ...process.env, ODDSWIRE_LOG_FILTER: 'warn', ODDSWIRE_METRICS_LISTEN: '127.0.0.1:0', ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const found: Record<string, string> = {};
    for await (const line of createInterface({ input: child.stdout! })) {
      const [name, url] = line.split(/\s+/);
      found[name!] = url!;
      if (name === 'metrics') return new Server(child, new URL(found['markets']!).host, found['producers']!, url!);
    }
    throw new Error('oddswire serve ended before it said where it serves');
  }

  /** Publishes recordings, one after the other; resolves when they have ended. */
  async replay(files: readonly string[], speed: string, producer = 'replay'): Promise<void> {
    const child = spawn(oddswireBinary(), ['replay', ...files, '--to', this.grpc, '--speed', speed, '--producer', producer], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr!.on('data', (data) => (said += data));
    const code = await new Promise((resolve) => child.on('exit', resolve));
    if (code !== 0) throw new Error(`oddswire replay ended with ${code}: ${said}`);
  }

  /** What an HTTP path answers, as JSON. */
  async get(path: string): Promise<any> {
    const ask = (): Promise<Response> => fetch(`http://${this.http}${path}`);
    // A connection that was idle for a while may be closed by the server in the moment in which it is used again.
    const response = await ask().catch(ask);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status}`);
    return response.json();
  }

  /** What a scraper sees: samples by name and labels, as they stand there. */
  async metrics(): Promise<Record<string, number>> {
    const text = await (await fetch(this.figures)).text();
    const samples = text.split('\n').filter((line) => line && !line.startsWith('#'));
    return Object.fromEntries(samples.map((line) => line.split(' ')).map(([name, value]) => [name!, Number(value)]));
  }

  /** Ends it at once. */
  stop(): void {
    this.process.kill('SIGKILL');
  }
}
