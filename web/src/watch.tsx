import { useEffect, useRef, useState } from 'preact/hooks';
import type { Channel } from './channel';
import { Logo } from './logo';
import { Player, type Cue, type State, type Stats } from './player';
import { Sparkline } from './sparkline';

const stateText: Record<State, string> = {
  loading: 'connecting',
  playing: 'live',
  stalled: 'buffering',
  offline: 'offline',
  ended: 'ended',
  refused: 'refused',
  unsupported: 'unsupported',
};

const stateHelp: Partial<Record<State, string>> = {
  loading: 'Connecting…',
  stalled: 'Buffering…',
  offline: 'This channel is offline. Playback starts by itself when it goes live.',
  ended: 'The stream has ended. Playback starts by itself when the channel is live again.',
};

const keptCues = 100;
const keptReadings = 60;

/** Watch is the watch page: the picture, what the viewer should know about it, and the metadata as it passes. */
export function Watch({ channel }: { channel: Channel }) {
  const video = useRef<HTMLVideoElement>(null);
  const player = useRef<Player | undefined>(undefined);
  const [state, setState] = useState<{ state: State; detail?: string }>({ state: 'loading' });
  const [stats, setStats] = useState<Stats>();
  const [latencies, setLatencies] = useState<number[]>([]);
  const [cues, setCues] = useState<Cue[]>([]);
  const [muted, setMuted] = useState(true);

  useEffect(() => {
    document.title = `${channel.label} · Rivus`;
    const p = new Player(video.current!, channel.url, {
      state: (s, detail) => setState({ state: s, detail }),
      stats: (s) => {
        setStats(s);
        if (s.latencyMs !== undefined) setLatencies((l) => [...l.slice(1 - keptReadings), s.latencyMs!]);
      },
      cue: (c) => setCues((all) => [c, ...all].slice(0, keptCues)),
    });
    player.current = p;
    return () => p.destroy();
  }, [channel.url]);

  const toggleSound = () => {
    video.current!.muted = !muted;
    setMuted(!muted);
  };

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
        <span class={`badge ${state.state}`} data-testid="state">
          {stateText[state.state]}
        </span>
      </header>
      <div class="columns">
        <section class="screen">
          <div class="frame">
            <video ref={video} muted playsInline autoplay data-testid="video" onClick={() => player.current?.goLive()} />
            {state.state !== 'playing' && (
              <div class="veil" role="status">
                {state.detail ?? stateHelp[state.state]}
              </div>
            )}
          </div>
          <div class="controls">
            <button type="button" onClick={toggleSound} aria-pressed={!muted}>
              {muted ? 'Sound on' : 'Sound off'}
            </button>
            <button type="button" onClick={() => player.current?.goLive()}>
              Go live
            </button>
            <button type="button" onClick={() => void video.current!.requestFullscreen?.()}>
              Full screen
            </button>
          </div>
        </section>
        <aside>
          <Figures stats={stats} latencies={latencies} />
          <Metadata cues={cues} />
        </aside>
      </div>
    </div>
  );
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
        <Figure name="Mode" id="mode" value={stats ? (stats.lowLatency ? 'LL-HLS' : 'HLS') : '–'} />
        <Figure name="Parts loaded" id="parts" value={String(stats?.parts ?? '–')} />
        <Figure name="Segments loaded" id="segments" value={String(stats?.segments ?? '–')} />
      </dl>
      <p class="muted small mono wrap">{[stats?.streamId, stats?.codecs].filter(Boolean).join(' · ')}</p>
    </section>
  );
}

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
