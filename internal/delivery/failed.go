package delivery

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/store"
)

// Failed is an entry of the list of deliveries that were given up.
type Failed struct {
	ID       string    `json:"id"` // names it to Resend
	Region   string    `json:"region"`
	Account  string    `json:"account"`
	At       time.Time `json:"at"` // when it was given up
	Delivery Delivery  `json:"delivery"`

	Sequence uint64 `json:"sequence"` // to go on with the list
}

// List is the list of failed deliveries of all targets. An operator sees it, and sends again.
type List struct{ Queue *store.Queue[Delivery] }

// maxFailed bounds a page.
const maxFailed = 100

// Page returns up to 100 failed deliveries behind a sequence, those that failed first in front. Region and account may be "".
func (l List) Page(ctx context.Context, region, account string, after uint64) ([]Failed, error) {
	out := []Failed{}
	for len(out) < maxFailed {
		item, err := l.Queue.NextOfAll(ctx, region, account, laneFailed, after)
		if bad, ok := errors.AsType[*store.UnreadableError](err); ok {
			after = bad.Head.Sequence
			continue
		}
		if err != nil || item == nil {
			return out, err
		}
		after = item.Sequence
		out = append(out, Failed{
			ID: idOf(item.Place), Region: item.Key.Region, Account: item.Key.Account, At: item.Time, Delivery: item.Value,
			Sequence: item.Sequence,
		})
	}
	return out, nil
}

// Resend puts a failed delivery back into its queue, behind what waits there, as if it had just been matched.
func (l List) Resend(ctx context.Context, region, account, id string) error {
	at, err := placeOf(region, account, id)
	if err != nil {
		return err
	}
	item, err := l.Queue.Get(ctx, at)
	if err != nil {
		return err
	}
	if item == nil {
		return fault.New(fault.NotFound, "there is no failed delivery %s", id)
	}
	d := item.Value
	d.Attempts, d.Dead, d.Exhausted, d.Code, d.Message, d.Matched = 0, false, "", "", "", time.Now()
	again := at
	again.Lane = laneFront
	if _, err := l.Queue.Put(ctx, again, d, time.Time{}); err != nil {
		return err
	}
	return l.Queue.Remove(ctx, item.Sequence)
}

// idOf names the place of a failed delivery: its queue and its event, which has no "@".
func idOf(at store.Place) string { return at.ID + "@" + at.Key.ID }

func placeOf(region, account, id string) (store.Place, error) {
	eventID, queue, ok := strings.Cut(id, "@")
	if !ok {
		return store.Place{}, fault.New(fault.Invalid, "%q names no failed delivery", id)
	}
	at := store.Place{Lane: laneFailed, ID: eventID}
	at.Key.Region, at.Key.Account, at.Key.ID = region, account, queue
	return at, nil
}
