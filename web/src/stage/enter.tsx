import { useState } from 'preact/hooks';
import { Logo } from '../logo';
import type { Ending } from './endings';

/** Enter asks for a token. The field has no name, so that no form can put the token into an address. */
export function Enter({ problem, onToken }: { problem?: string; onToken(token: string): void }) {
  const [token, setToken] = useState('');
  const submit = (e: Event) => {
    e.preventDefault();
    onToken(token);
  };
  return (
    <main class="home">
      <Logo />
      <h1>Join a stage</h1>
      <p class="muted">Paste a participant token. It stays in this tab.</p>
      <form onSubmit={submit}>
        <input
          required
          autofocus
          autocomplete="off"
          spellcheck={false}
          aria-label="Participant token"
          placeholder="eyJhbGciOiJFUzM4NCIs…"
          value={token}
          onInput={(e) => setToken(e.currentTarget.value)}
        />
        <button type="submit">Continue</button>
      </form>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <p class="muted small">
        <code>aws ivs-realtime create-participant-token --endpoint-url {window.location.origin} --stage-arn …</code> makes one.
      </p>
    </main>
  );
}

/** Farewell says why one is not on the stage, and what to do next. */
export function Farewell({ ending, onAgain, onOther }: { ending: Ending; onAgain(): void; onOther(): void }) {
  return (
    <main class="home" data-testid="ended">
      <Logo />
      <div role="alert">
        <h1>{ending.title}</h1>
        <p class="muted">{ending.text}</p>
      </div>
      <div class="actions">
        {ending.again && (
          <button type="button" class="primary" autofocus onClick={onAgain}>
            {ending.again}
          </button>
        )}
        <button type="button" onClick={onOther}>
          Use another token
        </button>
      </div>
    </main>
  );
}
