/** Whom Sound tells. */
export interface SoundListener {
  /** The browser plays no sound before somebody has clicked. */
  blocked(blocked: boolean): void;
  speaking(id: string, speaking: boolean): void;
}

interface Voice {
  track: MediaStreamTrack;
  element?: HTMLAudioElement;
  source: MediaStreamAudioSourceNode;
  meter: AnalyserNode;
  heardAt: number;
}

/** After a reload nothing can be measured before the first of these: browsers let an AudioContext run only then. */
const gestures = ['pointerdown', 'keydown'] as const;

const lookEvery = 120; // ms
const loud = 0.02; // root mean square; speech is around 0.1
const hold = 500; // ms for which somebody who was heard counts as speaking

/** Sound plays the voices of others and tells who is speaking. */
export class Sound {
  readonly #voices = new Map<string, Voice>();
  readonly #speaking = new Set<string>();
  readonly #context = new AudioContext();
  readonly #timer: number;
  readonly #wake = () => void (this.#context.state === 'suspended' && this.#context.resume());
  #blocked = false;

  constructor(private readonly listener: SoundListener) {
    this.#timer = window.setInterval(() => this.#look(), lookEvery);
    for (const gesture of gestures) window.addEventListener(gesture, this.#wake);
  }

  /** set gives somebody a voice, or takes it away. A voice that is not to be heard, as one's own, is only watched. */
  set(id: string, track: MediaStreamTrack | undefined, heard = true): void {
    if (this.#voices.get(id)?.track === track) return;
    this.#drop(id);
    if (!track) return;
    const stream = new MediaStream([track]);
    const source = this.#context.createMediaStreamSource(stream);
    const meter = this.#context.createAnalyser();
    meter.fftSize = 512;
    source.connect(meter);
    const voice: Voice = { track, source, meter, heardAt: -hold };
    this.#voices.set(id, voice);
    if (!heard) return;
    voice.element = new Audio();
    voice.element.srcObject = stream;
    void this.#play(voice.element);
  }

  /** unblock begins to play everything; it has to be called from a click. */
  async unblock(): Promise<void> {
    this.#wake();
    this.#block(false);
    await Promise.all([...this.#voices.values()].map(({ element }) => element && this.#play(element)));
  }

  close(): void {
    window.clearInterval(this.#timer);
    for (const gesture of gestures) window.removeEventListener(gesture, this.#wake);
    for (const id of [...this.#voices.keys()]) this.#drop(id);
    void this.#context.close();
  }

  async #play(element: HTMLAudioElement): Promise<void> {
    try {
      await element.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.#block(true);
    }
  }

  #block(blocked: boolean): void {
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    this.listener.blocked(blocked);
  }

  #drop(id: string): void {
    const voice = this.#voices.get(id);
    this.#voices.delete(id);
    voice?.source.disconnect();
    if (voice?.element) voice.element.srcObject = null;
    if (this.#speaking.delete(id)) this.listener.speaking(id, false);
  }

  #look(): void {
    const now = performance.now();
    const samples = new Float32Array(512);
    for (const [id, voice] of this.#voices) {
      voice.meter.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
      if (power > loud * loud) voice.heardAt = now;
      const speaking = now - voice.heardAt < hold;
      if (speaking === this.#speaking.has(id)) continue;
      if (speaking) this.#speaking.add(id);
      else this.#speaking.delete(id);
      this.listener.speaking(id, speaking);
    }
  }
}
