package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
)

// engine is the raw side of the connection: bounded questions with our kinds of errors.
type engine struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	request natsd.Exchange
	room    func(deletion bool) error // asked before a write; nil for what is not stored on a disk of ours
}

func newEngine(c *natsd.Conn, room func(deletion bool) error) engine {
	return engine{nc: c.NATS(), js: c.JetStream(), request: c.Request, room: room}
}

// parting is how long a write that was sent is waited for when its caller has gone: an answer that is on its way is
// better than a doubt.
const parting = time.Second

// unsureError is the error of a write of which nobody knows whether the engine has it.
type unsureError struct{ error }

func (e unsureError) Unwrap() error { return e.error }

func isUnsure(err error) bool {
	_, ok := errors.AsType[unsureError](err)
	return ok
}

// outlive returns a context that ends parting after ctx, and at the latest after engineTimeout.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(parting, cancel) })
	return out, func() { stop(); cancel() }
}

// publish sends a message to its stream and returns its sequence. A failed expectation is errMismatch; an unsureError
// says that the message may be stored, now or later. After any other error it is not.
func (g engine) publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	if ctx.Err() != nil {
		return 0, fmt.Errorf("store: write: %w", ctx.Err())
	}
	if !g.nc.IsConnected() {
		return 0, unavailable(nats.ErrConnectionReconnecting)
	}
	if g.room != nil {
		if err := g.room(m.Header.Get(headerOperation) == operationDelete); err != nil {
			return 0, err
		}
	}
	asking, cancel := outlive(ctx)
	defer cancel()
	answer, err := g.request(asking, m)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return 0, unavailable(err)
	case err != nil && ctx.Err() != nil:
		return 0, unsureError{fmt.Errorf("store: write: %w", ctx.Err())}
	case err != nil:
		return 0, unsureError{unavailable(err)}
	}
	if staged(m, answer.Data) {
		return 0, nil
	}
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, unsureError{unavailable(fmt.Errorf("read the answer: %w", err))}
	}
	switch {
	case ack.Error == nil && ack.Sequence > 0:
		return ack.Sequence, nil
	case ack.Error == nil:
		return 0, unsureError{unavailable(errors.New("the answer holds no sequence"))}
	case ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return 0, errMismatch
	case ack.Error.ErrorCode == codeBatchIncomplete || ack.Error.ErrorCode == codeBatchesInFlight:
		return 0, errMismatch // nothing of it is stored: make it anew
	}
	return 0, unsureError{unavailable(ack.Error)} // a refusal; but one of an engine that fails may come after the deed
}

func unavailable(cause error) error {
	return fault.Wrap(fault.Unavailable, cause, "the state engine does not answer")
}

// lookup names one message of a stream: by sequence, or the last one under a subject, which may hold wildcards, or the
// first one under such a subject that has the sequence or a later one.
type lookup struct {
	Sequence uint64 `json:"seq,omitempty"`
	LastFor  string `json:"last_by_subj,omitempty"`
	NextFor  string `json:"next_by_subj,omitempty"`
}

// stored is a message as the engine keeps it.
type stored struct {
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	Time     time.Time `json:"time"`
}

// ask reads a message from the stream's leader, nil when there is none.
func (g engine) ask(ctx context.Context, stream string, what lookup) (*stored, error) {
	if !g.nc.IsConnected() {
		return nil, unavailable(nats.ErrConnectionReconnecting)
	}
	question, err := json.Marshal(what)
	if err != nil {
		return nil, fmt.Errorf("store: encode a question: %w", err)
	}
	asking, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	answer, err := g.request(asking, &nats.Msg{Subject: "$JS.API.STREAM.MSG.GET." + stream, Data: question})
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("store: read: %w", ctx.Err())
		}
		return nil, unavailable(err)
	}
	var got struct {
		Message *stored             `json:"message"`
		Error   *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return nil, unavailable(fmt.Errorf("read the answer: %w", err))
	}
	if got.Error != nil {
		if got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return nil, nil //nolint:nilnil // documented
		}
		return nil, unavailable(got.Error)
	}
	return got.Message, nil
}
