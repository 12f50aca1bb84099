import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icons';
import type { Reading } from './readings';
import type { Person } from './room';

interface Props {
  person: Person;
  width?: number;
  height?: number;
  /** The small tile of one's own in the corner. */
  corner?: boolean;
  /** One's own camera, shown as in a mirror. */
  mirrored?: boolean;
  figures: boolean;
  open: boolean;
  onDetails(): void;
}

/** Tile shows one participant. */
export function Tile({ person, width, height, corner, mirrored, figures, open, onDetails }: Props) {
  const { info, reading } = person;
  const [drawn, setDrawn] = useState<MediaStreamTrack>();
  const waiting = person.connecting;
  const stopped = info.isLocal ? (person.video?.isMuted ?? true) : info.videoStopped || (!person.video && !waiting);
  const silent = info.isLocal ? (person.audio?.isMuted ?? true) : info.audioMuted || (!person.audio && !waiting);
  const missing = person.audioOnly && !info.videoStopped ? 'is heard only' : 'sends no video';
  const picture = person.video?.mediaStreamTrack;
  const name = info.isLocal ? `${person.name} (you)` : person.name;
  return (
    <li
      class={`tile ${person.speaking && !silent ? 'speaking' : ''} ${corner ? 'corner' : ''}`}
      style={width ? { width: `${width}px`, height: `${height}px` } : undefined}
      data-testid="tile"
      data-name={person.name}
    >
      {picture && <Picture track={picture} mirrored={mirrored} hidden={stopped} label={`Video of ${name}`} onDrawn={setDrawn} />}
      {(stopped || picture !== drawn) && <Initials name={person.name} />}
      {figures && reading && <Brief reading={reading} delay={delayOf(person)} />}
      <p class="nameplate">
        {waiting && <span class="wait" />}
        {silent && <Icon name="microphone" off />}
        {stopped && <Icon name="camera" off />}
        <span class="name">{name}</span>
        <span class="unseen">
          {[waiting && 'is connecting', silent && 'is muted', stopped && missing, person.speaking && !silent && 'is speaking'].filter(Boolean).join(', ')}
        </span>
      </p>
      <button type="button" class="details-button" aria-expanded={open} aria-label={`Quality and figures of ${name}`} onClick={onDetails}>
        <Icon name="more" />
      </button>
    </li>
  );
}

interface PictureProps {
  track: MediaStreamTrack;
  mirrored?: boolean;
  hidden: boolean;
  label: string;
  /** There is a picture of the track. */
  onDrawn(track: MediaStreamTrack): void;
}

function Picture({ track, mirrored, hidden, label, onDrawn }: PictureProps) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current!;
    element.srcObject = new MediaStream([track]);
    // A picture that is higher than wide, or a screen, is shown whole; a camera fills its tile.
    const shape = () => element.classList.toggle('whole', element.videoHeight > element.videoWidth);
    const draw = () => onDrawn(track);
    element.addEventListener('resize', shape);
    element.addEventListener('loadeddata', draw);
    void element.play().catch(() => {}); // it has no sound, so no browser refuses; leaving the page ends it
    return () => {
      element.removeEventListener('resize', shape);
      element.removeEventListener('loadeddata', draw);
      element.srcObject = null;
    };
  }, [track]);
  return <video ref={video} class={mirrored ? 'mirrored' : ''} muted playsInline autoplay hidden={hidden} aria-label={label} />;
}

function Initials({ name }: { name: string }) {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0]![0], words.at(-1)![0]] : [...name].slice(0, 1);
  const hue = [...name].reduce((sum, c) => (sum * 31 + c.codePointAt(0)!) % 360, 7);
  return (
    <span class="initials" style={{ '--hue': String(hue) }} aria-hidden="true">
      {letters.join('').toUpperCase()}
    </span>
  );
}

/**
 * delayOf is the figure for "how late": the round trip to the server and, of what is received, the wait in the jitter
 * buffer. It is undefined while one of them is not known.
 */
export function delayOf({ info, reading }: Person): number | undefined {
  const { roundTripMs, bufferMs = info.isLocal ? 0 : undefined } = reading ?? {};
  return roundTripMs === undefined || bufferMs === undefined ? undefined : roundTripMs + bufferMs;
}

export function rate(bits: number): string {
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`;
}

/** Brief is the line of figures in a tile. A small tile has room for some of them. */
function Brief({ reading, delay }: { reading: Reading; delay?: number }) {
  const { width, height, fps, bitrate, lossPercent } = reading;
  const figures = [
    width ? { text: `${width}×${height}` } : undefined,
    width && fps !== undefined ? { text: `${Math.round(fps)} fps`, extra: true } : undefined,
    { text: rate(bitrate), extra: true },
    delay === undefined ? undefined : { text: `${Math.round(delay)} ms` },
    lossPercent && lossPercent >= 0.05 ? { text: `${lossPercent.toFixed(1)}% lost` } : undefined,
  ].filter((f) => f !== undefined);
  return (
    <p class="figures mono">
      {figures.map(({ text, extra }) => (
        <span key={text} class={extra ? 'extra' : ''}>
          {text}
        </span>
      ))}
    </p>
  );
}
