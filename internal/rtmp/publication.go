package rtmp

import (
	"errors"
	"net/netip"
	"net/url"
	"time"
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
}

// Accept tells the encoder to start sending (NetStream.Publish.Start).
func (p *Publication) Accept() error { return errors.ErrUnsupported }

// Read returns the next audio, video or data message. It returns io.EOF when the encoder has ended the stream in good
// order, os.ErrDeadlineExceeded when no message was completed for the idle time (Read may be called again and goes on
// where the stream stopped), the *Rejection given to Close after a Close, and any other error when the connection broke.
func (p *Publication) Read() (Message, error) { return Message{}, errors.ErrUnsupported }

// SetIdle sets how long Read waits for a message to be completed; the count starts anew with each call of Read. It may
// be called from any goroutine and takes effect with the next call of Read.
func (p *Publication) SetIdle(d time.Duration) { _ = d }

// Close ends the publication from any goroutine: Read returns at once with a *Rejection of these words, and the encoder
// is sent them as an error status before the connection closes. The first call decides; it does not wait.
func (p *Publication) Close(code, description string) { _, _ = code, description }
