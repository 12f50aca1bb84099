package accesskey

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
)

const (
	// flushInterval is how often uses are looked through, and so how late the first of a key is known elsewhere.
	flushInterval = 30 * time.Second
	// writeInterval is how often at most one key's use is written: a put on the disk is not worth a call.
	writeInterval = 10 * time.Minute
	// forgetAfter is how long a use that is written stays in memory.
	forgetAfter = 2 * writeInterval
)

// use is the last use of a key on this node.
type use struct {
	resource.KeyUse
	account string
	written time.Time // of this record, by this node
	fresh   bool      // used since
}

// Used notes that a principal has called a service in a region. It is cheap, and so for every call.
func (a *Authority) Used(p awsapi.Principal, service, region string) {
	id := p.AccessKeyID
	switch p.Kind {
	case awsapi.PrincipalRole:
		id = p.ID
	case awsapi.PrincipalUser:
		if !p.Issued.IsZero() {
			return // temporary keys have no record
		}
	case awsapi.PrincipalRoot, awsapi.PrincipalAnonymous:
		return
	}
	now := a.opts.Clock().UTC()
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.uses[id]
	if u == nil {
		u = &use{account: p.Account}
		a.uses[id] = u
	}
	u.KeyUse = resource.KeyUse{ID: id, At: now, Service: service, Region: region}
	u.fresh = true
}

// LastUse returns when an access key or a role was used last, as far as this node knows, and false when it never was.
// Other nodes' uses are known after some minutes.
func (a *Authority) LastUse(ctx context.Context, account, id string) (resource.KeyUse, bool, error) {
	r, err := a.opts.Records.Uses.Get(ctx, records.IAMKey(account, id))
	if err != nil && !fault.Is(err, fault.NotFound) {
		return resource.KeyUse{}, false, err //nolint:wrapcheck // the store says what it could not do
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if u := a.uses[id]; u != nil && u.At.After(r.Value.At) {
		return u.KeyUse, true, nil
	}
	return r.Value, err == nil, nil
}

// Forget drops what is known of the use of a key or a role that was deleted.
func (a *Authority) Forget(ctx context.Context, account, id string) error {
	a.mu.Lock()
	delete(a.uses, id)
	a.mu.Unlock()
	if _, err := a.opts.Records.Uses.Delete(ctx, records.IAMKey(account, id), nil); err != nil && !fault.Is(err, fault.NotFound) {
		return err //nolint:wrapcheck // the store says what it could not do
	}
	return nil
}

// Run writes down when keys are used, until ctx ends; what is not written by then is written once more at the end.
func (a *Authority) Run(ctx context.Context) error {
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.flush(ctx, writeInterval)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			a.flush(last, 0)
			return nil
		}
	}
}

// flush writes the uses whose last write is longer ago than the interval.
func (a *Authority) flush(ctx context.Context, interval time.Duration) {
	for _, u := range a.due(interval) {
		if err := a.write(ctx, u); err != nil {
			a.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "the last use of a key was not written", slog.String("key", u.ID), slog.Any("error", err))
			return // the engine does not answer: the next time will do
		}
		a.mu.Lock()
		if now := a.uses[u.ID]; now != nil {
			now.written, now.fresh = u.At, now.At.After(u.At)
		}
		a.mu.Unlock()
	}
}

// due returns what is to be written, and forgets what is long written.
func (a *Authority) due(interval time.Duration) []use {
	now := a.opts.Clock()
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []use
	for id, u := range a.uses {
		switch {
		case !u.fresh && now.Sub(u.At) > forgetAfter:
			delete(a.uses, id)
		case u.fresh && now.Sub(u.written) >= interval:
			list = append(list, *u)
		}
	}
	return list
}

// write stores a use unless a later one is there, or the key is gone.
func (a *Authority) write(ctx context.Context, u use) error {
	if !a.exists(ctx, u) {
		return nil
	}
	key := records.IAMKey(u.account, u.ID)
	change := func(old resource.KeyUse) (resource.KeyUse, error) {
		if old.At.After(u.At) {
			return old, nil
		}
		return u.KeyUse, nil
	}
	_, err := a.opts.Records.Uses.Update(ctx, key, change)
	if fault.Is(err, fault.NotFound) {
		_, err = a.opts.Records.Uses.Create(ctx, key, u.KeyUse)
	}
	if fault.Is(err, fault.Conflict) { // another node was faster: what it wrote is as good
		return nil
	}
	return err //nolint:wrapcheck // the store says what it could not do
}

func (a *Authority) exists(ctx context.Context, u use) bool {
	if strings.HasPrefix(u.ID, permanentPrefix) {
		_, err := a.opts.Records.Users.Find(ctx, "accessKey", u.ID)
		return err == nil
	}
	_, err := a.opts.Records.Roles.Get(ctx, records.IAMKey(u.account, u.ID))
	return err == nil
}
