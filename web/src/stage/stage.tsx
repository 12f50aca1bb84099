import { useEffect, useRef, useState } from 'preact/hooks';
import type { StageError } from '@rivus/web';
import { type Ending, endingOf, userLeft } from './endings';
import { Enter, Farewell } from './enter';
import { Lobby } from './lobby';
import { Media } from './media';
import { Room } from './room';
import { RoomView } from './roomview';
import { readTicket, recall, remember, takeFragment, type Ticket } from './ticket';
import './stage.css';

type View = { at: 'enter'; problem?: string } | { at: 'lobby' } | { at: 'room'; room: Room } | { at: 'ended'; ending: Ending };

/** StagePage leads from a token through the choice of devices onto the stage, and says why one is not there any more. */
export function StagePage() {
  const [ticket, setTicket] = useState<Ticket>();
  const [view, setView] = useState<View>({ at: 'enter' });
  const [notice, setNotice] = useState('');
  const [, redraw] = useState(0);
  const again = () => redraw((n) => n + 1);
  const room = useRef<Room | undefined>(undefined);
  const media = useRef<Media | undefined>(undefined);
  media.current ??= new Media({ changed: () => publish(), notice: setNotice });

  /** Puts on the stage what the devices give now, and remembers it for a reload. */
  const publish = () => {
    const { camera, microphone, screen } = media.current!;
    room.current?.use({ camera, microphone, screen });
    again();
  };

  const open = (given: string) => {
    const read = readTicket(given);
    leaveRoom();
    if (!read) return setView({ at: 'enter', problem: 'This is not a participant token. Copy the whole text; it has two dots in it.' });
    remember({ token: read.token, joined: false });
    enterLobby(read);
  };

  const enterLobby = (by: Ticket) => {
    setTicket(by);
    if (by.canPublish) void media.current!.startBoth();
    setView({ at: 'lobby' });
  };

  const leaveRoom = () => {
    room.current?.leave();
    room.current = undefined;
  };

  const join = (by: Ticket) => {
    leaveRoom();
    setNotice('');
    try {
      const entered = new Room(by.token, {
        changed: again,
        notice: setNotice,
        ended: (ending) => room.current === entered && ended(by, ending),
      });
      room.current = entered;
      entered.join();
      publish();
      setView({ at: 'room', room: entered });
    } catch (error) {
      ended(by, endingOf(error as StageError)); // the token lacks something
    }
  };

  const ended = (by: Ticket, ending: Ending) => {
    if (ending === userLeft) return; // the page goes away: what is remembered lets a reload return
    room.current = undefined;
    media.current!.stopAll();
    remember(ending.again ? { token: by.token, joined: false } : undefined);
    setView({ at: 'ended', ending });
  };

  const leave = () => {
    leaveRoom();
    media.current!.stopAll();
    remember();
    setView({ at: 'ended', ending: userLeft });
  };

  useEffect(() => {
    const begin = () => {
      const given = takeFragment();
      if (given !== undefined) return open(given);
      const memory = recall();
      const known = memory && readTicket(memory.token);
      if (!memory || !known) return;
      if (!memory.joined) return enterLobby(known);
      setTicket(known);
      join(known); // at once: camera and microphone follow when they have started
      if (known.canPublish) void media.current!.restore(memory);
    };
    const linked = () => window.location.hash && begin();
    // A page that comes back from the browser's cache has left the stage when it went.
    const shown = (e: PageTransitionEvent) => e.persisted && window.location.reload();
    begin();
    window.addEventListener('hashchange', linked);
    window.addEventListener('pageshow', shown);
    return () => {
      window.removeEventListener('hashchange', linked);
      window.removeEventListener('pageshow', shown);
    };
  }, []);

  useEffect(() => {
    document.title = `${ticket ? `${ticket.stageId} · ` : ''}Stage · Rivus`;
  }, [ticket]);

  useEffect(() => {
    if (view.at !== 'room' || view.room !== room.current || !ticket) return; // left meanwhile
    remember({ token: ticket.token, joined: true, ...media.current!.memory(view.room.own) });
  });

  const another = () => {
    media.current!.stopAll();
    setView({ at: 'enter' });
  };

  switch (view.at) {
    case 'lobby':
      return <Lobby ticket={ticket!} media={media.current} notice={notice} onJoin={() => join(ticket!)} onOther={another} />;
    case 'room':
      return <RoomView room={view.room} ticket={ticket!} media={media.current} notice={notice} setNotice={setNotice} onLeave={leave} />;
    case 'ended':
      return <Farewell ending={view.ending} onAgain={() => open(ticket!.token)} onOther={another} />;
  }
  return <Enter problem={view.problem} onToken={open} />;
}
