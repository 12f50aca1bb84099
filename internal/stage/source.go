package stage

import (
	"time"

	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// Kind is what a track carries.
type Kind uint8

// The kinds.
const (
	Audio Kind = iota
	Video
	kinds // how many there are
)

// String returns the kind in lower case, as the wire has it.
func (k Kind) String() string {
	if k == Audio {
		return "audio"
	}
	return "video"
}

// Source is where a publication's packets come from: a peer connection, or whatever else makes RTP.
type Source interface {
	// Accept returns the next layer once it has a packet, and an error when no more will come.
	Accept() (Layer, error)
	// Ended is closed when the source is over.
	Ended() <-chan struct{}
	// Close ends the source and returns when nothing of it runs any more. Reads of its layers fail then.
	Close()
}

// Layer is one RTP stream of a source. One goroutine reads it; RequestKeyframe may come from any.
type Layer interface {
	Info() LayerInfo
	// Read returns the next RTP packet, in order of arrival.
	Read(b []byte) (int, error)
	// Report returns a sender report that has come since the last call, without waiting.
	Report() (forward.SenderReport, bool)
	// RequestKeyframe asks for a keyframe. A source that cannot give one does nothing.
	RequestKeyframe()
}

// LayerInfo describes a layer.
type LayerInfo struct {
	Kind       Kind
	Index      int    // of video, 0 is the lowest
	Label      string // what the publisher calls it, "" when there is only one
	Codec      forward.Codec
	ClockRate  uint32
	Extensions forward.Extensions // ids as the source writes them
}

// Sink takes the packets of a subscription. Send and Report of one kind come from one goroutine at a time.
type Sink interface {
	// Connected is closed when packets can be sent, Ended when they cannot any more.
	Connected() <-chan struct{}
	Ended() <-chan struct{}
	// Stream returns what was negotiated for a kind, once connected; false when the subscriber does not get it.
	Stream(k Kind) (forward.Stream, bool)
	// Send takes a finished RTP packet of the stream of a kind, or of its retransmission. It keeps nothing of pkt and
	// does not wait for the network.
	Send(k Kind, pkt []byte) error
	// Report sends a sender report.
	Report(k Kind, r forward.Report)
	// Close ends the sink and returns when nothing of it runs any more.
	Close()
}

// Feedback is what a sink's subscriber tells. Its methods do not block and may come from any goroutine.
type Feedback interface {
	// Lost names packets of a stream that have not arrived.
	Lost(k Kind, seqs []uint16)
	// KeyframeWanted says that the subscriber's decoder needs a keyframe.
	KeyframeWanted()
	// Arrivals is a transport-wide feedback message, whose first status is for the number base.
	Arrivals(base uint16, arrivals []bwe.Arrival)
}

// clock tells the time since an instant in the past, for everything that measures distances.
type clock func() time.Duration
