import { attempt } from './emitter.js';
import {
  StageConnectionState,
  StageErrorCategory,
  StageErrorCode,
  StageEvents,
  StageLeftReason,
  StageParticipantPublishState,
} from './enums.js';
import { StageError } from './errors.js';
import { EventsSocket } from './events-socket.js';
import { InBand } from './in-band.js';
import { Participant } from './participant.js';
import type { ParticipantView, ServerMessage } from './protocol.js';
import { Publication } from './publication.js';
import { Remote } from './remote.js';
import type { Emit } from './stage-events.js';
import type { StageStrategy } from './strategy.js';
import type { Claims } from './token.js';
import type { Turns } from './turns.js';

const exchangePatience = 10_000;

/** What a participant offers who does not publish. */
const nothing = { isPublishing: false, hasAudio: false, hasVideo: false, layers: [] };

/** With these the server ends all connections, or a newer page of the same token has taken them over. */
const closing = new Set([
  StageLeftReason.PARTICIPANT_DISCONNECTED,
  StageLeftReason.STAGE_DELETED,
  StageLeftReason.PARTICIPANT_REPLACED,
]);

/** What a visit needs of its Stage. */
export interface Host {
  emit: Emit;
  strategy(): StageStrategy;
  token(): string;
  /** Of all visits: one that has ended may not have been answered yet. */
  turns: Turns;
  /** The number of the next publication (docs/stage-protocol.md, "Which publication is the newer"). */
  number(): string;
  /** The visit has ended. */
  over(): void;
}

/** A token exchange that the server has not answered yet. */
interface Exchange {
  token: string;
  done(error?: StageError): void;
}

/** One stay on a stage, from join to leave. */
export class Visit {
  /** Settles when the stage has let us in, or has not. */
  readonly joined: Promise<void>;
  #settle!: { resolve(): void; reject(error: StageError): void };
  #state = StageConnectionState.DISCONNECTED;
  #welcomed = false;
  #over = false;
  #asking = false;
  #askAgain = false;
  #exchanges: Exchange[] = [];
  #socket?: EventsSocket;
  readonly #local: Participant;
  readonly #remotes = new Map<string, Remote>();
  readonly #inBand = new InBand();
  readonly #publication: Publication;

  constructor(
    private readonly claims: Claims,
    private readonly host: Host,
  ) {
    this.joined = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.joined.catch(() => {}); // listeners of ERROR are told too
    this.#local = new Participant(claims.participantId, true);
    this.#take(claims);
    const { emit } = host;
    this.#publication = new Publication(claims.whipUrl, () => host.token(), host.turns, () => host.number(), this.#inBand, {
      state: (state) => this.#published(state),
      added: (streams) => emit(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, this.#local, streams),
      removed: (streams) => emit(StageEvents.STAGE_PARTICIPANT_STREAMS_REMOVED, this.#local, streams),
      muted: (stream) => {
        this.#tellMute();
        emit(StageEvents.STAGE_STREAM_MUTE_CHANGED, this.#local, stream);
      },
      failed: (error) => emit(StageEvents.ERROR, error),
    });
  }

  connect(): void {
    this.#to(StageConnectionState.CONNECTING);
    if (this.#over) return; // a listener has left already
    const { eventsUrl, stageId } = this.claims;
    this.#socket = new EventsSocket(`${eventsUrl}/${stageId}`, () => this.host.token(), {
      message: (message) => this.#message(message),
      lost: () => {
        if (this.#welcomed) this.#to(StageConnectionState.ERRORED);
      },
      ended: ({ reason, error }) => this.leave(reason, error),
    });
  }

  /** Asks the strategy about everything. Asked for while it is at it, it asks once more. */
  refresh(): void {
    this.#ask(() => {
      this.#publish();
      for (const remote of this.#remotes.values()) this.#evaluate(remote);
    });
  }

  leave(reason: StageLeftReason, error?: StageError): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket?.close();
    const ended = closing.has(reason);
    if (ended) this.#publication.discard();
    this.#publication.close();
    for (const remote of [...this.#remotes.values()]) this.#forget(remote, ended);
    this.#inBand.close();
    for (const exchange of [...this.#exchanges]) exchange.done(exchangeFailed('the stage was left'));
    if (this.#welcomed) this.host.emit(StageEvents.STAGE_PARTICIPANT_LEFT, this.#local);
    this.#to(StageConnectionState.DISCONNECTED);
    this.host.over();
    if (error) this.host.emit(StageEvents.ERROR, error);
    this.#settle.reject(error ?? new StageError(StageErrorCode.CANCELED, StageErrorCategory.JOIN_ERROR, 'the stage was left'));
    if (this.#welcomed) this.host.emit(StageEvents.STAGE_LEFT, reason);
  }

  /** Resolves when the server goes by another token; taken is called before anything else happens. */
  exchange(token: string, claims: Claims, taken: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const exchange: Exchange = {
        token,
        done: (error) => {
          clearTimeout(late);
          this.#exchanges = this.#exchanges.filter((e) => e !== exchange);
          if (error) return reject(error);
          taken();
          this.#take(claims);
          this.host.emit(StageEvents.STAGE_PARTICIPANT_METADATA_CHANGED, this.#local);
          this.refresh();
          resolve();
        },
      };
      const late = setTimeout(() => exchange.done(exchangeFailed('the server did not answer')), exchangePatience);
      this.#exchanges.push(exchange);
      this.#socket?.send('EXCHANGE_TOKEN', { token });
    });
  }

  #message(message: ServerMessage): void {
    if (this.#over) return;
    switch (message.type) {
      case 'STAGE_STATE':
        return this.#roster(message.payload.participants);
      case 'PARTICIPANT_JOINED':
      case 'PARTICIPANT_UPDATED':
      case 'PARTICIPANT_PUBLISHED':
        return this.#see(message.payload);
      case 'PARTICIPANT_UNPUBLISHED':
        return this.#with(message.payload.id, (r) => this.#see({ ...r.view, ...nothing }));
      case 'PARTICIPANT_LEFT':
        return this.#with(message.payload.id, (r) => this.#forget(r));
      case 'MUTE_CHANGED':
        return this.#with(message.payload.id, (r) => this.#see({ ...r.view, ...message.payload }));
      case 'LAYERS_CHANGED':
        return this.#with(message.payload.id, (r) => this.#see({ ...r.view, layers: message.payload.layers }));
      case 'LAYER_SELECTED':
        return this.#with(message.payload.id, (r) => r.subscription.selected(message.payload.on ? message.payload.label : ''));
      case 'TOKEN_EXCHANGED':
        return this.#exchanges[0]?.done();
      case 'ERROR':
        return this.#refused(message.payload);
    }
  }

  #with(id: string, then: (remote: Remote) => void): void {
    const remote = this.#remotes.get(id);
    if (remote) then(remote);
  }

  /** Takes the whole list: who is not on it is not there. */
  #roster(views: ParticipantView[]): void {
    this.#welcome();
    const listed = new Set(views.map((v) => v.id));
    for (const remote of [...this.#remotes.values()]) if (!listed.has(remote.info.id)) this.#forget(remote);
    for (const view of views) this.#see(view);
  }

  #welcome(): void {
    if (this.#state === StageConnectionState.CONNECTED) return;
    const first = !this.#welcomed;
    this.#welcomed = true;
    this.#to(StageConnectionState.CONNECTED);
    if (first) this.host.emit(StageEvents.STAGE_PARTICIPANT_JOINED, this.#local);
    this.#settle.resolve();
    this.#tellMute();
    for (const { token } of this.#exchanges) this.#socket?.send('EXCHANGE_TOKEN', { token });
    for (const remote of this.#remotes.values()) remote.subscription.resync();
    this.refresh();
  }

  /** Takes what the server says of a participant. */
  #see(view: ParticipantView): void {
    if (view.id === this.#local.id || this.#over) return;
    const known = this.#remotes.get(view.id);
    if (known) {
      if (known.see(view)) this.#reconsider(known);
      return;
    }
    const remote: Remote = new Remote(view, {
      url: `${this.claims.whipUrl}/subscribe/${encodeURIComponent(view.id)}`,
      token: () => this.host.token(),
      turns: this.host.turns,
      say: (type, payload) => this.#socket?.send(type, payload),
      inBand: this.#inBand,
      emit: this.host.emit,
      reconsider: () => this.#reconsider(remote),
    });
    this.#remotes.set(view.id, remote);
    remote.enter();
    this.#reconsider(remote);
  }

  #forget(remote: Remote, ended = true): void {
    this.#remotes.delete(remote.info.id);
    remote.leave(ended);
  }

  #reconsider(remote: Remote): void {
    this.#ask(() => {
      if (this.#remotes.get(remote.info.id) === remote) this.#evaluate(remote);
    });
  }

  #ask(about: () => void): void {
    if (this.#asking) {
      this.#askAgain = true;
      return;
    }
    if (!this.#welcomed || this.#over) return;
    this.#asking = true;
    this.#askAgain = false;
    about();
    this.#asking = false;
    if (this.#askAgain) this.refresh();
  }

  #publish(): void {
    const strategy = this.host.strategy();
    const wanted = attempt(() => {
      if (!this.#local.capabilities.has('PUBLISH') || !strategy.shouldPublishParticipant(this.#local)) return [];
      return strategy.stageStreamsToPublish();
    });
    if (wanted && !this.#over) this.#publication.update(wanted);
  }

  #evaluate(remote: Remote): void {
    if (!this.#over) remote.evaluate(this.host.strategy(), this.#local);
  }

  #published(state: StageParticipantPublishState): void {
    const publishing = state === StageParticipantPublishState.PUBLISHED;
    const changed = publishing !== this.#local.isPublishing;
    this.#local.isPublishing = publishing;
    if (publishing) this.#tellMute();
    this.host.emit(StageEvents.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, this.#local, state);
    if (changed) for (const remote of this.#remotes.values()) this.#reconsider(remote);
  }

  #tellMute(): void {
    const { mute } = this.#publication;
    Object.assign(this.#local, mute);
    this.#socket?.send('MUTE', mute);
  }

  /** Takes the answer to a message that had no effect, or the end of a connection that broke a limit. */
  #refused({ code, message, request, id }: { code: string; message: string; request?: string; id?: string }): void {
    const details = { code };
    switch (request) {
      case 'EXCHANGE_TOKEN':
        return this.#exchanges[0]?.done(exchangeFailed(message, details));
      case 'PUBLISH':
        return this.#publication.fail(new StageError(StageErrorCode.FAILED, StageErrorCategory.PUBLISH_ERROR, message, details));
      case 'SUBSCRIBE':
        return this.#with(id ?? '', (r) =>
          r.subscription.fail(new StageError(StageErrorCode.FAILED, StageErrorCategory.SUBSCRIBE_ERROR, message, details)),
        );
      case 'SELECT_LAYER':
        return this.#with(id ?? '', (r) => r.subscription.video?.unavailable());
    }
  }

  #take({ userId, attributes, capabilities }: Claims): void {
    Object.assign(this.#local, { userId, attributes, capabilities });
  }

  #to(state: StageConnectionState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.host.emit(StageEvents.STAGE_CONNECTION_STATE_CHANGED, state);
  }
}

function exchangeFailed(message: string, details: Record<string, unknown> = {}): StageError {
  return new StageError(StageErrorCode.TOKEN_EXCHANGE_FAILED, StageErrorCategory.JOIN_ERROR, message, details);
}
