package rtmp

import (
	"errors"
	"io"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
	"github.com/rivus-live/rivus/internal/strangers"
)

// Publication is one publish request and, once accepted, the stream of its messages. Except for Close and SetIdle its
// methods are for the goroutine that Handler.Publish runs on.
type Publication struct {
	App          string         // application name, without slashes around it: "app"
	Key          string         // stream key; a secret
	Query        url.Values     // parameters behind the stream name, for instance priority; at most 32, 1 KiB together
	Secure       bool           // came over TLS
	Remote       netip.AddrPort // of the encoder
	FlashVersion string         // how the encoder names itself in connect; may be empty

	conn     *conn
	streamID uint32
	idle     atomic.Int64 // nanoseconds
	accepted bool
	over     bool      // the encoder has unpublished
	queue    []Message // rest of an aggregate message
}

var errNotAccepted = errors.New("rtmp: read before accept")

// Accept tells the encoder to start sending (NetStream.Publish.Start).
func (p *Publication) Accept() error {
	if p.accepted {
		return nil
	}
	c := p.conn
	p.accepted = true
	strangers.Prove(c.nc)
	c.server.publishing.Add(1)
	c.threshold = newThreshold(c.nc)
	c.in.Resize(mediaBuffer, chunk.Limits{
		MaxMedia:   c.server.o.MaxMessageSize,
		MaxOther:   min(scriptMessage, c.server.o.MaxMessageSize),
		MaxPending: 2 * c.server.o.MaxMessageSize, // audio and video interleaved, and room for script data
		MaxStreams: maxStreams,
	})
	c.out = appendEvent(c.out, eventStreamBegin, p.streamID)
	c.out = appendStatus(c.out, p.streamID, "status", CodeStart, "Publishing has started.")
	return c.flush()
}

// Read returns the next audio, video or data message. It returns io.EOF when the encoder has ended the stream in good
// order, os.ErrDeadlineExceeded when no message was completed for the idle time (Read may be called again and goes on
// where the stream stopped), the *Rejection given to Close after a Close, and any other error when the connection broke.
//
// A message costs one allocation, its payload. Messages without a body are left out.
func (p *Publication) Read() (Message, error) {
	if !p.accepted {
		return Message{}, errNotAccepted
	}
	c := p.conn
	if r := c.ended.Load(); r != nil {
		return Message{}, r
	}
	c.deadline = time.Now().Add(time.Duration(p.idle.Load()))
	if c.armed.After(c.deadline) { // the idle time was made shorter
		if err := c.armAt(c.deadline); err != nil {
			return Message{}, err
		}
	}
	for !p.over {
		if len(p.queue) > 0 {
			m := p.queue[0]
			p.queue = p.queue[1:]
			return m, nil
		}
		m, err := c.next()
		if err != nil {
			return Message{}, err
		}
		if m, ok, err := p.take(m); ok || err != nil {
			return m, err
		}
	}
	return Message{}, io.EOF
}

// take turns a message of the connection into one of the publication; ok is false when there is none to return.
func (p *Publication) take(m chunk.Message) (_ Message, ok bool, err error) {
	switch m.Type {
	case chunk.TypeDataAMF3: // AMF0 behind one byte that says so
		if len(m.Payload) > 0 && m.Payload[0] == 0 {
			m.Payload = m.Payload[1:]
		}
		m.Type = TypeData
	case TypeAudio, TypeVideo, TypeData:
	case chunk.TypeAggregate:
		p.queue, err = splitAggregate(m, p.conn.arrived)
		return Message{}, false, err
	case chunk.TypeCommandAMF0, chunk.TypeCommandAMF3:
		return Message{}, false, p.command(m)
	default:
		return Message{}, false, nil
	}
	if len(m.Payload) == 0 {
		return Message{}, false, nil
	}
	p.conn.batch.saw(m.Type, len(m.Payload))
	return Message{Type: m.Type, Timestamp: m.Timestamp, Payload: m.Payload, Arrived: p.conn.arrived}, true, nil
}

// command serves what an encoder says while it publishes.
func (p *Publication) command(m chunk.Message) error {
	cmd, err := parseCommand(m)
	if err != nil {
		return &chunk.Error{Text: err.Error()}
	}
	switch cmd.name {
	case "FCUnpublish", "closeStream":
		p.over = true
	case "deleteStream":
		var id any
		if len(cmd.args) > 1 {
			id = cmd.args[1]
		}
		number, is := id.(float64)
		p.over = !is || uint32(number) == p.streamID || p.streamID == 0
	case "publish":
		p.conn.out = appendStatus(p.conn.out, cmd.streamID, "error", CodeBadName, "this connection publishes already")
		return p.conn.flush()
	}
	return nil
}

// SetIdle sets how long Read waits for a message to be completed; the count starts anew with each call of Read. It may
// be called from any goroutine and takes effect with the next call of Read.
func (p *Publication) SetIdle(d time.Duration) { p.idle.Store(int64(d)) }

// Close ends the publication from any goroutine: Read returns at once with a *Rejection of these words, and the encoder
// is sent them as an error status before the connection closes. The first call decides; it does not wait.
func (p *Publication) Close(code, description string) { p.conn.end(&Rejection{code, description}) }
