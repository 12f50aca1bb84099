import type { StageErrorCategory } from './enums.js';
import { refused, TemporaryError } from './errors.js';
import { iceFragment, restartedAnswer } from './sdp.js';
import type { Turns } from './turns.js';

const answerPatience = 10_000;
const farewellPatience = 1000;

/** Where a session is made, and by whom. */
export interface Endpoint {
  readonly url: string;
  readonly category: StageErrorCategory;
  /** Of the offers to this URL. */
  readonly turns: Turns;
  token(): string;
  /** What goes with an offer besides. */
  headers?(): Record<string, string>;
}

/** What the application's wishes change in the descriptions. */
export interface Tuning {
  offer?(sdp: string): string;
  answer?(sdp: string): string;
}

/** Whether media can flow: not yet, yes, not at the moment, or never again. */
export type Flow = 'new' | 'up' | 'shaky' | 'down';

/** One connection that carries media: a peer connection and the HTTP resource that belongs to it (RFC 9725). */
export class Session {
  private constructor(
    readonly pc: RTCPeerConnection,
    private readonly endpoint: Endpoint,
    private readonly url: string,
    private readonly tuning: Tuning,
  ) {}

  /**
   * Offers pc to the endpoint and applies the answer. Candidates are not waited for: the server finds us by our checks.
   * Once wish is aborted nothing is offered any more. An offer that was sent is waited for all the same: the server has
   * a session then, which is the caller's to end or to replace.
   */
  static async open(pc: RTCPeerConnection, endpoint: Endpoint, tuning: Tuning, wish: AbortSignal): Promise<Session> {
    let session: Session | undefined;
    try {
      const { sdp = '' } = await pc.createOffer();
      const offer = tuning.offer?.(sdp) ?? sdp;
      await pc.setLocalDescription({ type: 'offer', sdp: offer });
      wish.throwIfAborted();
      const response = await send('POST', endpoint.url, endpoint, 'application/sdp', offer, endpoint.headers?.());
      const text = await body(response);
      if (response.status !== 201) throw refused(response, text, endpoint.category);
      const location = new URL(response.headers.get('Location') ?? '', response.url).href;
      session = new Session(pc, endpoint, location, tuning);
      if (!wish.aborted) await pc.setRemoteDescription({ type: 'answer', sdp: tuning.answer?.(text) ?? text });
      return session;
    } catch (error) {
      if (session) session.close();
      else pc.close();
      throw error;
    }
  }

  get flow(): Flow {
    const { connectionState, iceConnectionState } = this.pc;
    const dtls = this.#transport?.state;
    if (connectionState === 'closed' || dtls === 'closed' || dtls === 'failed') return 'down';
    if (iceConnectionState === 'disconnected' || iceConnectionState === 'failed') return 'shaky';
    return connectionState === 'connected' ? 'up' : 'new';
  }

  /** Resolves with the first flow that is one of these; with the present one after patience ms. */
  until(wanted: Flow[], signal: AbortSignal, patience?: number): Promise<Flow> {
    return new Promise((resolve, reject) => {
      const transport = this.#transport;
      const check = (late?: boolean) => {
        if (!signal.aborted && late !== true && !wanted.includes(this.flow)) return;
        clearTimeout(timer);
        for (const event of ['connectionstatechange', 'iceconnectionstatechange']) this.pc.removeEventListener(event, changed);
        transport?.removeEventListener('statechange', changed);
        signal.removeEventListener('abort', changed);
        if (signal.aborted) reject(signal.reason);
        else resolve(this.flow);
      };
      const changed = () => check();
      const timer = patience === undefined ? undefined : setTimeout(check, patience, true);
      for (const event of ['connectionstatechange', 'iceconnectionstatechange']) this.pc.addEventListener(event, changed);
      transport?.addEventListener('statechange', changed);
      signal.addEventListener('abort', changed);
      check();
    });
  }

  /**
   * Restarts ICE on the same session: the streams stay. False when the server does not know the session any more, or
   * cannot. Rejects with a TemporaryError when the server was not reached; call it again then.
   */
  async restart(): Promise<boolean> {
    const { pc } = this;
    if (pc.signalingState === 'stable') await pc.setLocalDescription(await pc.createOffer({ iceRestart: true }));
    const fragment = iceFragment(pc.localDescription!.sdp);
    const type = 'application/trickle-ice-sdpfrag';
    const response = await send('PATCH', this.url, this.endpoint, type, fragment, { 'If-Match': '*' });
    const text = await body(response);
    if (response.status >= 500) throw refused(response, text, this.endpoint.category);
    if (response.status !== 200) return false;
    const answer = restartedAnswer(pc.remoteDescription!.sdp, text);
    await pc.setRemoteDescription({ type: 'answer', sdp: this.tuning.answer?.(answer) ?? answer });
    return true;
  }

  /** Lets go of a connection that the server has replaced or ended. */
  discard(): void {
    this.pc.close();
  }

  /**
   * Ends the connection, here and at the server, even when the page goes. Nothing is sent from now on, but the server is
   * told before the connection says the same: then it still knows the session.
   */
  close(): void {
    if (this.#transport?.state === 'closed') return this.pc.close(); // by the server, which has forgotten the session
    if (this.pc.signalingState !== 'closed') for (const sender of this.pc.getSenders()) this.pc.removeTrack(sender);
    const late = setTimeout(() => this.pc.close(), farewellPatience);
    const done = () => {
      clearTimeout(late);
      this.pc.close();
    };
    void send('DELETE', this.url, this.endpoint).then(done, done);
  }

  get #transport(): RTCDtlsTransport | undefined {
    for (const { sender, receiver } of this.pc.getTransceivers()) {
      const transport = sender.transport ?? receiver.transport;
      if (transport) return transport;
    }
    return undefined;
  }
}

async function send(
  method: string,
  url: string,
  endpoint: Endpoint,
  type?: string,
  content?: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  headers['Authorization'] = `Bearer ${endpoint.token()}`;
  headers['Prefer'] = 'handling=lenient'; // what has ended on the server meanwhile is no error of the page
  if (type) headers['Content-Type'] = type;
  try {
    return await fetch(url, {
      method,
      headers,
      body: content,
      keepalive: method === 'DELETE',
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.timeout(answerPatience),
    });
  } catch (error) {
    throw new TemporaryError(error instanceof Error ? error.message : String(error));
  }
}

async function body(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw new TemporaryError(error instanceof Error ? error.message : String(error));
  }
}
