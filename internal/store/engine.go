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
)

// engine is the raw side of the connection: bounded questions with our kinds of errors.
type engine struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	room func() error // asked before a write; nil for what is not stored on a disk of ours
}

// publish sends a message to its stream and returns its sequence. A failed expectation is errMismatch.
func (g engine) publish(ctx context.Context, m *nats.Msg) (uint64, error) {
	if !g.nc.IsConnected() {
		return 0, unavailable(nats.ErrConnectionReconnecting)
	}
	if g.room != nil {
		if err := g.room(); err != nil {
			return 0, err
		}
	}
	asking, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	answer, err := g.nc.RequestMsgWithContext(asking, m)
	if err != nil {
		if ctx.Err() != nil {
			return 0, fmt.Errorf("store: write: %w", ctx.Err())
		}
		return 0, unavailable(err)
	}
	var ack struct {
		Sequence uint64              `json:"seq"`
		Error    *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, unavailable(fmt.Errorf("read the answer: %w", err))
	}
	switch {
	case ack.Error == nil && ack.Sequence > 0:
		return ack.Sequence, nil
	case ack.Error == nil:
		return 0, unavailable(errors.New("the answer holds no sequence"))
	case ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || ack.Error.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return 0, errMismatch
	}
	return 0, unavailable(ack.Error)
}

func unavailable(cause error) error {
	return fault.Wrap(fault.Unavailable, cause, "the state engine does not answer")
}

// lookup names one message of a stream: by sequence, or the last one under a subject, which may hold wildcards.
type lookup struct {
	Sequence uint64 `json:"seq,omitempty"`
	LastFor  string `json:"last_by_subj,omitempty"`
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
	answer, err := g.nc.RequestWithContext(asking, "$JS.API.STREAM.MSG.GET."+stream, question)
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
