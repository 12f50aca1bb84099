import { attempt } from './emitter.js';
import { RemoteStageStreamEvents, StageEvents, StageParticipantPublishState, StreamType, SubscribeType } from './enums.js';
import type { InBand } from './in-band.js';
import { Participant } from './participant.js';
import type { ParticipantView, Say } from './protocol.js';
import { layerForm, type RemoteStageStream } from './remote-stream.js';
import type { Emit } from './stage-events.js';
import type { StageStrategy } from './strategy.js';
import { Subscription } from './subscription.js';
import type { Turns } from './turns.js';

/** What a Remote needs. */
export interface Means {
  /** Where to subscribe to the participant. */
  url: string;
  token(): string;
  turns: Turns;
  say: Say;
  inBand: InBand;
  emit: Emit;
  /** There is something new to ask the strategy about. */
  reconsider(): void;
}

/** Another participant: what the server says of it, what is received of it, and the events about it. */
export class Remote {
  readonly info: Participant;
  readonly subscription: Subscription;

  constructor(
    public view: ParticipantView,
    private readonly means: Means,
  ) {
    const { url, token, turns, inBand, say, emit } = means;
    const info = (this.info = new Participant(view.id, false));
    this.#take();
    this.subscription = new Subscription(url, token, turns, info, inBand, say, {
      state: (state) => emit(StageEvents.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED, info, state),
      added: (streams) => this.#added(streams),
      removed: (streams) => emit(StageEvents.STAGE_PARTICIPANT_STREAMS_REMOVED, info, streams),
      sei: (message) => emit(StageEvents.STAGE_STREAM_SEI_MESSAGE_RECEIVED, info, message),
      failed: (error) => emit(StageEvents.ERROR, error),
    });
  }

  /** Tells that the participant is there. */
  enter(): void {
    this.means.emit(StageEvents.STAGE_PARTICIPANT_JOINED, this.info);
    if (this.info.isPublishing) this.#tellPublishing();
    this.subscription.layers(this.view.layers ?? []);
  }

  /** Tells that the participant is not there any more; ended says that it has left, and not this client. */
  leave(ended: boolean): void {
    this.subscription.close(ended);
    this.means.emit(StageEvents.STAGE_PARTICIPANT_LEFT, this.info);
  }

  /** Takes what the server says now; true when the strategy may want something else than before. */
  see(view: ParticipantView): boolean {
    const { info, means } = this;
    const { isPublishing, audioMuted, videoStopped } = info;
    const before = { ...this.view, isPublishing, audioMuted, videoStopped };
    this.view = view;
    this.#take();
    const metadata = before.userId !== view.userId || !equal(before.attributes, view.attributes);
    if (metadata) means.emit(StageEvents.STAGE_PARTICIPANT_METADATA_CHANGED, info);
    if (before.isPublishing !== info.isPublishing) this.#tellPublishing();
    if (before.audioMuted !== info.audioMuted) this.#tellMuted(StreamType.AUDIO);
    if (before.videoStopped !== info.videoStopped) this.#tellMuted(StreamType.VIDEO);
    const layers = layerForm(before.layers ?? []) !== layerForm(view.layers ?? []);
    this.subscription.layers(view.layers ?? []);
    const offered = before.hasAudio !== view.hasAudio || before.hasVideo !== view.hasVideo;
    return metadata || offered || layers || before.isPublishing !== info.isPublishing;
  }

  /** Asks the strategy, and does what it wants. */
  evaluate(strategy: StageStrategy, local: Participant): void {
    const { info, view, subscription } = this;
    const wish = attempt(() => ({
      type: local.capabilities.has('SUBSCRIBE') ? strategy.shouldSubscribeToParticipant(info) : SubscribeType.NONE,
      config: strategy.subscribeConfiguration?.(info) ?? {},
      publishing: local.isPublishing,
    }));
    if (!wish) return;
    const on = view.isPublishing === true;
    subscription.update(wish, { audio: on && view.hasAudio === true, video: on && view.hasVideo === true });
    const { video } = subscription;
    if (!video || !strategy.preferredLayerForStream) return;
    const preferred = attempt(() => strategy.preferredLayerForStream!(info, video) ?? '');
    if (preferred !== undefined) subscription.prefer(typeof preferred === 'string' ? preferred : preferred.label);
  }

  #take(): void {
    const { userId = '', attributes = {}, isPublishing = false, audioMuted = false, videoStopped = false } = this.view;
    Object.assign(this.info, { userId, attributes, isPublishing, audioMuted, videoStopped });
  }

  #added(streams: RemoteStageStream[]): void {
    const { info, means } = this;
    for (const stream of streams) {
      stream.on(RemoteStageStreamEvents.ADAPTION_CHANGED, (adapting) =>
        means.emit(StageEvents.STAGE_STREAM_ADAPTION_CHANGED, info, stream, adapting),
      );
      stream.on(RemoteStageStreamEvents.LAYERS_CHANGED, (layers) =>
        means.emit(StageEvents.STAGE_STREAM_LAYERS_CHANGED, info, stream, layers),
      );
      stream.on(RemoteStageStreamEvents.LAYER_SELECTED, (layer, reason) =>
        means.emit(StageEvents.STAGE_STREAM_LAYER_SELECTED, info, stream, layer, reason),
      );
    }
    means.emit(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, info, streams);
    means.reconsider(); // the layer of a new video
  }

  #tellPublishing(): void {
    const state = this.info.isPublishing ? StageParticipantPublishState.PUBLISHED : StageParticipantPublishState.NOT_PUBLISHED;
    this.means.emit(StageEvents.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, this.info, state);
  }

  #tellMuted(type: StreamType): void {
    const stream = this.subscription.streams.find((s) => s.streamType === type);
    if (stream) this.means.emit(StageEvents.STAGE_STREAM_MUTE_CHANGED, this.info, stream);
  }
}

function equal(a: Record<string, string> = {}, b: Record<string, string> = {}): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
