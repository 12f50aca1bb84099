import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Channel } from './channel';
import { Controls } from './controls';
import { useKeys } from './keys';
import { Logo } from './logo';
import { jump, Player, type Cue, type State, type Stats } from './player';
import { Sparkline } from './sparkline';

const stateText: Record<State, string> = {
  loading: 'connecting',
  playing: 'live',
  paused: 'paused',
  stalled: 'buffering',
  offline: 'offline',
  ended: 'ended',
  missing: 'no such channel',
  refused: 'refused',
  unsupported: 'unsupported',
};

const stateHelp: Partial<Record<State, string>> = {
  loading: 'Connecting…',
  stalled: 'Buffering…',
  offline: 'This channel is offline. Playback starts by itself when it goes live.',
  ended: 'The stream has ended. Playback starts by itself when the channel is live again.',
  missing: 'There is no such channel on this server. It was deleted, or the address is wrong.',
};

const keptCues = 100;
const keptReadings = 60;

/** Watch is the watch page: the picture, what the viewer should know about it, and the metadata as it passes. */
export function Watch({ channel }: { channel: Channel }) {
  const video = useRef<HTMLVideoElement>(null);
  const screen = useRef<HTMLElement>(null);
  const player = useRef<Player | undefined>(undefined);
  const [state, setState] = useState<{ state: State; detail?: string }>({ state: 'loading' });
  const [stats, setStats] = useState<Stats>();
  const [latencies, setLatencies] = useState<number[]>([]);
  const [cues, setCues] = useState<Cue[]>([]);
  const [sound, setSound] = useState({ muted: true, volume: 1 });

  useEffect(() => {
    document.title = `${channel.label} · Rivus`;
    const p = new Player(video.current!, channel.url, channel.token, {
      state: (s, detail) => setState({ state: s, detail }),
      stats: (s) => {
        setStats(s);
        if (s.latencyMs !== undefined) setLatencies((l) => [...l.slice(1 - keptReadings), s.latencyMs!]);
      },
      cue: (c) => setCues((all) => [c, ...all].slice(0, keptCues)),
    });
    player.current = p;
    return () => p.destroy();
  }, [channel.url, channel.token]);

  const act = {
    toggle: useCallback(() => player.current?.toggle(), []),
    goLive: useCallback(() => player.current?.goLive(), []),
    skip: useCallback((seconds: number) => player.current?.skip(seconds), []),
    mute: useCallback(() => {
      const v = video.current!;
      if (v.muted && v.volume === 0) v.volume = 1; // it was turned down to nothing
      v.muted = !v.muted;
    }, []),
    setVolume: useCallback((volume: number) => {
      video.current!.volume = Math.min(1, Math.max(0, volume));
      video.current!.muted = volume <= 0;
    }, []),
    fullScreen: useCallback(() => toggleFullScreen(screen.current!, video.current!), []),
  };
  useKeys({
    ...act,
    louder: (by) => {
      const v = video.current!;
      act.setVolume((v.muted ? 0 : v.volume) + by);
    },
  });

  const { state: now, detail } = state;
  const watchable = now === 'playing' || now === 'paused' || now === 'stalled';
  return (
    <div class="page">
      <header>
        <Logo />
        <div class="title">
          <h1>{channel.label}</h1>
          <span class="muted small mono" title={channel.arn}>
            {channel.arn ?? channel.url}
          </span>
        </div>
        <span class={`badge ${now}`} data-testid="state">
          {stateText[now]}
        </span>
      </header>
      <main class="columns">
        <section class="screen" ref={screen} aria-label="Player">
          <div class="frame">
            <video
              ref={video}
              muted
              playsInline
              autoplay
              data-testid="video"
              onClick={act.toggle}
              onVolumeChange={({ currentTarget: v }) => setSound({ muted: v.muted, volume: v.volume })}
            />
            {now === 'paused' && (
              <button type="button" class="veil" onClick={act.toggle} data-testid="resume">
                <span class="pill">Play</span>
              </button>
            )}
            {now !== 'playing' && now !== 'paused' && (
              <div class="veil" role="status" data-testid="veil">
                {detail ?? stateHelp[now]}
              </div>
            )}
            {now === 'playing' && sound.muted && (
              <button type="button" class="pill unmute" onClick={act.mute}>
                Turn sound on
              </button>
            )}
          </div>
          <Controls
            paused={now === 'paused'}
            enabled={watchable}
            atLive={now === 'playing' && stats?.pace === 'live'}
            sound={sound}
            act={act}
          />
        </section>
        <aside>
          <Figures stats={watchable ? stats : undefined} latencies={latencies} />
          <Metadata cues={cues} />
        </aside>
      </main>
    </div>
  );
}

/** toggleFullScreen shows the player alone, or its video where the browser lets only that (iPhones). */
function toggleFullScreen(screen: HTMLElement, video: HTMLVideoElement) {
  if (document.fullscreenElement) void document.exitFullscreen();
  else if (screen.requestFullscreen) void screen.requestFullscreen().catch(() => undefined);
  else (video as { webkitEnterFullscreen?: () => void }).webkitEnterFullscreen?.();
}

function Figures({ stats, latencies }: { stats?: Stats; latencies: number[] }) {
  const latency = stats?.latencyMs;
  const peak = Math.max(2000, ...latencies) * 1.15;
  return (
    <section class="card" aria-label="Playback figures">
      <div class="headline">
        <div>
          <span class="muted small">Behind the encoder</span>
          <strong data-testid="latency" data-ms={latency === undefined ? '' : Math.round(latency)}>
            {latency === undefined ? '–' : Math.round(latency).toLocaleString('en')}
            <small> ms</small>
          </strong>
        </div>
        <Sparkline values={latencies} max={peak} label="Latency in the last minute" />
      </div>
      <dl>
        <Figure name="Resolution" id="resolution" value={stats?.width ? `${stats.width} × ${stats.height}` : '–'} />
        <Figure name="Frames a second" id="fps" value={stats ? stats.fps.toFixed(0) : '–'} />
        <Figure name="Dropped frames" id="dropped" value={String(stats?.droppedFrames ?? '–')} />
        <Figure name="Buffer" id="buffer" value={stats ? `${(stats.bufferMs / 1000).toFixed(2)} s` : '–'} />
        <Figure name="Bandwidth" id="bandwidth" value={stats?.bandwidth ? `${(stats.bandwidth / 1e6).toFixed(2)} Mbit/s` : '–'} />
        <Figure name="Mode" id="mode" value={stats?.bandwidth ? (stats.lowLatency ? 'LL-HLS' : 'HLS') : '–'} />
        <Figure name="Parts loaded" id="parts" value={String(stats?.parts ?? '–')} />
        <Figure name="Segments loaded" id="segments" value={String(stats?.segments ?? '–')} />
        <Figure name="Keeps up" id="pace" value={stats ? paceText[stats.pace] : '–'} />
        <Figure name="Leaps to live" id="jumps" value={String(stats?.jumps ?? '–')} />
      </dl>
      {stats?.lastJump && (
        <p class="small" data-testid="jump">
          Leapt over {stats.lastJump.seconds.toFixed(1)} s to the live edge at {stats.lastJump.at.toLocaleTimeString('en-GB')}: playback
          was more than {stats.lowLatency ? `${jump.behind} s` : `${jump.targets} segments`} too far behind.
        </p>
      )}
      <p class="muted small mono wrap">{[stats?.streamId, stats?.codecs].filter(Boolean).join(' · ')}</p>
    </section>
  );
}

const paceText: Record<Stats['pace'], string> = {
  live: 'at live edge',
  faster: 'catching up',
  held: 'held back by you',
};

function Figure({ name, id, value }: { name: string; id: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd data-testid={id}>{value}</dd>
    </div>
  );
}

const ownerNames: Record<string, string> = {
  'metadata.live-video.net': 'API',
  'inband.metadata.live-video.net': 'encoder',
};

function Metadata({ cues }: { cues: Cue[] }) {
  return (
    <section class="card cues" aria-label="Timed metadata">
      <h2>
        Timed metadata <span class="count">{cues.length}</span>
      </h2>
      {cues.length === 0 && (
        <p class="muted small">
          Nothing yet. Send some with <code>aws ivs put-metadata</code>; it shows here when its picture does.
        </p>
      )}
      <ol>
        {cues.map((c) => (
          <li key={c.at.getTime() + c.text} data-testid="cue">
            <time class="mono small muted">{c.at.toLocaleTimeString('en-GB')}</time>
            <span class="source">{ownerNames[c.owner] ?? c.owner}</span>
            <span class="text">{c.text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
