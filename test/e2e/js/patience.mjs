// How long to wait for what has to come. A busy machine needs longer for everything, so time counts less there.
import { availableParallelism, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const enough = 30_000; // ms on a machine that does nothing else

/** How many times as long as on a quiet machine things take here at the moment, at most ten times. */
export const busy = () => Math.min(10, Math.max(1, loadavg()[0] / availableParallelism()));

/** The milliseconds that something may take which has a limit of its own. */
export const limit = () => enough * busy();

/** Bounds the calls of Playwright that know no other end than a time: only what hangs takes as long. */
export const hang = 300_000;

/** Looks again and again until there is something that counts as true, and returns it. */
export async function until(what, look, every = 75) {
  let last = performance.now();
  for (let spent = 0; spent < enough; ) {
    const got = await look();
    if (got) return got;
    await sleep(every);
    const now = performance.now();
    spent += (now - last) / busy();
    last = now;
  }
  throw new Error(`not in time: ${what}`);
}

/** Evaluates something in a page of Playwright; undefined while the page is on its way to another address. */
export const evaluate = (page, look, arg) =>
  page.evaluate(look, arg).catch((e) => {
    if (!/navigat|context was destroyed/i.test(String(e))) throw e;
  });
