package stage

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// This file joins WebRTC to the stage: an rtc.Inbound is a Source, an rtc.Outbound is a Sink.

// codecs are the names of rtc as forward knows them.
var codecs = map[string]forward.Codec{ //nolint:gochecknoglobals // a constant table
	"opus": forward.Opus, "H264": forward.H264, "VP8": forward.VP8, "VP9": forward.VP9, "AV1": forward.AV1,
}

// formatOf returns a codec of rtc as a publication's format, nil for nil.
func formatOf(c *rtc.Codec) *Format {
	if c == nil {
		return nil
	}
	return &Format{Name: c.Name, ClockRate: c.ClockRate, Parameters: c.Fmtp}
}

// codec is the inverse of formatOf, as far as subscribers have to match it.
func (f *Format) codec() rtc.Codec {
	return rtc.Codec{Name: f.Name, ClockRate: f.ClockRate, Fmtp: f.Parameters}
}

// plays reports whether what was negotiated for other receives f as well.
func (f *Format) plays(other *Format) bool { return *f == *other }

// peerSource is a publisher's connection.
type peerSource struct {
	*rtc.Inbound
	offer *rtc.Offer
	rids  []string // by index
}

var _ Source = (*peerSource)(nil)

// Run implements Source.
func (s *peerSource) Run(begin func(Layer) Feed) {
	s.Inbound.Run(func(l *rtc.Layer) rtc.Feed {
		info := LayerInfo{
			Label: l.RID, Codec: codecs[l.Codec.Name], ClockRate: l.Codec.ClockRate,
			Extensions: readable(s.offer.Audio),
		}
		if l.Kind == rtc.Video {
			info.Kind, info.Extensions = Video, readable(s.offer.Video)
			if l.RID != "" {
				info.Index = slices.Index(s.rids, l.RID)
			} else { // they are of one picture size
				info.Sets = l.Codec.Sets
			}
		}
		if f := begin(&peerLayer{Layer: l, info: info}); f != nil {
			return peerFeed{f}
		}
		return nil
	})
}

// readable returns the extensions that a section's packets may have.
func readable(s *rtc.Section) forward.Extensions {
	if s == nil {
		return forward.Extensions{}
	}
	return forward.Extensions(s.Extensions)
}

// peerLayer is one RTP stream of a publisher's connection.
type peerLayer struct {
	*rtc.Layer
	info LayerInfo
}

func (l *peerLayer) Info() LayerInfo { return l.info }

// peerFeed is a Feed as rtc calls it.
type peerFeed struct{ Feed }

// Report implements rtc.Feed.
func (f peerFeed) Report(r rtc.SenderReport) {
	f.Feed.Report(forward.SenderReport{NTP: r.NTP, RTP: r.RTP})
}

// peerSink is a subscriber's connection.
type peerSink struct {
	*rtc.Outbound
	senders [kinds]*rtc.Sender
	reports [kinds][]byte // for the next one
	cname   string
}

var _ Sink = (*peerSink)(nil)

// newPeerSink wraps a connection.
func newPeerSink(out *rtc.Outbound, cname string) *peerSink {
	return &peerSink{Outbound: out, cname: cname, senders: [kinds]*rtc.Sender{Audio: out.Audio(), Video: out.Video()}}
}

// Stream implements Sink.
func (s *peerSink) Stream(k Kind) (forward.Stream, bool) {
	t := s.senders[k]
	if t == nil {
		return forward.Stream{}, false
	}
	select {
	case <-s.Connected():
	default:
		return forward.Stream{}, false
	}
	ssrc, payload, rtx, rtxPayload := t.Stream()
	return forward.Stream{
		Codec: codecs[t.Codec.Name], ClockRate: t.Codec.ClockRate,
		SSRC: ssrc, PayloadType: payload, RTXSSRC: rtx, RTXPayloadType: rtxPayload,
		Repeats: t.Repeats(), Extensions: forward.Extensions(t.Extensions),
	}, true
}

// Send implements Sink.
func (s *peerSink) Send(k Kind, out Departure, pkt []byte) error {
	batch, _ := out.(*rtc.Batch)
	return s.senders[k].Write(batch, pkt) //nolint:wrapcheck // hot
}

// Report implements Sink.
func (s *peerSink) Report(k Kind, out Departure, r forward.Report) {
	ssrc, _, _, _ := s.senders[k].Stream()
	s.reports[k] = appendSenderReport(s.reports[k][:0], ssrc, ntp(time.Now()), r, s.cname)
	batch, _ := out.(*rtc.Batch)
	_ = s.WriteRTCP(batch, s.reports[k]) // what cannot be sent is lost
}

// ntp returns an instant as 32.32 fixed point seconds since 1900 (RFC 5905, section 6).
func ntp(t time.Time) uint64 {
	const from1900 = 2_208_988_800
	seconds := uint64(t.Unix()) + from1900
	return seconds<<32 | uint64(t.Nanosecond())<<32/1_000_000_000
}

// randomName makes the CNAME of a participant's streams (RFC 7022, section 4.2).
func randomName() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 16)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))] // a label, not a secret
	}
	return string(b)
}
