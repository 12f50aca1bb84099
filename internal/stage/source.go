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
	// Run hands on what comes until the source is over; nothing comes any more when it has returned. begin is told of each
	// layer before its first packet and returns who takes it, nil for nobody. One goroutine at a time calls begin and all
	// feeds; it may serve other sources too.
	Run(begin func(Layer) Feed)
	// Connected is closed when packets can come, Ended when the source is over.
	Connected() <-chan struct{}
	Ended() <-chan struct{}
	// Close ends the source and returns when nothing of it runs any more. It may be called more than once.
	Close()
}

// Feed takes what comes of one layer. Its methods do not block, and keep nothing.
type Feed interface {
	// Packet takes an RTP packet, in order of arrival.
	Packet(b []byte)
	// Report takes a sender report, whose time of arrival is not filled in.
	Report(r forward.SenderReport)
}

// Layer is one RTP stream of a source.
type Layer interface {
	Info() LayerInfo
	// RequestKeyframe asks for a keyframe. A source that cannot give one does nothing. Any goroutine may call it.
	RequestKeyframe()
}

// LayerInfo describes a layer.
type LayerInfo struct {
	Kind       Kind
	Index      int    // of video, 0 to forward.MaxLayers-1; the lowest first, for all that is known before packets come
	Label      string // what the publisher calls it, "" when there is only one
	Codec      forward.Codec
	Sets       [][]byte // of H.264: parameter sets that were agreed on outside of the stream; nil: none
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
	// Send takes a finished RTP packet of the stream of a kind, or of its retransmission, which leaves when the batch
	// ends. It keeps nothing of pkt.
	Send(k Kind, out Departure, pkt []byte) error
	// Report sends a sender report, which leaves when the batch ends.
	Report(k Kind, out Departure, r forward.Report)
	// Close ends the sink and returns when nothing of it runs any more. It may be called more than once.
	Close()
}

// Departure is packets that leave together: whoever makes one ends it soon. Sinks know what it is.
type Departure interface {
	// End sends the packets and gives up the departure.
	End()
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
