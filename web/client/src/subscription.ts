import {
  InitialLayerPreference,
  StageErrorCategory,
  StageErrorCode,
  StageParticipantSubscribeState,
  StreamType,
  SubscribeType,
} from './enums.js';
import type { StageError } from './errors.js';
import { type InBand, needsInsertableStreams, pass } from './in-band.js';
import { Link } from './link.js';
import type { Participant } from './participant.js';
import type { LayerView, Say } from './protocol.js';
import { RemoteStageStream } from './remote-stream.js';
import { withParameters } from './sdp.js';
import type { SeiMessage } from './sei.js';
import type { SubscribeConfiguration } from './strategy.js';
import type { Turns } from './turns.js';

export interface SubscriptionObserver {
  state(state: StageParticipantSubscribeState): void;
  added(streams: RemoteStageStream[]): void;
  removed(streams: RemoteStageStream[]): void;
  sei(message: SeiMessage): void;
  failed(error: StageError): void;
}

/** What is to be received of a participant, and how. */
export interface Wish {
  type: SubscribeType;
  config: SubscribeConfiguration;
  /** Whether this client publishes too: then received media is not held back. */
  publishing: boolean;
}

/** What a participant offers. */
export interface Offered {
  audio: boolean;
  video: boolean;
}

const climb = 3000; // ms for which the highest layer is asked for at first

/**
 * What this client receives of one participant. Video that is not wanted now is paused at the server, so that it comes
 * back without a new connection.
 */
export class Subscription {
  #wish: Wish = { type: SubscribeType.NONE, config: {}, publishing: false };
  #offered: Offered = { audio: false, video: false };
  #asked: Offered = { audio: false, video: false }; // of the connection; once it is there, what it has
  #audioAlone = false; // the video's codec is none of ours
  readonly #link: Link;
  #pc?: RTCPeerConnection;
  #received = new Map<StreamType, RemoteStageStream>();
  #shown: RemoteStageStream[] = [];
  #state = StageParticipantSubscribeState.NOT_SUBSCRIBED;
  #layers: LayerView[] = [];
  #selected = '';
  #preferred = '';
  #climbUntil = 0; // when the network alone decides
  #paused = false; // the video, as the server was told
  #told?: string; // the layer, as the server was told

  constructor(
    url: string,
    token: () => string,
    turns: Turns,
    private readonly participant: Participant,
    private readonly inBand: InBand,
    private readonly say: Say,
    private readonly observer: SubscriptionObserver,
  ) {
    const stereo = { offer: (sdp: string) => withParameters(sdp, 'opus', { stereo: 1 }) };
    this.#link = new Link({
      endpoint: { url, category: StageErrorCategory.SUBSCRIBE_ERROR, token, turns },
      build: () => ({ pc: this.#build(), tuning: stereo }),
      opened: (pc) => this.#opened(pc),
      up: () => this.#to(StageParticipantSubscribeState.SUBSCRIBED),
      lost: () => this.#to(StageParticipantSubscribeState.ATTEMPTING_SUBSCRIBE),
      failed: (error) => this.#failed(error),
    });
  }

  /** The stream of the video, while it is received. */
  get video(): RemoteStageStream | undefined {
    return this.#shown.find((s) => s.streamType === StreamType.VIDEO);
  }

  get streams(): readonly RemoteStageStream[] {
    return this.#shown;
  }

  /** Receives what is wanted of what is offered. After an error it tries anew. */
  update(wish: Wish, offered: Offered): void {
    if (offered.video && !this.#offered.video) this.#audioAlone = false;
    this.#wish = wish;
    this.#offered = offered;
    const asked = this.#needs();
    if (!offered.audio && !offered.video) return this.#stop(true);
    if (!asked.audio && !asked.video) return this.#stop();
    const covered = this.#link.active && (!asked.audio || this.#asked.audio) && (!asked.video || this.#asked.video);
    if (covered) this.#apply();
    else this.#start();
  }

  /** Tells the server again what it may have missed. */
  resync(): void {
    if (!this.#pc) return;
    this.#pause();
    this.#told = undefined;
    this.#select();
  }

  /** Takes what the server says of the layers. */
  layers(layers: LayerView[]): void {
    this.#layers = layers;
    this.video?.setLayers(layers);
    this.#select();
  }

  /** Takes which layer the server sends. */
  selected(label: string): void {
    this.#selected = label;
    this.video?.setSelected(label);
    if (label === this.#highest()) this.#climbUntil = 0;
    this.#select();
  }

  /** Asks for one layer, by its label; "" leaves it to the network. */
  prefer(label: string): void {
    if (label === this.#preferred) return;
    this.#preferred = label;
    this.#climbUntil = 0;
    this.video?.setPreferred(label);
    if (!this.#has(label)) this.video?.unavailable();
    this.#select();
  }

  /** Gives up, because the server has said so; update tries anew. */
  fail(error: StageError): void {
    this.#drop(true);
    this.#to(StageParticipantSubscribeState.ERRORED);
    error.details['participantId'] = this.participant.id;
    this.observer.failed(error);
  }

  /** Ends; ended says that the server has done that already. */
  close(ended: boolean): void {
    this.#stop(ended);
  }

  /** What the connection has to have: also a video that is paused. */
  #needs(): Offered {
    const { type } = this.#wish;
    const { audio, video } = this.#offered;
    if (type === SubscribeType.AUDIO_VIDEO) return { audio, video };
    if (type === SubscribeType.NONE || !audio) return { audio: false, video: false };
    return { audio, video: video && !this.#audioAlone };
  }

  /** Connects anew. What is received goes on until the new connection is there. */
  #start(): void {
    this.#asked = this.#needs();
    this.#link.connect();
  }

  #build(): RTCPeerConnection {
    this.#asked = this.#needs();
    this.#selected = '';
    const inBand = this.#asked.video && this.#wish.config.inBandMessaging?.enabled === true;
    const pc = new RTCPeerConnection({
      bundlePolicy: 'max-bundle',
      ...(inBand && needsInsertableStreams() && { encodedInsertableStreams: true }),
    } as RTCConfiguration);
    for (const kind of ['audio', 'video'] as const) {
      if (!this.#asked[kind]) continue;
      const { receiver } = pc.addTransceiver(kind, { direction: 'recvonly' });
      if (inBand && kind === 'video') this.inBand.receive(receiver, (message) => this.#pc === pc && this.observer.sei(message));
      else if (inBand) pass(receiver);
    }
    return pc;
  }

  /** Takes the tracks of a new connection in the place of those of the one before. */
  #opened(pc: RTCPeerConnection): void {
    this.#pc = pc;
    this.#forget();
    for (const { receiver, currentDirection } of pc.getTransceivers()) {
      if (currentDirection !== 'recvonly') continue;
      const stream = new RemoteStageStream(receiver.track, this.participant);
      stream.attach(receiver);
      this.#received.set(stream.streamType, stream);
    }
    this.#asked = { audio: this.#received.has(StreamType.AUDIO), video: this.#received.has(StreamType.VIDEO) };
    const highest = this.#wish.config.simulcast?.initialLayerPreference === InitialLayerPreference.HIGHEST_QUALITY;
    this.#climbUntil = highest && !this.#preferred ? performance.now() + climb : 0;
    this.#told = '';
    this.#paused = false;
    this.#apply();
    this.#select();
  }

  /** Makes what is shown and played what is wanted. */
  #apply(): void {
    if (!this.#pc) return;
    const { type, config, publishing } = this.#wish;
    const delay = config.jitterBuffer?.minDelay || null;
    for (const { receiver } of this.#pc.getTransceivers()) receiver.jitterBufferTarget = publishing ? null : delay;
    const watching = type === SubscribeType.AUDIO_VIDEO;
    if (this.#asked.video && watching === this.#paused) this.#pause();
    this.#show([...this.#received.values()].filter((s) => watching || s.streamType === StreamType.AUDIO));
  }

  /** Says whether the server is to send the video. */
  #pause(): void {
    this.#paused = this.#wish.type !== SubscribeType.AUDIO_VIDEO;
    this.say('PAUSE', { id: this.participant.id, audio: false, video: this.#paused });
  }

  #show(streams: RemoteStageStream[]): void {
    const removed = this.#shown.filter((s) => !streams.includes(s));
    const added = streams.filter((s) => !this.#shown.includes(s));
    this.#shown = streams;
    if (removed.length > 0) this.observer.removed(removed);
    if (added.length > 0 && this.#shown === streams) this.observer.added(added);
    for (const stream of added) {
      if (stream !== this.video) continue;
      stream.setPreferred(this.#preferred);
      stream.setLayers(this.#layers);
      stream.setSelected(this.#selected);
    }
  }

  /** Tells the server which layer is wanted, once there is one of that name. Lists of layers come every second. */
  #select(): void {
    const wanted = performance.now() < this.#climbUntil ? this.#highest() : this.#preferred;
    const layer = this.#has(wanted) ? wanted : '';
    if (!this.#pc || layer === this.#told) return;
    this.#told = layer;
    this.say('SELECT_LAYER', { id: this.participant.id, layer });
  }

  #has(label: string): boolean {
    return label === '' || this.#layers.some((l) => l.label === label);
  }

  #highest(): string {
    return this.#layers.findLast((l) => l.bitrate > 0)?.label ?? this.#layers.at(-1)?.label ?? '';
  }

  #failed(error: StageError): void {
    if (error.code === StageErrorCode.CODEC_MISMATCH && this.#wish.type === SubscribeType.AUDIO_ONLY && this.#asked.video) {
      this.#audioAlone = true;
      return this.#start();
    }
    this.fail(error);
  }

  #stop(ended = false): void {
    this.#asked = { audio: false, video: false };
    this.#drop(ended);
    this.#to(StageParticipantSubscribeState.NOT_SUBSCRIBED);
  }

  #drop(ended: boolean): void {
    if (ended) this.#link.discard();
    else this.#link.close();
    this.#pc = undefined;
    this.#paused = false;
    this.#forget();
    this.#show([]);
  }

  #forget(): void {
    for (const stream of this.#received.values()) stream.cleanup();
    this.#received.clear();
  }

  #to(state: StageParticipantSubscribeState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.observer.state(state);
  }
}
