// Follows the watch page through the life of a channel in Chromium and prints what it saw as one line of JSON.
//
//   node watchlife.mjs <page URL> <page URL of a channel that is not there> <directory for screenshots>
//
// It prints the name of a step on a line of its own when the caller has to act: "offline" (publish now), "seen" (end the
// stream now), "ended" (delete the channel now).
import { chromium } from 'playwright-core';

const [, , pageURL, missingURL, shots] = process.argv;
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
    `--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE ${new URL(pageURL).hostname}`,
  ],
});

const seen = { console: [], veils: {}, contrast: {}, keys: {} };
const limit = { timeout: 60_000 };
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
page.on('console', (m) => m.type() === 'error' && seen.console.push(m.text()));
page.on('pageerror', (e) => seen.console.push(String(e)));

const text = (id) => page.evaluate((id) => document.querySelector(`[data-testid="${id}"]`)?.textContent ?? '', id);
const state = (want) => page.waitForFunction((w) => document.querySelector('[data-testid="state"]')?.textContent === w, want, limit);
const video = (read) => page.evaluate(`(() => { const v = document.querySelector('video'); return ${read}; })()`);
const shot = (name) => shots && page.screenshot({ path: `${shots}/watch-${name}.png` });

/** The lowest contrast of text with its ground, in both colour schemes, among the elements of a selector. */
async function contrast(name, selector) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    const ratio = await page.evaluate((selector) => {
      const parse = (c) => {
        const [r, g, b, a = 1] = c.match(/[\d.]+/g).map(Number);
        return { rgb: [r, g, b], a };
      };
      const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
      };
      const ground = (e) => {
        for (; e; e = e.parentElement) {
          const { rgb, a } = parse(getComputedStyle(e).backgroundColor);
          if (a === 1) return rgb;
        }
        return [255, 255, 255];
      };
      const all = [...document.querySelectorAll(selector)].map((e) => {
        const [x, y] = [luminance(parse(getComputedStyle(e).color).rgb), luminance(ground(e))].sort((a, b) => b - a);
        return (x + 0.05) / (y + 0.05);
      });
      return Math.min(...all);
    }, selector);
    seen.contrast[`${name} ${colorScheme}`] = ratio;
  }
  await page.emulateMedia({ colorScheme: null });
}

try {
  await page.goto(missingURL);
  await state('no such channel');
  seen.veils.missing = await text('veil');
  await contrast('missing', '.badge, code');

  await page.goto(new URL('/watch?channel=nonsense', pageURL).href);
  await page.waitForSelector('.problem');
  await contrast('error', '.problem, code');

  await page.goto(pageURL);
  await state('offline');
  seen.veils.offline = await text('veil');
  seen.mains = await page.locator('main').count();
  await contrast('offline', '.badge, code');
  console.log('offline');

  await page.waitForFunction(() => document.querySelector('video')?.currentTime > 1, undefined, limit);
  await state('live');
  await contrast('live', '.badge, code, dt, .muted, button:not(:disabled)');
  await shot('live');

  await page.keyboard.press(' ');
  await state('paused');
  seen.keys.space = await video('v.paused');
  await page.keyboard.press('k');
  await state('live');
  await page.keyboard.press('m');
  seen.keys.m = await video('!v.muted');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  seen.keys.volume = await video('v.volume');
  await page.keyboard.press('f');
  await page.waitForFunction(() => document.fullscreenElement, undefined, limit);
  await page.keyboard.press('f');
  await page.waitForFunction(() => !document.fullscreenElement, undefined, limit);
  const before = await video('v.currentTime');
  await page.keyboard.press('ArrowLeft');
  await page.waitForFunction(() => document.querySelector('[data-testid="pace"]').textContent === 'held back by you', undefined, limit);
  seen.keys.back = before - (await video('v.currentTime'));
  await page.click('[data-testid="golive"]');
  await page.waitForFunction(() => document.querySelector('[data-testid="pace"]').textContent !== 'held back by you', undefined, limit);
  await page.click('[data-testid="sound"]');
  seen.keys.soundOff = await video('v.muted');

  // A network that brings next to nothing for a while, until the page is far behind.
  const cdp = await page.context().newCDPSession(page);
  const network = (bytes) =>
    cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: bytes, uploadThroughput: -1 });
  await cdp.send('Network.enable');
  await network(2000);
  await page.waitForFunction(() => Number(document.querySelector('[data-testid="latency"]').dataset.ms) > 8000, undefined, limit);
  await network(-1);
  await page.waitForFunction(
    () => {
      const ms = Number(document.querySelector('[data-testid="latency"]').dataset.ms);
      return ms > 0 && ms < 5000;
    },
    undefined, limit,
  );
  seen.jumps = Number(await text('jumps'));
  seen.jump = await text('jump');
  await shot('leapt');
  await page.setViewportSize({ width: 390, height: 844 });
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  await shot('phone');
  console.log('seen');

  await state('ended');
  seen.veils.ended = await text('veil');
  console.log('ended');
  await state('no such channel');
} catch (e) {
  seen.error = `${e} (${await text('state').catch(() => '')}, ${await text('latency').catch(() => '')})`;
  await shot('failed')?.catch(() => {});
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
process.exit(seen.error ? 1 : 0);
