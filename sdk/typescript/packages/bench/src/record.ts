import { setTimeout as sleep } from 'node:timers/promises';

import { recordings, Server } from '@oddswire/testing';
import { OddswireClient, type View } from '@oddswire/web';

/** The frames of one connection while recorded markets are replayed to a real server. */
export async function recordFrames(view: View, names: readonly string[], speed: string, compact: boolean): Promise<Uint8Array[]> {
  // Flushed at every commit, so that frames are as small as those of a live market.
  const server = await Server.start({ ODDSWIRE_FANOUT_FLUSH_INTERVAL_MS: '0' });
  const frames: Uint8Array[] = [];
  class Tap extends WebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol);
      this.addEventListener('message', ({ data }) => frames.push(new Uint8Array((data as ArrayBuffer).slice(0))));
    }
  }
  const client = new OddswireClient(`ws://${server.http}`, { WebSocket: Tap, compact });
  client.subscribe({ topic: 'all', view });
  while (client.state !== 'live') await sleep(10);
  const files = recordings().filter((file) => names.some((name) => file.includes(name)));
  if (files.length === 0) throw new Error(`there is no recording of ${names.join(' or ')}; name the folder in ODDSWIRE_DATA`);
  await server.replay(files, speed);
  await sleep(1000);
  const { connections, gaps } = client.telemetry();
  client.close();
  server.stop();
  if (connections !== 1 || gaps > 0) throw new Error('the connection broke; record again');
  return frames;
}
