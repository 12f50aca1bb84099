import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import { parseChannel } from './channel';
import { takeToken } from './entry';
import { Home } from './home';
import './style.css';

/** Loaded shows a page whose code is fetched when it is needed: the player and the stage are of no use to each other. */
function Loaded({ load }: { load: () => Promise<() => ComponentChildren> }) {
  const [page, setPage] = useState<{ Page: () => ComponentChildren }>();
  useEffect(() => void load().then((Page) => setPage({ Page })), []);
  return page && <page.Page />;
}

function App() {
  const { pathname, search } = window.location;
  if (pathname === '/stage') return <Loaded load={async () => (await import('./stage/stage')).StagePage} />;
  const given = new URLSearchParams(search).get('channel');
  if (pathname !== '/' && pathname !== '/watch') return <Home error={`There is no page ${pathname}.`} />;
  if (pathname !== '/watch' || !given) return <Home />;
  const channel = parseChannel(given);
  if (!channel) return <Home error={`“${given}” is neither a channel ARN nor a playback URL.`} />;
  return (
    <Loaded
      load={async () => {
        const token = takeToken(channel); // before anything that the page could tell others of
        const { Watch } = await import('./watch');
        return () => <Watch channel={{ ...channel, token }} />;
      }}
    />
  );
}

render(<App />, document.getElementById('app')!);
