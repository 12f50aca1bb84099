import { render } from 'preact';
import { parseChannel } from './channel';
import { Home } from './home';
import { Watch } from './watch';
import './style.css';

function App() {
  const given = new URLSearchParams(window.location.search).get('channel');
  if (window.location.pathname !== '/watch' || !given) return <Home />;
  const channel = parseChannel(given);
  return channel ? <Watch channel={channel} /> : <Home error={`“${given}” is neither a channel ARN nor a playback URL.`} />;
}

render(<App />, document.getElementById('app')!);
