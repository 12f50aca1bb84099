package stage

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/stage/bwe"
)

// hearing translates a subscriber's RTCP. It is told whom it belongs to when the connection exists.
//
// It reads the bytes itself: transport-wide feedback comes twenty times a second from every subscriber and names every
// packet, so whatever were made for each of its statuses would be made for each packet that is forwarded. In steady
// state it allocates nothing.
type hearing struct {
	mu       sync.Mutex
	sink     *peerSink
	feedback Feedback

	symbols  []uint8
	arrivals []bwe.Arrival
	seqs     []uint16
}

func (h *hearing) attach(s *peerSink, f Feedback) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sink, h.feedback = s, f
}

// Types and formats of RTCP (RFC 3550, section 12.1; RFC 4585, section 6.1; RFC 5104, section 4.3.1).
const (
	rtcpTransportFeedback = 205
	rtcpPayloadFeedback   = 206
	formatNack            = 1
	formatTransportCC     = 15
	formatPLI             = 1
	formatFIR             = 4
	rtcpHeader            = 4
	feedbackHeader        = 12 // with the two SSRCs
)

// raw takes one RTCP packet, or several in one datagram. It keeps nothing of b, and passes over what it does not know.
func (h *hearing) raw(b []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.feedback == nil {
		return
	}
	for len(b) >= rtcpHeader && b[0]>>6 == 2 {
		size := rtcpHeader + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) {
			return
		}
		h.packet(b[:size])
		b = b[size:]
	}
}

// packet takes one RTCP packet of whole words.
func (h *hearing) packet(b []byte) {
	kind, format := b[1], b[0]&0x1f
	if b[0]&0x20 != 0 { // padding
		n := int(b[len(b)-1])
		if n == 0 || n > len(b)-rtcpHeader {
			return
		}
		b = b[:len(b)-n]
	}
	if len(b) < feedbackHeader {
		return
	}
	switch {
	case kind == rtcpTransportFeedback && format == formatNack:
		if k, ok := h.kindOf(binary.BigEndian.Uint32(b[8:])); ok {
			h.feedback.Lost(k, h.lost(b[feedbackHeader:]))
		}
	case kind == rtcpTransportFeedback && format == formatTransportCC:
		if base, list, ok := h.statuses(b[feedbackHeader:]); ok {
			h.feedback.Arrivals(base, list)
		}
	case kind == rtcpPayloadFeedback && (format == formatPLI || format == formatFIR):
		h.feedback.KeyframeWanted()
	}
}

func (h *hearing) kindOf(ssrc uint32) (Kind, bool) {
	for k, t := range h.sink.senders {
		if t == nil {
			continue
		}
		if own, _, _, _ := t.Stream(); own == ssrc {
			return Kind(k), true
		}
	}
	return 0, false
}

// lost lists the packets that a generic NACK names (RFC 4585, section 6.2.1), at most as many as are answered.
func (h *hearing) lost(b []byte) []uint16 {
	h.seqs = h.seqs[:0]
	for ; len(b) >= 4; b = b[4:] {
		first, more := binary.BigEndian.Uint16(b), uint32(binary.BigEndian.Uint16(b[2:]))<<1|1
		for seq := first; more != 0; seq, more = seq+1, more>>1 {
			if more&1 == 0 {
				continue
			}
			if len(h.seqs) == resendsAtOnce {
				return h.seqs
			}
			h.seqs = append(h.seqs, seq)
		}
	}
	return h.seqs
}

// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).
const (
	feedbackUnit = 64 * time.Millisecond
	deltaUnit    = 250 * time.Microsecond
	maxStatuses  = 4096 // of one message; later ones are left out

	statusSmall = 1 // received, with a delta of one byte
	statusLarge = 2 // received, with a delta of two bytes
)

// statuses expands a feedback message; false for one that contradicts itself.
func (h *hearing) statuses(b []byte) (base uint16, list []bwe.Arrival, ok bool) {
	if len(b) < 8 {
		return 0, nil, false
	}
	base = binary.BigEndian.Uint16(b)
	count := int(binary.BigEndian.Uint16(b[2:]))
	at := time.Duration(binary.BigEndian.Uint32(b[4:])>>8) * feedbackUnit
	deltas, ok := h.chunks(b[8:], count)
	if !ok {
		return 0, nil, false
	}
	h.arrivals = h.arrivals[:0]
	for _, symbol := range h.symbols {
		switch symbol {
		case statusSmall:
			if len(deltas) < 1 {
				return 0, nil, false
			}
			at += time.Duration(deltas[0]) * deltaUnit
			deltas = deltas[1:]
		case statusLarge:
			if len(deltas) < 2 {
				return 0, nil, false
			}
			at += time.Duration(int16(binary.BigEndian.Uint16(deltas))) * deltaUnit
			deltas = deltas[2:]
		default: // not received, or received nobody knows when
			h.arrivals = append(h.arrivals, bwe.Arrival{})
			continue
		}
		h.arrivals = append(h.arrivals, bwe.Arrival{Received: true, At: at})
	}
	return base, h.arrivals, len(h.arrivals) > 0
}

// chunks reads the symbols of count statuses and returns what follows them; false when the message is too short.
func (h *hearing) chunks(b []byte, count int) (rest []byte, ok bool) {
	h.symbols = h.symbols[:0]
	take := func(symbol uint16, n int) {
		for range min(n, maxStatuses-len(h.symbols)) {
			h.symbols = append(h.symbols, uint8(symbol))
		}
	}
	for seen := 0; seen < count; {
		if len(b) < 2 {
			return nil, false
		}
		chunk := binary.BigEndian.Uint16(b)
		b = b[2:]
		switch {
		case chunk&0x8000 == 0: // run length
			n := min(int(chunk&0x1fff), count-seen)
			if n == 0 {
				return nil, false
			}
			take(chunk>>13&3, n)
			seen += n
		case chunk&0x4000 == 0: // 14 symbols of one bit
			n := min(14, count-seen)
			for i := range n {
				take(chunk>>(13-i)&1, 1)
			}
			seen += n
		default: // 7 symbols of two bits
			n := min(7, count-seen)
			for i := range n {
				take(chunk>>(12-2*i)&3, 1)
			}
			seen += n
		}
	}
	return b, true
}
