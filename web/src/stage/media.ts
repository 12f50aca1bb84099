import { DeviceError, type Kind, open, openBoth, openScreen } from './devices';
import type { Own } from './room';
import type { Memory } from './ticket';

/** Whom Media tells. */
export interface MediaListener {
  changed(): void;
  notice(text: string): void;
}

/** Media holds the tracks of this browser's devices. */
export class Media {
  camera?: MediaStreamTrack;
  microphone?: MediaStreamTrack;
  screen?: MediaStreamTrack;
  /** Whether a device is starting. */
  readonly starting = new Set<Kind>();
  /** Why a device gives nothing. */
  readonly problems = new Map<Kind, string>();

  constructor(private readonly listener: MediaListener) {}

  /** startBoth opens camera and microphone; when not both can be had it tries each by itself. */
  async startBoth(): Promise<void> {
    this.starting.add('camera').add('microphone');
    this.listener.changed();
    const both = await openBoth();
    if (both) {
      this.#take('camera', both.camera);
      this.#take('microphone', both.microphone);
      this.starting.clear();
      this.listener.changed();
    } else await Promise.all([this.start('camera'), this.start('microphone')]);
  }

  /** start opens a device, in the place of the one that is open. What is in its way is found in problems. */
  async start(kind: Kind, id?: string): Promise<void> {
    this.starting.add(kind);
    this.problems.delete(kind);
    this.listener.changed();
    try {
      this.#take(kind, await open(kind, id));
    } catch (error) {
      this.problems.set(kind, error instanceof DeviceError ? error.message : String(error));
    }
    this.starting.delete(kind);
    this.listener.changed();
  }

  stop(kind: Kind | 'screen'): void {
    this[kind]?.stop();
    this[kind] = undefined;
    this.listener.changed();
  }

  stopAll(): void {
    for (const kind of ['camera', 'microphone', 'screen'] as const) {
      this[kind]?.stop();
      this[kind] = undefined;
    }
  }

  async shareScreen(): Promise<void> {
    try {
      this.screen = await openScreen();
      if (this.screen) this.screen.onended = () => this.stop('screen');
    } catch (error) {
      this.listener.notice(error instanceof DeviceError ? error.message : String(error));
    }
    this.listener.changed();
  }

  /** memory is what restore needs after a reload. */
  memory(own: Own): Omit<Memory, 'token' | 'joined'> {
    return {
      camera: this.camera?.getSettings().deviceId,
      microphone: this.microphone?.getSettings().deviceId,
      cameraOff: own.camera?.isMuted,
      microphoneOff: own.microphone?.isMuted,
    };
  }

  /** restore starts the devices that were in use. One that was switched off stays so until it is asked for. */
  async restore(memory: Memory): Promise<void> {
    const wanted: [Kind, string | undefined, boolean | undefined][] = [
      ['camera', memory.camera, memory.cameraOff],
      ['microphone', memory.microphone, memory.microphoneOff],
    ];
    await Promise.all(wanted.map(async ([kind, id, off]) => id && !off && this.start(kind, id)));
    for (const problem of this.problems.values()) this.listener.notice(problem);
  }

  #take(kind: Kind, track: MediaStreamTrack): void {
    this[kind]?.stop();
    this[kind] = track;
    track.onended = () => {
      this.listener.notice(`Your ${kind} was unplugged or switched off.`);
      this.stop(kind);
    };
  }
}
