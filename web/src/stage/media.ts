import { available, DeviceError, type Kind, open, openBoth, openScreen } from './devices';
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
  readonly #ids: Partial<Record<Kind, string>> = {}; // of the devices that were used last
  #round = 0; // what was asked for before stopAll comes too late

  constructor(private readonly listener: MediaListener) {}

  /** startBoth opens camera and microphone, told as one change; when not both can be had it tries each by itself. */
  async startBoth(): Promise<void> {
    if (!available()) return;
    const round = this.#round;
    this.starting.add('camera').add('microphone');
    this.listener.changed();
    const both = await openBoth(this.#ids);
    if (both) {
      this.#take('camera', both.camera, round);
      this.#take('microphone', both.microphone, round);
      this.listener.changed();
    } else if (round === this.#round) await Promise.all([this.start('camera'), this.start('microphone')]);
  }

  /** start opens a device, in the place of the one that is open. What is in its way is found in problems. */
  async start(kind: Kind, id = this.#ids[kind]): Promise<void> {
    const round = this.#round;
    this.starting.add(kind);
    this.problems.delete(kind);
    this.listener.changed();
    try {
      this.#take(kind, await open(kind, id), round);
    } catch (error) {
      if (round !== this.#round) return;
      this.starting.delete(kind);
      this.problems.set(kind, error instanceof DeviceError ? error.message : String(error));
    }
    this.listener.changed();
  }

  stop(kind: Kind | 'screen'): void {
    this[kind]?.stop();
    this[kind] = undefined;
    this.listener.changed();
  }

  stopAll(): void {
    this.#round++;
    this.starting.clear();
    for (const kind of ['camera', 'microphone', 'screen'] as const) {
      this[kind]?.stop();
      this[kind] = undefined;
    }
  }

  async shareScreen(): Promise<void> {
    const round = this.#round;
    try {
      const screen = await openScreen();
      if (screen && round !== this.#round) return screen.stop();
      this.screen = screen;
      if (screen) screen.onended = () => this.stop('screen');
    } catch (error) {
      this.listener.notice(error instanceof DeviceError ? error.message : String(error));
    }
    this.listener.changed();
  }

  /** memory is what restore needs after a reload. A device that is starting counts as one that is on. */
  memory(own: Own): Omit<Memory, 'token' | 'joined'> {
    const off = (kind: Kind) => own[kind]?.isMuted ?? (!this[kind] && !this.starting.has(kind));
    const { camera, microphone } = this.#ids;
    return { camera, microphone, cameraOff: off('camera'), microphoneOff: off('microphone') };
  }

  /**
   * restore starts the devices that were in use, both as one change. One that was switched off stays so until it is asked
   * for.
   */
  async restore({ camera, microphone, cameraOff, microphoneOff }: Memory): Promise<void> {
    Object.assign(this.#ids, { camera, microphone });
    const [picture, voice] = [camera && !cameraOff, microphone && !microphoneOff];
    if (picture && voice) await this.startBoth();
    else if (picture) await this.start('camera');
    else if (voice) await this.start('microphone');
    if (this.problems.size > 0) this.listener.notice([...this.problems.values()].join(' '));
  }

  #take(kind: Kind, track: MediaStreamTrack, round: number): void {
    if (round !== this.#round) return track.stop();
    this.starting.delete(kind);
    this[kind]?.stop();
    this[kind] = track;
    this.#ids[kind] = track.getSettings().deviceId;
    track.onended = () => {
      this.listener.notice(`Your ${kind} was unplugged or switched off.`);
      this.stop(kind);
    };
  }
}
