// Watches a private channel in Chromium and prints what it saw as one line of JSON.
//
//   node privatewatch.mjs <watch page of a server on an allowed origin> <watch page on another one> <playback URL> <token>
//
// The token is of a viewer and for pages of the first origin, strictly. When the picture has moved, also after a reload, it
// prints "playing" on a line of its own: the caller then revokes the viewer.
import { chromium } from 'playwright-core';

const [, , allowed, other, playback, token] = process.argv;
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
    '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  ],
});

const limit = { timeout: 90_000 };
const seen = { addresses: [], leaks: [], media: 0, unnamed: [], refusals: {} };
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.on('request', (r) => {
    const url = new URL(r.url());
    const says = r.url().includes(token) || (r.headers().referer ?? '').includes(token);
    const mayKnow = url.pathname === new URL(playback).pathname || url.pathname === '/watch'; // the playlist; the page itself
    if (says && !mayKnow) seen.leaks.push(r.url());
    if (/\.(m4s|mp4)$/.test(url.pathname)) {
      seen.media++;
      if (!url.pathname.includes('/v/')) seen.unnamed.push(url.pathname);
    }
  });
  const moving = () => page.waitForFunction(() => document.querySelector('video')?.currentTime > 1, undefined, limit);
  const state = (want) => page.waitForFunction((w) => document.querySelector('[data-testid="state"]')?.textContent === w, want, limit);
  const veil = () => page.evaluate(() => document.querySelector('[data-testid="veil"]')?.textContent ?? '');

  await page.goto(`${other}?channel=${encodeURIComponent(playback)}#token=${token}`);
  await state('refused');
  seen.refusals.otherPage = await veil();
  seen.addresses.push(page.url());

  await page.goto(`${allowed}?channel=${encodeURIComponent(playback)}`);
  await state('refused');
  seen.refusals.noToken = await veil();

  await page.goto(`${allowed}?channel=${encodeURIComponent(playback)}&token=${token}`);
  await moving();
  seen.addresses.push(page.url());
  seen.shown = (await page.content()).includes(token);
  await page.reload();
  await moving();
  seen.addresses.push(page.url());

  console.log('playing');
  await state('refused');
  seen.refusals.revoked = await veil();
  seen.stopped = await page.evaluate(() => document.querySelector('video').buffered.length === 0);
} catch (e) {
  seen.error = String(e);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
process.exit(seen.error ? 1 : 0);
