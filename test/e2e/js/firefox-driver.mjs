// Firefox over WebDriver BiDi: what the tests here need of it, and no more. Node 20 wants --experimental-websocket.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { hang, until } from './patience.mjs';

// The camera is fake and every address is this machine's. No H.264 plugin is fetched: this browser has VP8, VP9 and AV1.
const preferences = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.loopback': true,
  'permissions.default.camera': 1, // a page without a permission gathers the address of the default route alone
  'permissions.default.microphone': 1,
  'media.autoplay.default': 0,
  'media.gmp-manager.updateEnabled': false,
  'media.suspend-background-video.enabled': false,
  'layout.testing.top-level-always-active': true,
  'focusmanager.testmode': true,
  'remote.active-protocols': 1, // BiDi
  'network.dns.disabled': true,
  'network.proxy.type': 0,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'toolkit.telemetry.server': 'data:,',
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.safebrowsing.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'extensions.update.enabled': false,
};

export class Firefox {
  /** Errors in the pages. */
  problems = [];
  #calls = new Map();
  #last = 0;

  static async launch(executable) {
    const firefox = new Firefox();
    await firefox.#start(executable);
    return firefox;
  }

  async #start(executable) {
    this.profile = mkdtempSync(join(tmpdir(), 'rivus-firefox-'));
    const lines = Object.entries(preferences).map((p) => `user_pref(${p.map((v) => JSON.stringify(v)).join(', ')});`);
    writeFileSync(join(this.profile, 'user.js'), lines.join('\n'));
    const args = ['--headless', '--no-remote', '--profile', this.profile, '--remote-debugging-port', '0'];
    // It ends with this process, however that ends.
    this.process = spawn('setpriv', ['--pdeathsig', 'KILL', executable, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.ended = once(this.process, 'exit');
    this.hung = setTimeout(() => this.process.kill('SIGKILL'), 2 * hang);
    const address = await new Promise((found, failed) => {
      createInterface(this.process.stderr).on('line', (line) => {
        const [, url] = /WebDriver BiDi listening on (ws:\S+)/.exec(line) ?? [];
        if (url) found(url);
      });
      void this.ended.then(() => failed(new Error('Firefox ended')));
    });
    this.socket = new WebSocket(`${address}/session`);
    this.socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    this.socket.onclose = () => this.#calls.forEach((call) => call.failed(new Error('Firefox ended')));
    await new Promise((open, failed) => Object.assign(this.socket, { onopen: open, onerror: () => failed(new Error('no BiDi')) }));
    this.version = (await this.call('session.new', { capabilities: {} })).capabilities.browserVersion;
    await this.call('session.subscribe', { events: ['log.entryAdded'] });
  }

  #heard({ id, type, result, error, message, method, params }) {
    if (method === 'log.entryAdded' && params.level === 'error') this.problems.push(params.text);
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (type === 'success') call?.done(result);
    if (type === 'error') call?.failed(new Error(`${error}: ${message}`));
  }

  /** Sends a command of WebDriver BiDi and returns its result. */
  call(method, params) {
    const id = ++this.#last;
    return new Promise((done, failed) => {
      this.#calls.set(id, { done, failed });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** Opens a page in a window and a profile of its own; preload runs before its scripts. */
  async open(url, preload) {
    const { userContext } = await this.call('browser.createUserContext', {});
    const { context } = await this.call('browsingContext.create', { type: 'window', userContext });
    await this.call('script.addPreloadScript', { functionDeclaration: String(preload), contexts: [context] });
    await this.call('browsingContext.navigate', { context, url, wait: 'complete' });
    return new Page(this, context);
  }

  async close() {
    void this.call('browser.close', {}).catch(() => {});
    const late = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await this.ended;
    clearTimeout(late);
    clearTimeout(this.hung);
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Page {
  constructor(firefox, context) {
    Object.assign(this, { firefox, context });
  }

  reload() {
    return this.firefox.call('browsingContext.reload', { context: this.context, wait: 'complete' });
  }

  /** Runs a function in the page, with an argument that JSON carries, and returns what JSON carries of its result. */
  async evaluate(f, argument) {
    const { type, result, exceptionDetails } = await this.firefox.call('script.evaluate', {
      expression: `Promise.resolve((${f})(${JSON.stringify(argument)})).then((v) => JSON.stringify(v ?? null))`,
      target: { context: this.context }, awaitPromise: true, userActivation: true,
    });
    if (type === 'exception') throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  /** Waits until a function, run in the page, gives something that counts as true, and returns that. */
  until(what, check, argument) {
    return until(what, () => this.evaluate(check, argument));
  }
}
