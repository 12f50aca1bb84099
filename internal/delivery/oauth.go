package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// tokens are the access tokens of connections, as long as they are good.
type tokens struct {
	mu  sync.Mutex
	all map[string]token // by the connection's UUID
}

type token struct {
	text  string
	until time.Time
	of    time.Time // when the connection was last changed
}

const (
	maxTokens     = 10_000
	tokenLife     = 5 * time.Minute // of one that does not say
	tokenLongest  = 24 * time.Hour
	tokenEarlier  = 30 * time.Second // before its end a token is fetched anew
	maxTokenBytes = 16 << 10
)

func (t *tokens) get(c *resource.Connection, now time.Time) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.all[c.UUID]
	return k.text, ok && now.Before(k.until) && k.of.Equal(c.ModifiedAt)
}

func (t *tokens) set(c *resource.Connection, text string, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil || len(t.all) >= maxTokens {
		t.all = map[string]token{}
	}
	t.all[c.UUID] = token{text: text, until: until, of: c.ModifiedAt}
}

func (t *tokens) forget(uuid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, uuid)
}

// token returns the access token of a connection, a new one when there is none or it has ended.
func (a *APIDestinations) token(ctx context.Context, c *resource.Connection, s *Secrets) (string, error) {
	if text, ok := a.tokens.get(c, a.Clock()); ok {
		return text, nil
	}
	text, life, err := a.fetchToken(ctx, c, s)
	if err != nil {
		return "", err
	}
	a.tokens.set(c, text, a.Clock().Add(max(0, life-tokenEarlier)))
	return text, nil
}

// fetchToken asks the authorization server of a connection (RFC 6749, 4.4).
func (a *APIDestinations) fetchToken(ctx context.Context, c *resource.Connection, s *Secrets) (string, time.Duration, error) {
	r, err := newTokenRequest(c, s)
	if err != nil {
		return "", 0, &Failure{Code: codeClientError, Message: err.Error(), Final: true}
	}
	ctx, cancel := context.WithTimeout(ctx, invocationTimeout)
	defer cancel()
	answer, err := a.Egress.Do(ctx, r)
	if err != nil {
		return "", 0, SendFailure(err)
	}
	if answer.Status != http.StatusOK {
		return "", 0, &Failure{Code: codeNoPermissions, Message: "the authorization endpoint answered " + strconv.Itoa(answer.Status)}
	}
	return readToken(answer)
}

func readToken(answer egress.Answer) (string, time.Duration, error) {
	var got struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	err := json.Unmarshal(answer.Body, &got)
	if err != nil || got.AccessToken == "" || len(got.AccessToken) > maxTokenBytes || strings.ContainsAny(got.AccessToken, "\r\n") {
		return "", 0, &Failure{Code: codeNoPermissions, Message: "the authorization endpoint answered without a token"}
	}
	life := tokenLife
	if seconds, err := got.ExpiresIn.Int64(); err == nil && seconds > 0 {
		life = time.Duration(min(seconds, int64(tokenLongest/time.Second))) * time.Second
	}
	return got.AccessToken, life, nil
}

func newTokenRequest(c *resource.Connection, s *Secrets) (*http.Request, error) {
	if c.OAuth == nil {
		return nil, errors.New("the connection has no authorization endpoint")
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.OAuth.ClientID}, "client_secret": {s.ClientSecret}}
	for _, m := range c.OAuth.Parameters.Body {
		form.Set(m.Key, valueOf(m, s.OAuth.Body))
	}
	r, err := http.NewRequest(c.OAuth.Method, c.OAuth.Endpoint, nil) //nolint:noctx // Egress.Do gives it one
	if err != nil {
		return nil, errors.New("the authorization endpoint is no URL") // the error would tell of it
	}
	add(r, &resource.Parameters{Header: c.OAuth.Parameters.Header, Query: c.OAuth.Parameters.Query}, &s.OAuth)
	if c.OAuth.Method == http.MethodGet {
		q := r.URL.Query()
		for k, v := range form {
			q[k] = v
		}
		r.URL.RawQuery = q.Encode()
		return r, nil
	}
	setBody(r, []byte(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	return r, nil
}

// Authorize fetches the first token of every connection that waits for one, until ctx ends, and writes down what came of it.
func (a *APIDestinations) Authorize(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	a.Connections.Watch(ctx, func(change store.Change[resource.Connection]) {
		if c := change.New; c != nil && c.State == resource.ConnectionAuthorizing {
			asking.Go(func() { a.authorize(ctx, change.Key, *c) })
		}
	})
}

func (a *APIDestinations) authorize(ctx context.Context, key store.Key, c resource.Connection) {
	s, err := a.Vault.Open(c.UUID, c.Sealed)
	if err == nil {
		_, err = a.token(ctx, &c, &s)
	}
	for ctx.Err() == nil {
		_, failed := a.Connections.Update(ctx, key, func(old resource.Connection) (resource.Connection, error) {
			if old.UUID != c.UUID || !old.ModifiedAt.Equal(c.ModifiedAt) || old.State != resource.ConnectionAuthorizing {
				return old, errChanged
			}
			old.State, old.StateReason, old.AuthorizedAt = resource.ConnectionAuthorized, "", a.Clock()
			if err != nil {
				old.State, old.StateReason, old.AuthorizedAt = resource.ConnectionDeauthorized, failureOf(err).Message, time.Time{}
			}
			return old, nil
		})
		if failed == nil || errors.Is(failed, errChanged) || fault.Is(failed, fault.NotFound) {
			return
		}
		select {
		case <-time.After(retryLongest):
		case <-ctx.Done():
		}
	}
}

var errChanged = errors.New("the connection was changed meanwhile")
