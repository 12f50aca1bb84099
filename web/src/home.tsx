import { Logo } from './logo';

/** Home asks which channel to watch. */
export function Home({ error }: { error?: string }) {
  return (
    <main class="home">
      <Logo />
      <h1>Watch a channel</h1>
      <p class="muted">Paste a channel ARN or a playback URL.</p>
      <form action="/watch" method="get">
        <input
          name="channel"
          required
          autofocus
          autocomplete="off"
          spellcheck={false}
          aria-label="Channel ARN or playback URL"
          placeholder="arn:aws:ivs:us-west-2:000000000000:channel/…"
        />
        <button type="submit">Watch</button>
      </form>
      {error && (
        <p class="problem" role="alert">
          {error}
        </p>
      )}
      <p class="muted small">
        <code>aws ivs list-channels --endpoint-url {window.location.origin}</code> lists what is here.
      </p>
      <p>
        <a href="/stage">Join a stage</a> <span class="muted">to talk to others, with a participant token.</span>
      </p>
    </main>
  );
}
