import {
  LocalStageStream,
  RemoteStageStream,
  Stage,
  StageConnectionState,
  StageError,
  StageErrorCategory,
  StageErrorCode,
  StageEvents,
  type StageLeftReason,
  type StageParticipantInfo,
  StageParticipantPublishState,
  StageParticipantSubscribeState,
  type StageStreamLayer,
  StreamType,
  SubscribeType,
} from '@rivus/web';
import { type Ending, endingOf, trouble } from './endings';
import { type Reading, Readout } from './readings';
import { Sound } from './sound';

type Stream = LocalStageStream | RemoteStageStream;

/** Person is a participant as the page shows it. */
export interface Person {
  readonly info: StageParticipantInfo;
  /** The user id, or the participant id when there is none. */
  readonly name: string;
  audio?: Stream;
  video?: Stream;
  /** Its sound and picture are about to come; one's own, to go. */
  connecting: boolean;
  speaking: boolean;
  /** Receive no video of this participant. */
  audioOnly: boolean;
  /** Label of the layer to receive; empty leaves it to the network. */
  pinned: string;
  /** Simulcast layers, lowest first. */
  layers: StageStreamLayer[];
  reading?: Reading;
  readonly readout: Readout;
}

/** What of this browser is on the stage. A screen takes the place of the camera. */
export interface Own {
  camera?: LocalStageStream;
  microphone?: LocalStageStream;
  screen?: LocalStageStream;
}

/** Whom a Room tells. */
export interface RoomListener {
  /** Anything that the page shows is different. */
  changed(): void;
  notice(text: string): void;
  ended(ending: Ending): void;
}

const readEvery = 1000; // ms

/** Room is one stay on a stage: who is there, what is published, and the wishes of the person in front of the page. */
export class Room {
  readonly people = new Map<string, Person>();
  readonly own: Own = {};
  connection = StageConnectionState.DISCONNECTED;
  soundBlocked = false;
  readonly #stage: Stage;
  readonly #sound: Sound;
  readonly #timer: number;
  #error?: StageError;
  #over = false;

  /** Throws a StageError for what is no token. */
  constructor(
    token: string,
    private readonly listener: RoomListener,
  ) {
    this.#stage = new Stage(token, {
      stageStreamsToPublish: () => this.#published(),
      shouldPublishParticipant: () => true,
      shouldSubscribeToParticipant: ({ id }) => (this.people.get(id)?.audioOnly ? SubscribeType.AUDIO_ONLY : SubscribeType.AUDIO_VIDEO),
      preferredLayerForStream: ({ id }) => this.people.get(id)?.pinned,
    });
    this.#sound = new Sound({
      blocked: (blocked) => {
        this.soundBlocked = blocked;
        this.#changed();
      },
      speaking: (id, speaking) => this.#with(id, (p) => (p.speaking = speaking)),
    });
    this.#timer = window.setInterval(() => void this.#read(), readEvery);
    this.#listen();
  }

  /** join connects; how it ends is told by the listener. */
  join(): void {
    void this.#stage.join().catch((error: unknown) => this.#end(endingOf(error as StageError)));
  }

  /** leave ends the stay without a word. The tracks go on. */
  leave(): void {
    this.#over = true;
    this.#close();
    this.#stage.leave();
  }

  /** use publishes these tracks from now on, and nothing in the place of those that are undefined. */
  use(tracks: { camera?: MediaStreamTrack; microphone?: MediaStreamTrack; screen?: MediaStreamTrack }): void {
    const { own } = this;
    own.camera = renew(own.camera, tracks.camera, (track) => new LocalStageStream(track, { simulcast: { enabled: true } }));
    own.microphone = renew(own.microphone, tracks.microphone, (track) => new LocalStageStream(track));
    own.screen = renew(own.screen, tracks.screen, (track) => new LocalStageStream(track, { maxBitrate: 2500 }));
    this.#stage.refreshStrategy();
    this.#changed();
  }

  /** mute stops or resumes one of the own streams. */
  mute(kind: keyof Own, muted: boolean): void {
    this.own[kind]?.setMuted(muted);
    this.#changed();
  }

  /** pin asks for one layer of a participant's video; "" leaves it to the network. */
  pin(person: Person, label: string): void {
    person.pinned = label;
    this.#stage.refreshStrategy();
    this.#changed();
  }

  listenOnly(person: Person, audioOnly: boolean): void {
    person.audioOnly = audioOnly;
    this.#stage.refreshStrategy();
    this.#changed();
  }

  /** unblockSound plays what the browser has held back; it has to be called from a click. */
  unblockSound(): void {
    void this.#sound.unblock();
  }

  #published(): LocalStageStream[] {
    const { camera, microphone, screen } = this.own;
    return [screen ?? camera, microphone].filter((s) => s !== undefined);
  }

  #listen(): void {
    const on = this.#stage.on.bind(this.#stage);
    on(StageEvents.STAGE_CONNECTION_STATE_CHANGED, (state) => {
      this.connection = state;
      this.#changed();
    });
    on(StageEvents.STAGE_PARTICIPANT_JOINED, (info) => {
      this.people.set(info.id, newPerson(info));
      this.#changed();
    });
    on(StageEvents.STAGE_PARTICIPANT_LEFT, ({ id }) => {
      this.people.delete(id);
      this.#sound.set(id, undefined);
      this.#changed();
    });
    on(StageEvents.STAGE_PARTICIPANT_STREAMS_ADDED, ({ id }, streams) => this.#with(id, (p) => streams.forEach((s) => this.#add(p, s))));
    on(StageEvents.STAGE_PARTICIPANT_STREAMS_REMOVED, ({ id }, streams) =>
      this.#with(id, (p) => streams.forEach((s) => this.#remove(p, s))),
    );
    on(StageEvents.STAGE_PARTICIPANT_SUBSCRIBE_STATE_CHANGED, ({ id }, state) =>
      this.#with(id, (p) => (p.connecting = state === StageParticipantSubscribeState.ATTEMPTING_SUBSCRIBE)),
    );
    on(StageEvents.STAGE_PARTICIPANT_PUBLISH_STATE_CHANGED, ({ id, isLocal }, state) =>
      this.#with(id, (p) => {
        if (isLocal) p.connecting = state === StageParticipantPublishState.ATTEMPTING_PUBLISH;
        readLayers(p);
      }),
    );
    const look = ({ id }: StageParticipantInfo) => this.#with(id, readLayers);
    on(StageEvents.STAGE_PARTICIPANT_METADATA_CHANGED, look);
    on(StageEvents.STAGE_STREAM_MUTE_CHANGED, look);
    on(StageEvents.STAGE_STREAM_LAYERS_CHANGED, look);
    on(StageEvents.STAGE_STREAM_LAYER_SELECTED, look);
    on(StageEvents.ERROR, (error) => {
      if (error.category === StageErrorCategory.JOIN_ERROR) this.#error = error;
      else this.listener.notice(trouble(error));
      if (error.code === StageErrorCode.CODEC_MISMATCH) this.#hear(error.details['participantId'] as string);
    });
    on(StageEvents.STAGE_LEFT, (reason: StageLeftReason) => this.#end(endingOf(this.#error, reason)));
  }

  #add(person: Person, stream: Stream): void {
    if (stream.streamType === StreamType.VIDEO) person.video = stream;
    else {
      person.audio = stream;
      this.#sound.set(person.info.id, stream.mediaStreamTrack, !person.info.isLocal);
    }
    readLayers(person);
  }

  #remove(person: Person, stream: Stream): void {
    if (person.video === stream) person.video = undefined;
    if (person.audio !== stream) return;
    person.audio = undefined;
    this.#sound.set(person.info.id, undefined);
  }

  /** Asks for the sound alone of a participant whose video this browser cannot show. */
  #hear(id: string): void {
    const person = this.people.get(id);
    if (person && !person.audioOnly) this.listenOnly(person, true);
  }

  /** Reads the statistics of everybody. */
  async #read(): Promise<void> {
    await Promise.all(
      [...this.people.values()].map(async (person) => {
        const reports = await Promise.all([person.video?.requestRTCStats(), person.audio?.requestRTCStats()]);
        person.reading = person.readout.read(reports.filter((r) => r !== undefined));
        readLayers(person);
      }),
    );
    this.#changed();
  }

  #with(id: string, change: (person: Person) => void): void {
    const person = this.people.get(id);
    if (!person) return;
    change(person);
    this.#changed();
  }

  #changed(): void {
    if (!this.#over) this.listener.changed();
  }

  #end(ending: Ending): void {
    if (this.#over) return;
    this.#over = true;
    this.#close();
    this.listener.ended(ending);
  }

  #close(): void {
    window.clearInterval(this.#timer);
    this.#sound.close();
  }
}

function newPerson(info: StageParticipantInfo): Person {
  return {
    info,
    get name() {
      return info.userId || info.id;
    },
    connecting: false,
    speaking: false,
    audioOnly: false,
    pinned: '',
    layers: [],
    readout: new Readout(),
  };
}

function readLayers(person: Person): void {
  person.layers = person.video instanceof RemoteStageStream ? person.video.getLayers() : [];
}

/** Keeps the stream of a track that is the same as before. */
function renew(
  before: LocalStageStream | undefined,
  track: MediaStreamTrack | undefined,
  make: (track: MediaStreamTrack) => LocalStageStream,
): LocalStageStream | undefined {
  if (!track) return undefined;
  return before?.mediaStreamTrack === track ? before : make(track);
}
