/** ControlActions is what the buttons below the picture do. */
export interface ControlActions {
  toggle(): void;
  goLive(): void;
  mute(): void;
  setVolume(volume: number): void;
  fullScreen(): void;
}

interface Props {
  paused: boolean;
  /** There is something to pause. */
  enabled: boolean;
  atLive: boolean;
  sound: { muted: boolean; volume: number };
  act: ControlActions;
}

/** Controls are the buttons below the picture, each with the key that does the same. */
export function Controls({ paused, enabled, atLive, sound, act }: Props) {
  const heard = sound.muted ? 0 : sound.volume;
  return (
    <div class="controls">
      <button type="button" onClick={act.toggle} disabled={!enabled} title="Space" data-testid="pause">
        {paused ? 'Play' : 'Pause'}
      </button>
      <button type="button" onClick={act.mute} title="M" data-testid="sound">
        {sound.muted ? 'Sound on' : 'Sound off'}
      </button>
      <input
        type="range"
        min="0"
        max="1"
        step="0.05"
        value={heard}
        aria-label="Volume"
        aria-valuetext={`${Math.round(heard * 100)} %`}
        title="Arrows up and down"
        data-testid="volume"
        onInput={({ currentTarget }) => act.setVolume(Number(currentTarget.value))}
      />
      <button type="button" class="live" onClick={act.goLive} disabled={!enabled || atLive} data-testid="golive">
        {atLive ? 'At the live edge' : 'Go live'}
      </button>
      <button type="button" onClick={act.fullScreen} title="F">
        Full screen
      </button>
    </div>
  );
}
