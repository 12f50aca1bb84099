// A browser without a network: sockets, requests and peer connections that the test answers, and a clock that it moves.
import { EventEmitter } from 'node:events';

/** Lets everything that waits for nothing but promises happen. */
export const settle = async () => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

/** A clock in the place of the timers and of performance.now. */
export class Clock {
  #now = 1000;
  #timers = [];

  install(t) {
    const saved = {};
    const put = (name, value) => {
      saved[name] = globalThis[name];
      globalThis[name] = value;
    };
    put('setTimeout', (fn, ms = 0, ...args) => this.#add(() => fn(...args), ms));
    put('setInterval', (fn, ms) => this.#add(fn, ms, ms));
    put('clearTimeout', (timer) => this.#remove(timer));
    put('clearInterval', (timer) => this.#remove(timer));
    t.mock.method(performance, 'now', () => this.#now);
    const { timeout } = AbortSignal;
    AbortSignal.timeout = () => new AbortController().signal;
    t.after(() => {
      Object.assign(globalThis, saved);
      AbortSignal.timeout = timeout;
    });
    return this;
  }

  #add(fn, ms, every) {
    const timer = { at: this.#now + ms, fn, every };
    this.#timers.push(timer);
    return timer;
  }

  #remove(timer) {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  /** Moves on, stopping at every timer. */
  async pass(ms) {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      this.#now = Math.max(this.#now, next.at);
      if (next.every) next.at += next.every;
      else this.#remove(next);
      next.fn();
    }
    this.#now = end;
    await settle();
  }
}

/** The server's end of a WebSocket. */
class Socket {
  static OPEN = 1;
  readyState = 0;
  sent = [];

  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    browser.sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  // What the server does.
  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  say(type, payload) {
    this.onmessage?.({ data: JSON.stringify({ type, payload }) });
  }

  /** Opens, and welcomes with these participants besides us. */
  welcome(...participants) {
    this.open();
    this.say('STAGE_STATE', { stageId: 'stage', participants: [{ id: 'me', userId: 'me', attributes: {} }, ...participants] });
  }

  end(code, reason = '', message = '') {
    if (reason) this.say('DISCONNECTED', { reason, message });
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  said(type) {
    return this.sent.filter((m) => m.type === type).map((m) => m.payload);
  }
}

class Target extends EventEmitter {
  addEventListener(event, fn) {
    this.on(event, fn);
  }

  removeEventListener(event, fn) {
    this.off(event, fn);
  }
}

const sdp = (kind, mid, ufrag) =>
  `m=${kind} 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:${ufrag}\r\na=ice-pwd:${ufrag.repeat(22)}\r\na=mid:${mid}\r\na=rtpmap:96 ${kind === 'audio' ? 'opus/48000/2' : 'H264/90000'}\r\na=fmtp:96 x=1\r\n`;

let made = 0;

/** A peer connection that is connected when the test says so, and swaps tracks when `swapping` lets it. */
class PeerConnection extends Target {
  swapping = undefined;
  connectionState = 'new';
  iceConnectionState = 'new';
  signalingState = 'stable';
  transceivers = [];
  localDescription = null;
  remoteDescription = null;
  transport = Object.assign(new Target(), { state: 'new' });
  #ufrag = 'aaaa';

  constructor(configuration) {
    super();
    this.configuration = configuration;
    browser.pcs.push(this);
  }

  addTransceiver(trackOrKind, { direction, sendEncodings = [] }) {
    const kind = trackOrKind.kind ?? trackOrKind;
    const sender = {
      track: trackOrKind.kind ? trackOrKind : null,
      transport: this.transport,
      parameters: { encodings: structuredClone(sendEncodings) },
      getParameters() {
        return structuredClone(this.parameters);
      },
      setParameters: async (p) => {
        this.#mustBeOpen();
        sender.parameters = p;
      },
      replaceTrack: async (track) => {
        this.#mustBeOpen();
        await this.swapping;
        sender.track = track;
      },
      async getStats() {
        return new Map();
      },
    };
    const receiver = { track: track(kind), transport: this.transport, getStats: async () => new Map() };
    const transceiver = { sender, receiver, direction, currentDirection: null };
    this.transceivers.push(transceiver);
    return transceiver;
  }

  getTransceivers() {
    return this.transceivers;
  }

  getSenders() {
    return this.transceivers.map((t) => t.sender);
  }

  removeTrack(sender) {
    sender.track = null;
  }

  async createOffer({ iceRestart } = {}) {
    if (iceRestart) this.#ufrag = 'bbbb';
    const media = this.transceivers.map((t, i) => sdp(t.receiver.track.kind, i, this.#ufrag)).join('');
    return { type: 'offer', sdp: `v=0\r\n${media}` };
  }

  async setLocalDescription(d) {
    this.localDescription = d;
    this.signalingState = 'have-local-offer';
  }

  async setRemoteDescription(d) {
    this.remoteDescription = d;
    this.signalingState = 'stable';
    for (const t of this.transceivers) t.currentDirection = d.sdp.includes(`m=${t.receiver.track.kind} 0 `) ? 'inactive' : t.direction;
  }

  close() {
    this.connectionState = this.signalingState = 'closed';
  }

  #mustBeOpen() {
    if (this.connectionState === 'closed') throw new DOMException('the connection is closed', 'InvalidStateError');
  }

  /** Media flows, or does not. */
  become(connection, ice = connection, dtls = 'connected') {
    Object.assign(this, { connectionState: connection, iceConnectionState: ice });
    this.transport.state = dtls;
    for (const event of ['connectionstatechange', 'iceconnectionstatechange']) this.emit(event);
    this.transport.emit('statechange');
  }
}

export function track(kind, settings = { width: 640, height: 360 }) {
  return { kind, id: `${kind}-${++made}`, enabled: true, getSettings: () => settings };
}

/** What the client has done, and what the next requests are answered with: now, or when a promise says so. */
export const browser = {
  sockets: [],
  pcs: [],
  requests: [],
  answers: [],
  get socket() {
    return this.sockets.at(-1);
  },
  get pc() {
    return this.pcs.at(-1);
  },

  /** Makes the globals those of a browser until the test ends. */
  install(t) {
    Object.assign(this, { sockets: [], pcs: [], requests: [], answers: [] });
    const saved = { fetch: globalThis.fetch };
    t.after(() => Object.assign(globalThis, saved, { WebSocket: undefined, RTCPeerConnection: undefined, RTCRtpReceiver: undefined }));
    Object.assign(globalThis, {
      WebSocket: Socket,
      RTCPeerConnection: PeerConnection,
      RTCRtpReceiver: {},
      fetch: async (url, { method, headers, body }) => {
        this.requests.push({ method, url, headers, body });
        if (method === 'DELETE') return new Response(null, { status: 200 });
        const answer = (await this.answers.shift()) ?? (method === 'POST' ? created() : { status: 404, body: '' });
        if (answer instanceof Error) throw answer;
        const response = new Response(answer.status === 204 ? null : answer.body, { status: answer.status, headers: answer.headers });
        Object.defineProperty(response, 'url', { value: url });
        return response;
      },
    });
    return this;
  },

  /** Methods and last parts of the paths of the requests. */
  get asked() {
    return this.requests.map(({ method, url }) => `${method} ${url.split('/').at(-1)}`);
  },
};

export function created() {
  const answer = `v=0\r\n${sdp('audio', 0, 'ssss')}${sdp('video', 1, 'ssss')}`;
  return { status: 201, body: answer, headers: { Location: '/rt/whip/session/one' } };
}

/** The answer to an ICE restart. */
export const restarted = { status: 200, body: `a=ice-ufrag:tttt\r\na=ice-pwd:${'t'.repeat(22)}\r\nm=audio 9 X 96\r\na=mid:0\r\na=candidate:1 1 udp 1 127.0.0.1 1 typ host\r\n` };

/** A token with these claims besides the usual ones. */
export function token(claims = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = {
    jti: 'me', resource: 'arn:aws:ivs:us-west-2:000000000000:stage/stage', topic: 'stage', user_id: 'me', attributes: { a: '1' },
    events_url: 'ws://127.0.0.1/rt/events', whip_url: 'http://127.0.0.1/rt/whip',
    capabilities: { allow_publish: true, allow_subscribe: true }, ...claims,
  };
  return `${part({ alg: 'ES384', typ: 'JWT' })}.${part(body)}.c2ln`;
}
