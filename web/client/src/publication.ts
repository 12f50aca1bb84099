import { LocalStageStreamEvents, StageErrorCategory, StageParticipantPublishState, StreamType } from './enums.js';
import type { StageError } from './errors.js';
import { type InBand, needsInsertableStreams, pass } from './in-band.js';
import { Link } from './link.js';
import type { LocalStageStream, SeiSink } from './local-stream.js';
import { withParameters } from './sdp.js';
import type { Tuning } from './session.js';
import { encodings } from './simulcast.js';
import type { Turns } from './turns.js';

export interface PublicationObserver {
  state(state: StageParticipantPublishState): void;
  added(streams: LocalStageStream[]): void;
  removed(streams: LocalStageStream[]): void;
  muted(stream: LocalStageStream): void;
  failed(error: StageError): void;
}

const defaultAudioBitrate = 64;

/** What this client publishes: by one link, for as long as anything is wanted. */
export class Publication {
  #streams: LocalStageStream[] = [];
  readonly #link: Link;
  #senders = new Map<StreamType, RTCRtpSender>(); // of the connection that was made last
  #sei?: SeiSink; // of the video's sender
  #swaps: Promise<void> = Promise.resolve(); // of tracks, one after the other
  #state = StageParticipantPublishState.NOT_PUBLISHED;

  constructor(
    url: string,
    token: () => string,
    turns: Turns,
    number: () => string,
    private readonly inBand: InBand,
    private readonly observer: PublicationObserver,
  ) {
    this.#link = new Link({
      endpoint: {
        url,
        category: StageErrorCategory.PUBLISH_ERROR,
        token,
        turns,
        headers: () => ({ 'Rivus-Publication': number() }),
      },
      build: () => ({ pc: this.#build(), tuning: tuning(this.#streams) }),
      opened: () => {},
      up: () => this.#to(StageParticipantPublishState.PUBLISHED),
      lost: () => this.#to(StageParticipantPublishState.ATTEMPTING_PUBLISH),
      failed: (error) => this.fail(error),
    });
  }

  get state(): StageParticipantPublishState {
    return this.#state;
  }

  /** What others are told of the tracks. */
  get mute(): { audioMuted: boolean; videoStopped: boolean } {
    const muted = (type: StreamType) => this.#streams.find((s) => s.streamType === type)?.isMuted ?? false;
    return { audioMuted: muted(StreamType.AUDIO), videoStopped: muted(StreamType.VIDEO) };
  }

  /** Publishes these streams and nothing else. After an error it tries anew. */
  update(wanted: LocalStageStream[]): void {
    const streams = firstOfEachKind(wanted);
    const before = this.#streams;
    const same = streams.length === before.length && streams.every((s) => before.includes(s));
    const errored = this.#state === StageParticipantPublishState.ERRORED;
    if (same && (!errored || streams.length === 0)) return;
    const removed = before.filter((s) => !streams.includes(s));
    const added = streams.filter((s) => !before.includes(s));
    this.#streams = streams;
    for (const stream of removed) this.#release(stream);
    if (removed.length > 0) this.observer.removed(removed);
    for (const stream of added) stream.on(LocalStageStreamEvents.LOCAL_STREAM_MUTE_CHANGED, this.#muted, this);
    if (added.length > 0) this.observer.added(added);
    if (this.#streams !== streams) return; // a listener wanted something else meanwhile
    if (streams.length === 0) this.#stop();
    else if (this.#link.active && form(streams) === form(before)) this.#exchange();
    else this.#link.connect();
  }

  /** Gives up, because the server has said so; update tries anew. */
  fail(error: StageError): void {
    this.discard();
    this.#to(StageParticipantPublishState.ERRORED);
    this.observer.failed(error);
  }

  /** Lets go of what the server has ended. */
  discard(): void {
    this.#link.discard();
    this.#senders.clear();
  }

  close(): void {
    this.update([]);
  }

  #stop(): void {
    this.#link.close();
    this.#senders.clear();
    this.#to(StageParticipantPublishState.NOT_PUBLISHED);
  }

  /** Makes a connection that sends the streams. */
  #build(): RTCPeerConnection {
    const inBand = this.#streams.some(usesInBand);
    const pc = new RTCPeerConnection({
      bundlePolicy: 'max-bundle',
      ...(inBand && needsInsertableStreams() && { encodedInsertableStreams: true }),
    } as RTCConfiguration);
    this.#senders.clear();
    for (const stream of this.#streams) {
      const transceiver = pc.addTransceiver(stream.mediaStreamTrack, {
        direction: 'sendonly',
        sendEncodings: encodingsOf(stream),
      });
      preferH264(transceiver, stream.streamType);
      this.#senders.set(stream.streamType, transceiver.sender);
      if (inBand) this.#prepare(stream, transceiver.sender);
      stream.attach(transceiver.sender);
    }
    return pc;
  }

  #prepare(stream: LocalStageStream, sender: RTCRtpSender): void {
    if (usesInBand(stream)) stream.attachSei((this.#sei = this.inBand.send(sender)));
    else pass(sender);
  }

  /** Puts other tracks into the connection that there is. What fails at that takes a new one. */
  #exchange(): void {
    for (const stream of this.#streams) {
      const sender = this.#senders.get(stream.streamType);
      if (!sender) continue;
      stream.attach(sender);
      if (usesInBand(stream)) stream.attachSei(this.#sei);
      const swap = this.#swaps.then(() => this.#replace(sender, stream));
      this.#swaps = swap.catch(() => {
        if (this.#sends(stream, sender)) this.#link.connect();
      });
    }
  }

  async #replace(sender: RTCRtpSender, stream: LocalStageStream): Promise<void> {
    if (!this.#sends(stream, sender) || sender.track === stream.mediaStreamTrack) return;
    await sender.replaceTrack(stream.mediaStreamTrack);
    const parameters = sender.getParameters();
    const wanted = encodingsOf(stream);
    parameters.encodings.forEach((encoding, i) => Object.assign(encoding, wanted[i]));
    await sender.setParameters(parameters);
  }

  /** Whether a stream is to be sent by this sender: it may be another one by now, or nothing is published any more. */
  #sends(stream: LocalStageStream, sender: RTCRtpSender): boolean {
    return this.#streams.includes(stream) && this.#senders.get(stream.streamType) === sender;
  }

  #release(stream: LocalStageStream): void {
    stream.off(LocalStageStreamEvents.LOCAL_STREAM_MUTE_CHANGED, this.#muted, this);
    stream.attachSei(undefined);
    stream.cleanup();
  }

  #muted(stream: LocalStageStream): void {
    this.observer.muted(stream);
  }

  #to(state: StageParticipantPublishState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.observer.state(state);
  }
}

function firstOfEachKind(streams: LocalStageStream[]): LocalStageStream[] {
  return [StreamType.AUDIO, StreamType.VIDEO].flatMap((type) => streams.find((s) => s.streamType === type) ?? []);
}

function usesInBand(stream: LocalStageStream): boolean {
  return stream.streamType === StreamType.VIDEO && stream.mediaConfig.inBandMessaging?.enabled === true;
}

/** What cannot be changed without a new connection. */
function form(streams: LocalStageStream[]): string {
  return streams
    .map((s) => [s.streamType, encodingsOf(s).map((e) => e.rid), usesInBand(s), s.mediaConfig.stereo, s.mediaConfig.minBitrate])
    .join(';');
}

function encodingsOf(stream: LocalStageStream): RTCRtpEncodingParameters[] {
  const { mediaConfig, mediaStreamTrack, streamType } = stream;
  if (streamType === StreamType.VIDEO) return encodings(mediaStreamTrack.getSettings(), mediaConfig);
  return [{ maxBitrate: (mediaConfig.maxAudioBitrateKbps ?? defaultAudioBitrate) * 1000 }];
}

/** The server takes the first codec of an offer that it carries. */
function preferH264(transceiver: RTCRtpTransceiver, type: StreamType): void {
  const codecs = type === StreamType.VIDEO ? RTCRtpReceiver.getCapabilities?.('video')?.codecs : undefined;
  if (!codecs || !transceiver.setCodecPreferences) return;
  const first = codecs.filter((c) => /H264/i.test(c.mimeType) && /packetization-mode=1/.test(c.sdpFmtpLine ?? ''));
  transceiver.setCodecPreferences([...first, ...codecs.filter((c) => !first.includes(c))]);
}

/** Stereo is asked for in both descriptions; the lowest rate of video only Chromium knows, and only there. */
function tuning(streams: LocalStageStream[]): Tuning {
  const { stereo } = streams.find((s) => s.streamType === StreamType.AUDIO)?.mediaConfig ?? {};
  const { minBitrate } = streams.find((s) => s.streamType === StreamType.VIDEO)?.mediaConfig ?? {};
  const withStereo = (sdp: string) => (stereo ? withParameters(sdp, 'opus', { stereo: 1, 'sprop-stereo': 1 }) : sdp);
  return {
    offer: withStereo,
    answer: (sdp) => withParameters(withStereo(sdp), 'H264', minBitrate ? { 'x-google-min-bitrate': minBitrate } : {}),
  };
}
