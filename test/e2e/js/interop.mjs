// Published WHIP and WHEP clients in Chromium, on a page of another origin than the server.
//
//   node interop.mjs publish|play <client> <URL>      the token is in RIVUS_TOKEN
//
// Prints lines of JSON, as py/peer.py does. A publisher says {"joined": true} and stays until standard input ends; a
// player says what it has decoded. Both end what they have begun and say the status of their DELETE.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { hang, limit } from './patience.mjs';

const [, , role, client, url] = process.argv;
const say = (what) => console.log(JSON.stringify(what));

const { outputFiles } = await build({
  entryPoints: ['interop.page.mjs'], bundle: true, write: false, format: 'esm', logLevel: 'error',
});
const pages = createServer((req, res) => {
  const isScript = req.url === '/page.js';
  res.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
  res.end(isScript ? outputFiles[0].text : '<!doctype html><title>interop</title><script type="module" src="page.js"></script>');
}).listen(0, '127.0.0.1');
await once(pages, 'listening');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', timeout: hang,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--mute-audio', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
    '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream=fps=30', '--allow-loopback-in-peer-connection',
    '--disable-features=WebRtcHideLocalIpsWithMdns', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  ],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(hang);
  const problems = [];
  page.on('pageerror', (e) => problems.push(String(e)));
  const deleted = new Promise((done) => page.on('response', (r) => r.request().method() === 'DELETE' && done(r.status())));
  await page.goto(`http://127.0.0.1:${pages.address().port}/`);
  const args = { client, url, token: process.env.RIVUS_TOKEN, patience: limit() };
  let seen = {};
  if (role === 'publish') {
    await page.evaluate((args) => window.publish(args), args);
    say({ joined: true });
    process.stdin.resume();
    await once(process.stdin, 'end');
  } else {
    seen = await page.evaluate((args) => window.play(args), args);
  }
  await page.evaluate(async () => { await window.leave(); });
  say({ ...seen, left: await deleted, problems });
} catch (e) {
  say({ error: String(e) });
} finally {
  await browser.close();
  pages.close();
}
