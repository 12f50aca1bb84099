/** How long something may fail before it is given up, in milliseconds. */
export const giveUpAfter = 30_000;

const first = 250;
const longest = 4000;

/** Waits between attempts: a quarter of a second, then twice as long each time, and never as long as another client. */
export class Backoff {
  #attempts = 0;

  reset(): void {
    this.#attempts = 0;
  }

  /** Waits, at least for atLeast ms; ends early when the browser is online again. Rejects when signal is aborted. */
  wait(signal: AbortSignal, atLeast = 0): Promise<void> {
    const most = Math.min(longest, first * 2 ** this.#attempts++);
    return sleep(Math.max(atLeast, most * (0.5 + Math.random() / 2)), signal);
  }
}

/** Waits; ends early when the browser is online again. Rejects when signal is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.('online', done);
      signal.removeEventListener('abort', done);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(done, ms);
    globalThis.addEventListener?.('online', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
