import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { StageConnectionState } from '@rivus/web';
import { Logo } from '../logo';
import { Details } from './details';
import { canShareScreen, type Kind } from './devices';
import { Icon, type IconName } from './icons';
import { fit, gap, small } from './layout';
import type { Media } from './media';
import type { Person, Room } from './room';
import type { Ticket } from './ticket';
import { Tile } from './tile';

interface Props {
  room: Room;
  ticket: Ticket;
  media: Media;
  notice: string;
  setNotice(text: string): void;
  onLeave(): void;
}

const states: Record<StageConnectionState, string> = {
  [StageConnectionState.DISCONNECTED]: 'off',
  [StageConnectionState.CONNECTING]: 'joining',
  [StageConnectionState.CONNECTED]: 'watching',
  [StageConnectionState.ERRORED]: 'reconnecting',
};

/** RoomView is the stage: everybody who publishes, and the controls. */
export function RoomView({ room, ticket, media, notice, setNotice, onLeave }: Props) {
  const [figures, setFigures] = useState(false);
  const [chosen, setChosen] = useState<string>();
  const people = [...room.people.values()];
  const shown = people.filter((p) => (p.info.isLocal ? p.video || p.audio : p.info.isPublishing));
  const own = people.find((p) => p.info.isLocal);
  const person = shown.find((p) => p.info.id === chosen);
  return (
    <main class={`stage ${person ? 'with-details' : ''}`}>
      <header>
        <Logo />
        <div class="title">
          <h1>Stage</h1>
          <span class="muted small mono">{ticket.stageId}</span>
        </div>
        <span class="muted small" data-testid="count">
          {count(shown.length, people.length - shown.length)}
        </span>
        <State connection={room.connection} own={own} />
      </header>
      <Tiles
        people={shown}
        room={room}
        empty={emptyText(room, ticket)}
        figures={figures}
        chosen={chosen}
        onDetails={(id) => setChosen(id === chosen ? undefined : id)}
      />
      {person && <Details room={room} person={person} onClose={() => setChosen(undefined)} />}
      <div class="notices" role="status">
        {notice && (
          <p class="note">
            {notice}
            <button type="button" class="plain" aria-label="Close this message" onClick={() => setNotice('')}>
              <Icon name="close" />
            </button>
          </p>
        )}
      </div>
      {room.soundBlocked && (
        <button type="button" class="primary unmute" onClick={() => room.unblockSound()}>
          <Icon name="sound" /> Turn the sound on
        </button>
      )}
      <Controls room={room} ticket={ticket} media={media} figures={figures} setFigures={setFigures} setNotice={setNotice} onLeave={onLeave} />
    </main>
  );
}

/** count tells how many are to be seen or heard, and how many only watch. */
function count(sending: number, watching: number): string {
  const others = watching > 0 ? `${watching} watching` : '';
  return sending === 0 ? others : [`${sending} on stage`, others].filter(Boolean).join(', ');
}

/** State says whether others see and hear one now. */
function State({ connection, own }: { connection: StageConnectionState; own?: Person }) {
  const connected = connection === StageConnectionState.CONNECTED;
  const live = connected && own?.info.isPublishing;
  const going = connected && !live && own?.connecting;
  return (
    <span class={`badge ${live ? 'on-air' : connected && !going ? '' : 'loading'}`} data-testid="state" role="status">
      {live ? 'live' : going ? 'connecting' : states[connection]}
    </span>
  );
}

function emptyText(room: Room, ticket: Ticket): string {
  if (room.connection !== StageConnectionState.CONNECTED) return 'Joining…';
  return ticket.canSubscribe ? 'Nobody sends sound or pictures yet.' : 'You are on the stage. This token does not let you see the others.';
}

interface TilesProps {
  people: Person[];
  room: Room;
  empty: string;
  figures: boolean;
  chosen?: string;
  onDetails(id: string): void;
}

/** Tiles fills its space with everybody; on a phone one's own picture is small and in the corner. */
function Tiles({ people, room, empty, figures, chosen, onDetails }: TilesProps) {
  const space = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const measure = () => setSize({ width: space.current!.clientWidth, height: space.current!.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(space.current!);
    measure();
    return () => observer.disconnect();
  }, []);
  const own = people.find((p) => p.info.isLocal);
  const corner = own && people.length > 1 && small(window.innerWidth, window.innerHeight) ? own : undefined;
  const grid = people.filter((p) => p !== corner);
  const { columns, width, height } = fit(grid.length, size.width, size.height);
  const tile = (person: Person, inCorner = false) => (
    <Tile
      key={person.info.id}
      person={person}
      width={inCorner ? undefined : width}
      height={height}
      corner={inCorner}
      mirrored={person.info.isLocal && !room.own.screen}
      figures={figures && !inCorner}
      open={person.info.id === chosen}
      onDetails={() => onDetails(person.info.id)}
    />
  );
  return (
    <div class="space" ref={space}>
      <ul class={`tiles ${corner ? 'beside-corner' : ''}`} aria-label="Participants" style={{ width: `${columns * width + (columns - 1) * gap}px`, gap: `${gap}px` }}>
        {size.width > 0 && grid.map((p) => tile(p))}
      </ul>
      {corner && <ul class="tiles">{tile(corner, true)}</ul>}
      {people.length === 0 && <p class="muted empty">{empty}</p>}
    </div>
  );
}

interface ControlsProps extends Omit<Props, 'notice'> {
  figures: boolean;
  setFigures(on: boolean): void;
}

function Controls({ room, ticket, media, figures, setFigures, setNotice, onLeave }: ControlsProps) {
  const { own } = room;
  /** Mutes or unmutes; a device that is not there yet is started. */
  const toggle = async (kind: Kind) => {
    const stream = own[kind];
    if (stream) return room.mute(kind, !stream.isMuted);
    await media.start(kind);
    const problem = media.problems.get(kind);
    if (problem) setNotice(problem);
  };
  const lit = (kind: Kind) => own[kind] !== undefined && !own[kind].isMuted;
  return (
    <nav class="bar" aria-label="Controls">
      {ticket.canPublish && (
        <>
          <Control icon="microphone" label="Microphone" on={lit('microphone')} alarming onClick={() => void toggle('microphone')} />
          <Control icon="camera" label="Camera" on={lit('camera')} alarming onClick={() => void toggle('camera')} />
          {canShareScreen() && (
            <Control
              icon="screen"
              label="Screen"
              on={own.screen !== undefined}
              onClick={() => (own.screen ? media.stop('screen') : void media.shareScreen())}
            />
          )}
        </>
      )}
      <Control icon="figures" label="Figures" on={figures} onClick={() => setFigures(!figures)} />
      <button type="button" class="control leave" onClick={onLeave}>
        <Icon name="leave" />
        <span>Leave</span>
      </button>
    </nav>
  );
}

interface ControlProps {
  icon: IconName;
  label: string;
  on: boolean;
  /** Being off is worth a look: others cannot see or hear. */
  alarming?: boolean;
  onClick(): void;
}

function Control({ icon, label, on, alarming, onClick }: ControlProps) {
  return (
    <button type="button" class={`control ${on ? 'on' : alarming ? 'off' : ''}`} aria-pressed={on} onClick={onClick}>
      <Icon name={icon} off={alarming && !on} />
      <span>{label}</span>
    </button>
  );
}
