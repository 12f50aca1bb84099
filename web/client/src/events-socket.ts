import { StageErrorCategory, StageErrorCode, StageLeftReason } from './enums.js';
import { asStageError, StageError, tokenCode } from './errors.js';
import { Backoff, giveUpAfter } from './patience.js';
import { type ClientMessages, parseMessage, type ServerMessage } from './protocol.js';
import { version } from './version.js';

const openPatience = 10_000;
const pingEvery = 2500;
const pongPatience = 5000;

/** Why there will be no socket any more. */
export interface Ending {
  reason: StageLeftReason;
  error: StageError;
}

export interface EventsObserver {
  message(message: ServerMessage): void;
  /** The socket is gone; another attempt follows. */
  lost(): void;
  /** The socket is gone for good. */
  ended(ending: Ending): void;
}

/**
 * The events socket of a participant: reconnects until the server says why not, or for half a minute. The token is asked
 * for at each attempt.
 */
export class EventsSocket {
  readonly #stop = new AbortController();
  #socket?: WebSocket;
  #lastHeard = performance.now();
  #heard = false;

  constructor(
    private readonly url: string,
    private readonly token: () => string,
    private readonly observer: EventsObserver,
  ) {
    const { signal } = this.#stop;
    void this.#run(signal).catch((error: unknown) => {
      if (signal.aborted) return;
      // The browser does not let the page open the socket at all.
      observer.ended({ reason: StageLeftReason.CONNECTION_LOST, error: asStageError(error, StageErrorCategory.JOIN_ERROR) });
    });
  }

  /** Sends a message; what is sent while the socket is not open is lost. */
  send<K extends keyof ClientMessages>(type: K, payload?: ClientMessages[K]): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type, payload }));
  }

  close(): void {
    this.#stop.abort();
    this.#socket?.close(1000);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff();
    for (;;) {
      this.#heard = false;
      const end = await this.#connection(signal);
      signal.throwIfAborted();
      if (this.#heard) {
        backoff.reset();
        this.#lastHeard = performance.now();
      }
      const ending = judge(end, performance.now() - this.#lastHeard);
      if (ending) return this.observer.ended(ending);
      if (this.#heard) this.observer.lost();
      await backoff.wait(signal);
    }
  }

  /** Resolves when one connection has ended. */
  #connection(signal: AbortSignal): Promise<End> {
    return new Promise((resolve) => {
      const socket = (this.#socket = new WebSocket(this.url, this.token()));
      const farewell: End = { code: 1006, reason: '', message: '' };
      let pinged = 0;
      const end = () => {
        clearTimeout(opening);
        clearInterval(pinging);
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close();
        resolve(farewell);
      };
      const opening = setTimeout(end, openPatience);
      const pinging = setInterval(() => {
        if (pinged && performance.now() - pinged > pongPatience) return end();
        if (pinged || socket.readyState !== WebSocket.OPEN) return;
        pinged = performance.now();
        this.send('PING');
      }, pingEvery);
      socket.onopen = () => {
        clearTimeout(opening);
        this.send('HELLO', { sdkVersion: version });
      };
      socket.onmessage = ({ data }) => {
        const message = parseMessage(data);
        if (!message || signal.aborted) return;
        pinged = 0;
        if (message.type === 'DISCONNECTED') Object.assign(farewell, message.payload);
        else this.#heard = true;
        this.observer.message(message);
      };
      socket.onclose = ({ code, reason }) => {
        farewell.code = code;
        farewell.reason ||= reason;
        end();
      };
    });
  }
}

/** How a connection ended: code and reason of the close frame, and what the server said before it. */
interface End {
  code: number;
  reason: string;
  message: string;
}

/** Tells whether an end is final; silence is how long nothing was heard of the server. */
function judge({ code, reason, message }: End, silence: number): Ending | undefined {
  const because = (left: StageLeftReason, error: StageErrorCode, text: string): Ending => ({
    reason: left,
    error: new StageError(error, StageErrorCategory.JOIN_ERROR, text, { closeCode: code, reason, message }),
  });
  switch (code) {
    case 4001:
      return because(StageLeftReason.PARTICIPANT_REPLACED, StageErrorCode.FAILED, 'the token has joined from somewhere else');
    case 4002:
    case 4403:
      return because(
        StageLeftReason.PARTICIPANT_DISCONNECTED,
        StageErrorCode.PARTICIPANT_DISCONNECTED,
        message || 'the participant was disconnected',
      );
    case 4003:
    case 4404:
      return because(StageLeftReason.STAGE_DELETED, StageErrorCode.STAGE_DELETED, 'the stage was deleted');
    case 4401:
      return because(StageLeftReason.TOKEN_REFUSED, tokenCode(message), `the token was refused: ${message}`);
    case 4429:
      return because(StageLeftReason.CONNECTION_LOST, StageErrorCode.STAGE_AT_CAPACITY, 'the stage is full');
  }
  if (silence < giveUpAfter) return undefined;
  if (code === 1013) return because(StageLeftReason.CONNECTION_LOST, StageErrorCode.FAILED, 'the server takes nobody now');
  return because(StageLeftReason.CONNECTION_LOST, StageErrorCode.TIMEOUT, 'the server cannot be reached');
}
