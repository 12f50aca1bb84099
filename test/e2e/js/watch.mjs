// Opens the watch page in Chromium, watches for a while and prints what it saw as one line of JSON.
//
//   node watch.mjs <page URL> <metadata text to wait for> [screenshot path]
//
// When the picture moves it prints "playing" on a line of its own: the caller then sends the metadata.
import { chromium } from 'playwright-core';

const [, , page_url, wanted, screenshot] = process.argv;
const origin = new URL(page_url);
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
    `--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE ${origin.hostname}`,
  ],
});

const seen = { states: [], console: [], requests: { parts: 0, segments: 0, playlists: 0, failed: [] } };
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.on('console', (m) => m.type() === 'error' && seen.console.push(m.text()));
  page.on('pageerror', (e) => seen.console.push(String(e)));
  page.on('response', (r) => {
    const path = new URL(r.url()).pathname;
    if (r.status() >= 400) seen.requests.failed.push(`${r.status()} ${path}`);
    else if (/\/seg\d+\.\d+\.(m4s|ts)$/.test(path)) seen.requests.parts++;
    else if (/\/seg\d+\.(m4s|ts)$/.test(path)) seen.requests.segments++;
    else if (path.endsWith('.m3u8')) seen.requests.playlists++;
  });
  await page.goto(page_url);

  const limit = { timeout: 60_000 };
  await page.waitForFunction(() => document.querySelector('video')?.currentTime > 1, undefined, limit);

  // The picture must move: two snapshots of the decoded frame differ.
  const shot = () =>
    page.evaluate(() => {
      const video = document.querySelector('video');
      const canvas = document.createElement('canvas');
      canvas.width = 160;
      canvas.height = 90;
      const g = canvas.getContext('2d');
      g.drawImage(video, 0, 0, 160, 90);
      return [...g.getImageData(0, 0, 160, 90).data];
    });
  const first = await shot();
  const start = await page.evaluate(() => document.querySelector('video').currentTime);
  await page.waitForFunction((t) => document.querySelector('video').currentTime > t + 1, start, limit);
  const second = await shot();
  seen.changedPixels = first.filter((v, i) => i % 4 !== 3 && Math.abs(v - second[i]) > 16).length;
  seen.brightPixels = second.filter((v, i) => i % 4 !== 3 && v > 64).length;

  console.log('playing');
  const text = (id) => page.evaluate((id) => document.querySelector(`[data-testid="${id}"]`)?.textContent ?? '', id);
  await page.waitForFunction(
    (wanted) => [...document.querySelectorAll('[data-testid="cue"] .text')].some((e) => e.textContent === wanted),
    wanted, limit,
  );
  // Latency is a moving figure: take the median of a few seconds of readings once playback has settled.
  const readings = [];
  for (let i = 0; i < Number(process.env.WATCH_SECONDS ?? 5); i++) {
    await page.waitForTimeout(1000);
    const ms = await page.evaluate(() => Number(document.querySelector('[data-testid="latency"]')?.dataset.ms));
    if (ms) readings.push(ms);
  }
  seen.latencyMs = readings.sort((a, b) => a - b)[readings.length >> 1];
  for (const id of ['state', 'resolution', 'fps', 'dropped', 'mode', 'buffer', 'bandwidth']) seen[id] = await text(id);
  seen.width = await page.evaluate(() => document.querySelector('video').videoWidth);
  seen.audioBytes = await page.evaluate(() => document.querySelector('video').webkitAudioDecodedByteCount);
  if (screenshot) await page.screenshot({ path: screenshot });
} catch (e) {
  seen.error = String(e);
  if (screenshot) await browser.contexts()[0]?.pages()[0]?.screenshot({ path: screenshot }).catch(() => {});
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
process.exit(seen.error ? 1 : 0);
