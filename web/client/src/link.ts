import { StageErrorCode } from './enums.js';
import { asStageError, StageError, TemporaryError } from './errors.js';
import { Backoff, giveUpAfter } from './patience.js';
import { type Endpoint, Session, type Tuning } from './session.js';

const connectPatience = 10_000;
const restartPatience = 5000;
const steady = 5000; // a connection that lasted as long was a good one

/** What a link connects, and who is told. Nobody is told anything after close. */
export interface Plan {
  endpoint: Endpoint;
  tuning: Tuning;
  /** Makes a peer connection with all that is to be offered. */
  build(): RTCPeerConnection;
  /** The server has answered: tracks are known, media follows. */
  opened(pc: RTCPeerConnection): void;
  /** Media can flow; again after lost. */
  up(): void;
  /** Media cannot flow now; more attempts follow. */
  lost(): void;
  /** It was given up. */
  failed(error: StageError): void;
}

/**
 * Keeps a session alive. When the network goes, ICE is restarted on the session that there is; when that fails a new one
 * is made, and what fails for half a minute is given up. A session that is replaced is let go only when the server has
 * put the new one in its place: it hands over what hangs on it.
 */
export class Link {
  readonly #stop = new AbortController();
  readonly #backoff = new Backoff();
  #session?: Session;
  #deadline = 0;

  /** Connects; in the place of a link to the same endpoint, if one is given. */
  constructor(
    private readonly plan: Plan,
    replaced?: Link,
  ) {
    this.#session = replaced?.release();
    void this.#run(this.#stop.signal).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#session?.close();
      plan.failed(asStageError(error, plan.endpoint.category));
    });
  }

  close(): void {
    this.release()?.close();
  }

  /** Stops, and hands out the session as it is. */
  release(): Session | undefined {
    this.#stop.abort();
    return this.#session;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { plan } = this;
    this.#extend();
    for (;;) {
      let wait = 0;
      try {
        const session = await Session.open(plan.build(), plan.endpoint, plan.tuning, signal);
        this.#session?.discard();
        this.#session = session;
        plan.opened(session.pc);
        await this.#hold(session, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof TemporaryError)) throw error;
        wait = error.retryAfter;
        if (performance.now() > this.#deadline) {
          throw new StageError(StageErrorCode.TIMEOUT, plan.endpoint.category, error.message);
        }
      }
      plan.lost();
      await this.#backoff.wait(signal, wait);
    }
  }

  /** Returns when the session is beyond repair; throws a TemporaryError when it never came up. */
  async #hold(session: Session, signal: AbortSignal): Promise<void> {
    const first = await session.until(['up', 'down'], signal, connectPatience);
    if (first !== 'up') throw new TemporaryError('media cannot get through');
    for (;;) {
      this.plan.up();
      const since = performance.now();
      const flow = await session.until(['shaky', 'down'], signal);
      if (performance.now() - since > steady) this.#backoff.reset();
      this.#extend();
      if (flow === 'down') return;
      this.plan.lost();
      if (!(await this.#repair(session, signal))) return;
    }
  }

  /** Restarts ICE until media flows. False when a new session is needed. */
  async #repair(session: Session, signal: AbortSignal): Promise<boolean> {
    while (performance.now() < this.#deadline) {
      try {
        if (!(await session.restart())) return false;
        signal.throwIfAborted();
        return (await session.until(['up', 'down'], signal, restartPatience)) === 'up';
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof TemporaryError)) return false;
        await this.#backoff.wait(signal, error.retryAfter);
        if (session.flow === 'up') return true;
      }
    }
    return false;
  }

  #extend(): void {
    this.#deadline = performance.now() + giveUpAfter;
  }
}
