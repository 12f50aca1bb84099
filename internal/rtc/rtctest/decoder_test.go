package rtctest

import (
	"slices"
	"testing"

	"github.com/pion/webrtc/v4"
)

// stream makes the packets of frames of one layer; the keyframes are told by their numbers.
func stream(mime string, layer, first, frames, packets int, seq uint16, keys ...int) []Got {
	var out []Got
	for n := first; n < first+frames; n++ {
		for _, p := range Frame(mime, slices.Contains(keys, n), layer, packets, uint32(n), uint32(n)*3000) {
			g := Got{Kind: webrtc.RTPCodecTypeVideo, Header: p.Header, Payload: p.Payload}
			g.Header.SequenceNumber = seq
			g.read(p.Payload)
			out = append(out, g)
			seq++
		}
	}
	return out
}

// decode gives packets to a new decoder.
func decode(packets []Got) Report {
	var d Decoder
	for _, g := range packets {
		d.Put(g)
	}
	return d.Report
}

func TestDecoder(t *testing.T) {
	t.Parallel()
	const vp8 = webrtc.MimeTypeVP8
	whole := func() []Got { return stream(vp8, 0, 0, 60, 3, 65500, 0, 40) }
	for name, c := range map[string]struct {
		packets []Got
		want    Report
	}{
		"perfect": {whole(), Report{Packets: 180, Frames: 60, Keyframes: 2}},
		"H264":    {stream(webrtc.MimeTypeH264, 0, 0, 60, 3, 65500, 0, 40), Report{Packets: 180, Frames: 60, Keyframes: 2}},
		"VP9":     {stream(webrtc.MimeTypeVP9, 0, 0, 60, 3, 65500, 0, 40), Report{Packets: 180, Frames: 60, Keyframes: 2}},
		"out of order": {
			func() []Got { s := whole(); s[31], s[35] = s[35], s[31]; return s }(),
			Report{Packets: 180, Frames: 60, Keyframes: 2},
		},
		"lost and sent again, twice": {
			func() []Got {
				s := whole()
				again := s[31]
				again.Resent = true
				return slices.Insert(slices.Delete(s, 31, 32), 36, again, again)
			}(),
			Report{Packets: 180, Resent: 1, Repeated: 1, Frames: 60, Keyframes: 2},
		},
		// Frame 10 lacks a packet. It is given up when frame 25 comes; from there on a keyframe is asked for every ten
		// frames, and 40 is one.
		"lost": {
			slices.Delete(whole(), 31, 32),
			Report{Packets: 179, Frames: 30, Keyframes: 2, GivenUp: 1, Skipped: 29, Requests: 2},
		},
		"cut for another layer": {
			append(stream(vp8, 0, 0, 10, 3, 0, 0)[:29], rewritten(stream(vp8, 1, 9, 10, 3, 29, 9), 9, 0)...),
			Report{Packets: 59, Frames: 19, Keyframes: 2, Switches: 1, Broken: 1},
		},
		"a frame left out without a hole": {
			append(stream(vp8, 0, 0, 10, 3, 0, 0), stream(vp8, 0, 11, 10, 3, 30)...),
			Report{Packets: 60, Frames: 10, Keyframes: 1, Skipped: 9, Requests: 2, Faults: 2, Fault: "VP8 counters that do not go on"},
		},
		"another layer's counters": {
			append(stream(vp8, 0, 0, 10, 3, 0, 0), stream(vp8, 1, 10, 10, 3, 30, 10)...),
			Report{Packets: 60, Frames: 20, Keyframes: 2, Switches: 1, Faults: 1, Fault: "VP8 counters that do not go on"},
		},
		"time goes back": {
			append(stream(vp8, 0, 5, 5, 1, 0, 5), rewritten(stream(vp8, 0, 2, 5, 1, 5, 2), 9, 0)...),
			Report{Packets: 10, Frames: 10, Keyframes: 2, Faults: 1, Fault: "a timestamp that goes back"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := decode(c.packets)
			c.want.Layer, c.want.Frame, c.want.Stamp = got.Layer, got.Frame, got.Stamp
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// rewritten lets VP8 counters go on after a frame of a layer, and the timestamps with them where they would not.
func rewritten(packets []Got, after uint32, layer int) []Got {
	first := packets[0].Frame
	stamp := packets[0].Header.Timestamp
	for i := range packets {
		id, tl0 := VP8Counters(layer, after+1+packets[i].Frame-first)
		b := slices.Clone(packets[i].Payload)
		b[2], b[3], b[4] = 0x80|byte(id>>8), byte(id), tl0
		packets[i].Payload = b
		if stamp == after*3000 {
			packets[i].Header.Timestamp++
		}
	}
	return packets
}
