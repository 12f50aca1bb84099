import { useEffect, useRef, useState } from 'preact/hooks';
import { Logo } from '../logo';
import { available, insecure, type Kind, list } from './devices';
import { Icon } from './icons';
import type { Media } from './media';
import type { Ticket } from './ticket';

interface Props {
  ticket: Ticket;
  media: Media;
  notice: string;
  onJoin(): void;
  onOther(): void;
}

/** Lobby is the place before the stage: who one is, and which devices to bring. They start with it. */
export function Lobby({ ticket, media, notice, onJoin, onOther }: Props) {
  const usable = ticket.canPublish && available();
  const bringing = media.camera || media.microphone;
  return (
    <main class="lobby">
      <Logo />
      <div class="greeting">
        <h1>Join as {ticket.name}</h1>
        <p class="muted small mono wrap">stage {ticket.stageId}</p>
      </div>
      {ticket.canPublish ? (
        <>
          <Preview track={media.camera} starting={media.starting.has('camera')} />
          {usable && (
            <div class="choices">
              <Device kind="camera" label="Camera" media={media} />
              <Device kind="microphone" label="Microphone" media={media} />
            </div>
          )}
        </>
      ) : (
        <p class="note">This token lets you watch and listen. Nobody sees or hears you.</p>
      )}
      <div class="problems" role="status">
        {ticket.canPublish && !available() && <p class="note">{insecure}</p>}
        {!ticket.canSubscribe && <p class="note">This token lets you send only: you do not see or hear the others.</p>}
        {[...media.problems.values()].map((text) => (
          <p key={text} class="note">
            {text}
          </p>
        ))}
        {notice && <p class="note">{notice}</p>}
      </div>
      <div class="actions">
        <button type="button" class="primary" autofocus disabled={media.starting.size > 0} onClick={onJoin} data-testid="join">
          {media.starting.size > 0 ? 'Starting your devices…' : bringing ? 'Join' : 'Join to watch'}
        </button>
        <button type="button" onClick={onOther}>
          Use another token
        </button>
      </div>
    </main>
  );
}

function Preview({ track, starting }: { track?: MediaStreamTrack; starting: boolean }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    video.current!.srcObject = track ? new MediaStream([track]) : null;
  }, [track]);
  return (
    <div class="frame preview">
      <video ref={video} class="mirrored" muted playsInline autoplay hidden={!track} aria-label="Preview of your camera" />
      {!track && (
        <p class="veil">
          <Icon name="camera" off />
          {starting ? 'Waiting for the camera…' : 'No picture of you'}
        </p>
      )}
    </div>
  );
}

function Device({ kind, label, media }: { kind: Kind; label: string; media: Media }) {
  const [devices, setDevices] = useState<MediaDeviceInfo[]>([]);
  const track = media[kind];
  useEffect(() => {
    const look = () => void list(kind).then(setDevices);
    look();
    navigator.mediaDevices.addEventListener('devicechange', look);
    return () => navigator.mediaDevices.removeEventListener('devicechange', look);
  }, [track]);
  const choose = (id: string) => (id ? void media.start(kind, id) : media.stop(kind));
  return (
    <label class="device">
      {label}
      <select
        value={track?.getSettings().deviceId ?? ''}
        disabled={media.starting.has(kind)}
        onChange={(e) => choose(e.currentTarget.value)}
        data-testid={kind}
      >
        <option value="">None</option>
        {devices.map((d) => (
          <option key={d.deviceId} value={d.deviceId}>
            {d.label || label}
          </option>
        ))}
      </select>
      {kind === 'microphone' && track && <Level track={track} />}
    </label>
  );
}

/** Level shows how loud a microphone is. */
function Level({ track }: { track: MediaStreamTrack }) {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    const context = new AudioContext();
    const meter = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream([track])).connect(meter);
    const samples = new Float32Array(meter.fftSize);
    const timer = window.setInterval(() => {
      meter.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
      setLevel(Math.min(1, Math.sqrt(power) * 4));
    }, 100);
    return () => {
      window.clearInterval(timer);
      void context.close();
    };
  }, [track]);
  return <meter min={0} max={1} value={level} aria-label="Loudness of your microphone" />;
}
