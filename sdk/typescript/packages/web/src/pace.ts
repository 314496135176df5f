/** Messages said at once. A gateway takes 50, and delays on the way may push later ones up against the burst. */
const BURST = 40;
/** Time for each message in the long run; a gateway takes 20 a second. */
const PACE_MS = 70;

/** Says messages no faster than a gateway takes them [LIMIT-1], until nothing is given to say. */
export function paced(send: (message: Uint8Array) => void): (messages?: readonly Uint8Array[]) => void {
  let queue: Uint8Array[] = [];
  let free = BURST;
  let timer: ReturnType<typeof setInterval> | undefined;
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  const flush = (): void => {
    for (const message of queue.splice(0, free)) {
      free--;
      send(message);
    }
    if (free === BURST) stop();
    else {
      timer ??= setInterval(() => {
        free++;
        flush();
      }, PACE_MS);
    }
  };
  return (messages) => {
    if (!messages) {
      queue = [];
      return stop();
    }
    queue.push(...messages);
    flush();
  };
}
