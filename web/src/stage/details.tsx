import { useEffect, useRef } from 'preact/hooks';
import { Icon } from './icons';
import type { Person, Room } from './room';
import { delayOf, rate } from './tile';

const layerNames: Record<string, string> = { hi: 'High', mid: 'Medium', low: 'Low' };

/** Details is the panel about one participant: which picture to receive, and how it travels. */
export function Details({ room, person, onClose }: { room: Room; person: Person; onClose(): void }) {
  const panel = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    panel.current!.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [person.info.id]);
  const { isLocal } = person.info;
  return (
    <div
      ref={panel}
      class="details card"
      role="dialog"
      aria-label={`${person.name}: quality and figures`}
      tabIndex={-1}
      onKeyDown={(e) => e.key === 'Escape' && onClose()}
      data-testid="details"
    >
      <header>
        <h2>{isLocal ? `${person.name} (you)` : person.name}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {!isLocal && <Quality room={room} person={person} />}
      <Figures person={person} />
      <p class="muted small mono wrap">{person.info.id}</p>
    </div>
  );
}

function Quality({ room, person }: { room: Room; person: Person }) {
  const received = person.layers.find((l) => l.selected);
  return (
    <>
      <fieldset disabled={person.audioOnly}>
        <legend>Picture quality</legend>
        <Choice label="Automatic" checked={person.pinned === ''} onChoose={() => room.pin(person, '')}>
          {person.pinned === '' && received ? nameOf(received.label) : ''}
        </Choice>
        {person.layers.toReversed().map(({ label, bitrate }) => (
          <Choice key={label} label={nameOf(label)} checked={person.pinned === label} onChoose={() => room.pin(person, label)}>
            {bitrate ? rate(bitrate) : 'off now'}
          </Choice>
        ))}
        {person.layers.length === 0 && !person.audioOnly && <p class="muted small">The sender offers one quality.</p>}
      </fieldset>
      <label class="choice">
        <input type="checkbox" checked={person.audioOnly} onChange={(e) => room.listenOnly(person, e.currentTarget.checked)} />
        Sound only
      </label>
    </>
  );
}

function nameOf(label: string): string {
  return layerNames[label] ?? label;
}

function Choice(props: { label: string; checked: boolean; onChoose(): void; children?: string }) {
  return (
    <label class="choice">
      <input type="radio" name="layer" checked={props.checked} onChange={props.onChoose} />
      {props.label}
      <span class="muted small">{props.children}</span>
    </label>
  );
}

function Figures({ person }: { person: Person }) {
  const { reading } = person;
  const { isLocal } = person.info;
  const ms = (value?: number) => (value === undefined ? '–' : `${Math.round(value)} ms`);
  return (
    <dl>
      {!isLocal && (
        <div class="wide">
          <dt>Delay: round trip to the server + jitter buffer</dt>
          <dd class="big" data-testid="delay">
            {ms(delayOf(person))}
          </dd>
        </div>
      )}
      <Figure name="Round trip" value={ms(reading?.roundTripMs)} />
      {!isLocal && <Figure name="Jitter buffer" value={ms(reading?.bufferMs)} />}
      <Figure name="Packets lost" value={reading?.lossPercent === undefined ? '–' : `${reading.lossPercent.toFixed(1)}%`} />
      <Figure name={isLocal ? 'Sending' : 'Receiving'} value={reading ? rate(reading.bitrate) : '–'} />
      <Figure name="Resolution" value={reading?.width ? `${reading.width} × ${reading.height}` : '–'} />
      <Figure name="Frames a second" value={reading?.fps === undefined ? '–' : String(Math.round(reading.fps))} />
      {reading?.codec && <Figure name="Codec" value={reading.codec} />}
    </dl>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
