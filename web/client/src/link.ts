import { StageErrorCode } from './enums.js';
import { asStageError, StageError, TemporaryError } from './errors.js';
import { Backoff, giveUpAfter } from './patience.js';
import { type Endpoint, Session, type Tuning } from './session.js';

const connectPatience = 10_000;
const restartPatience = 5000;
const steady = 5000; // a connection that lasted as long was a good one

/** What is to be connected. */
export interface Proposal {
  pc: RTCPeerConnection;
  tuning: Tuning;
}

/** What a link connects, and who is told. Nobody is told anything after its end. */
export interface Plan {
  endpoint: Endpoint;
  /** Makes a peer connection with all that is to be offered. */
  build(): Proposal;
  /** The tracks are known: the server has answered and media follows, in the place of another connection with up. */
  opened(pc: RTCPeerConnection): void;
  /** Media can flow; again after lost. */
  up(): void;
  /** Media cannot flow now: it is being connected, or will be. Not told while an older connection goes on. */
  lost(): void;
  /** It was given up. */
  failed(error: StageError): void;
}

/**
 * Keeps a session at one endpoint alive. When the network goes, ICE is restarted on the session that there is; when that
 * fails a new one is made, and what fails for half a minute is given up. A session that is replaced goes on until media
 * can flow in the new one: the server hands over then what hangs on it.
 */
export class Link {
  readonly #backoff = new Backoff();
  #wish = AbortSignal.abort(); // aborted while nothing is wanted, and when something else is
  #revoke = () => {};
  #session?: Session; // the newest
  #older?: Session; // goes on until the newest is up
  #end = (session: Session) => session.close(); // for one that is answered when nothing is wanted any more
  #deadline = 0;

  constructor(private readonly plan: Plan) {}

  /** Whether it is connected, or is to be. */
  get active(): boolean {
    return !this.#wish.aborted;
  }

  get #up(): boolean {
    return this.#session?.flow === 'up' || this.#older?.flow === 'up';
  }

  /**
   * Connects; if it is connected, anew with what build gives then. An offer that the server has not answered yet is
   * waited for, and its session replaced like any other.
   */
  connect(): void {
    this.#revoke();
    const stop = new AbortController();
    const wish = (this.#wish = stop.signal);
    this.#revoke = () => stop.abort();
    this.#backoff.reset();
    if (!this.#up) this.plan.lost();
    if (!wish.aborted) void this.#run(wish).catch((error: unknown) => {
      if (wish.aborted) return;
      this.close();
      this.plan.failed(asStageError(error, this.plan.endpoint.category));
    });
  }

  /** Ends the connection. */
  close(): void {
    this.#stop((session) => session.close());
  }

  /** Lets go of a connection that the server has ended. */
  discard(): void {
    this.#stop((session) => session.discard());
  }

  #stop(end: (session: Session) => void): void {
    this.#revoke();
    this.#end = end;
    for (const session of [this.#session, this.#older]) if (session) end(session);
    this.#session = this.#older = undefined;
  }

  async #run(wish: AbortSignal): Promise<void> {
    const { plan } = this;
    this.#extend();
    for (;;) {
      let wait = 0;
      try {
        await this.#hold(await this.#open(wish), wish);
      } catch (error) {
        wish.throwIfAborted();
        if (!(error instanceof TemporaryError)) throw error;
        wait = error.retryAfter;
        if (performance.now() > this.#deadline) {
          throw new StageError(StageErrorCode.TIMEOUT, plan.endpoint.category, error.message);
        }
      }
      if (!this.#up) plan.lost();
      await this.#backoff.wait(wish, wait);
    }
  }

  /** Makes a session that is to take the place of the one that there is. */
  async #open(wish: AbortSignal): Promise<Session> {
    const { endpoint, build } = this.plan;
    return endpoint.turns.take(endpoint.url, async () => {
      wish.throwIfAborted();
      const { pc, tuning } = build();
      const session = await Session.open(pc, endpoint, tuning, wish);
      if (this.#session?.flow === 'up') this.#older = this.#session;
      else this.#session?.discard();
      this.#session = session;
      if (!this.active) this.#stop(this.#end);
      wish.throwIfAborted(); // something else is wanted, and takes its place
      return session;
    });
  }

  /** Returns when the session is beyond repair; throws a TemporaryError when it never came up. */
  async #hold(session: Session, wish: AbortSignal): Promise<void> {
    if (!this.#older) this.plan.opened(session.pc);
    else this.#watch(this.#older, wish);
    const first = await session.until(['up', 'down'], wish, connectPatience);
    if (first !== 'up') throw new TemporaryError('media cannot get through');
    if (this.#older) this.#succeed(session, this.#older);
    for (;;) {
      this.plan.up();
      const since = performance.now();
      const flow = await session.until(['shaky', 'down'], wish);
      if (performance.now() - since > steady) this.#backoff.reset();
      this.#extend();
      if (flow === 'down') return;
      this.plan.lost();
      if (!(await this.#repair(session, wish))) return;
    }
  }

  /** Tells when an older session ends before a newer one is up. */
  #watch(older: Session, wish: AbortSignal): void {
    const tell = () => {
      if (this.#older === older) this.plan.lost();
    };
    void older.until(['shaky', 'down'], wish).then(tell, () => {});
  }

  #succeed(session: Session, older: Session): void {
    this.#older = undefined;
    this.plan.opened(session.pc);
    older.discard();
  }

  /** Restarts ICE until media flows. False when a new session is needed. */
  async #repair(session: Session, wish: AbortSignal): Promise<boolean> {
    while (performance.now() < this.#deadline) {
      try {
        if (!(await session.restart())) return false;
        wish.throwIfAborted();
        return (await session.until(['up', 'down'], wish, restartPatience)) === 'up';
      } catch (error) {
        wish.throwIfAborted();
        if (!(error instanceof TemporaryError)) return false;
        await this.#backoff.wait(wish, error.retryAfter);
        if (session.flow === 'up') return true;
      }
    }
    return false;
  }

  #extend(): void {
    this.#deadline = performance.now() + giveUpAfter;
  }
}
