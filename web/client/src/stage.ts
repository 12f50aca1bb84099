import { Emitter } from './emitter.js';
import { StageErrorCategory, StageErrorCode, StageLeftReason } from './enums.js';
import { StageError } from './errors.js';
import type { StageEventMap } from './stage-events.js';
import type { StageStrategy } from './strategy.js';
import { type Claims, parseToken } from './token.js';
import { Turns } from './turns.js';
import { Visit } from './visit.js';

/**
 * A stage, as the holder of one token takes part in it. What it publishes and receives is the strategy's to say; what
 * happens is told by events.
 */
export class Stage extends Emitter<StageEventMap> {
  #token: string;
  #claims: Claims;
  #strategy: StageStrategy;
  #visit?: Visit;
  readonly #turns = new Turns();
  readonly #name = randomName();
  #publications = 0;
  readonly #pageHides = () => this.leave();

  /** Throws a StageError (TOKEN_MALFORMED) for what is no participant token. */
  constructor(token: string, strategy: StageStrategy) {
    super();
    this.#claims = parseToken(token);
    this.#token = token;
    this.#strategy = strategy;
  }

  /** Connects. Rejects with a StageError, of which the listeners of StageEvents.ERROR are told too. */
  join(): Promise<void> {
    if (this.#visit) return this.#visit.joined;
    globalThis.addEventListener?.('pagehide', this.#pageHides);
    const visit = new Visit(this.#claims, {
      emit: (event, ...args) => this.emit(event, ...args),
      strategy: () => this.#strategy,
      token: () => this.#token,
      turns: this.#turns,
      number: () => `${this.#name}.${++this.#publications}`,
      over: () => this.#over(),
    });
    this.#visit = visit;
    visit.connect();
    return visit.joined;
  }

  /** Stops publishing and receiving, and disconnects. The stage can be joined again. */
  leave(): void {
    this.#visit?.leave(StageLeftReason.USER_INITIATED);
  }

  /** Asks the strategy again and does what is missing; nothing when nothing has changed. */
  refreshStrategy(): void {
    this.#visit?.refresh();
  }

  /** Asks another strategy from now on. */
  replaceStrategy(strategy: StageStrategy): void {
    this.#strategy = strategy;
    this.refreshStrategy();
  }

  /**
   * Goes on with another token of the same participant: its user id, attributes and capabilities count from now on.
   * Rejects with a StageError (TOKEN_EXCHANGE_FAILED), and the old token stays.
   */
  async exchangeToken(token: string): Promise<void> {
    const claims = parseToken(token);
    for (const claim of ['participantId', 'stageArn', 'stageId', 'whipUrl', 'eventsUrl'] as const) {
      if (claims[claim] === this.#claims[claim]) continue;
      const message = 'the new token is not one of the same participant';
      throw new StageError(StageErrorCode.TOKEN_EXCHANGE_FAILED, StageErrorCategory.JOIN_ERROR, message, { claim });
    }
    const take = () => {
      this.#token = token;
      this.#claims = claims;
    };
    if (this.#visit) await this.#visit.exchange(token, claims, take);
    else take();
  }

  #over(): void {
    this.#visit = undefined;
    globalThis.removeEventListener?.('pagehide', this.#pageHides);
  }
}

/** Tells this page from others with the same token. */
function randomName(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
