package stage

import (
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtcp"

	"github.com/rivus-live/rivus/internal/resource"
)

func TestOrderOfLayers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"hi mid low": "low mid hi", "f h q": "q h f", "q h f": "q h f", "l m h": "l m h", "h m l": "l m h", "2 1 0": "0 1 2",
		"r0 r1 r2": "r0 r1 r2", "high low": "low high", "a b c": "a b c", "low x hi": "low x hi", "": "",
	} {
		if got := order(strings.Fields(in)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func TestClientDetails(t *testing.T) {
	t.Parallel()
	for ua, want := range map[string][4]string{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36": {"Linux", "", "Google Chrome", "156.0.0.0"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0.1":   {"Windows", "10.0", "Microsoft Edge", "120.0.1"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) Version/17.2 Mobile/15E148 Safari/604.1":        {"iOS", "17.2", "Safari", "17.2"},
		"OBS-Studio/30.1.2 (windows-x64; Windows NT 10.0)":                                                      {"Windows", "10.0", "OBS Studio", "30.1.2"},
		"curl/8": {},
		"":       {},
	} {
		var p resource.Participant
		client{userAgent: ua}.fill(&p)
		if got := [4]string{p.OSName, p.OSVersion, p.BrowserName, p.BrowserVersion}; got != want {
			t.Errorf("%s: %q", ua, got)
		}
	}
}

func TestStatusesOfFeedback(t *testing.T) {
	t.Parallel()
	h := &hearing{}
	list, ok := h.statuses(&rtcp.TransportLayerCC{
		PacketStatusCount: 4, ReferenceTime: 2,
		PacketChunks: []rtcp.PacketStatusChunk{
			&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 2},
			&rtcp.StatusVectorChunk{SymbolList: []uint16{rtcp.TypeTCCPacketNotReceived, rtcp.TypeTCCPacketReceivedLargeDelta, 0}},
		},
		RecvDeltas: []*rtcp.RecvDelta{{Delta: 1000}, {Delta: 250}, {Delta: -500}},
	})
	if !ok || len(list) != 4 || list[2].Received || !list[3].Received {
		t.Fatalf("%v %+v", ok, list)
	}
	if list[0].At.Microseconds() != 129_000 || list[1].At.Microseconds() != 129_250 || list[3].At.Microseconds() != 128_750 {
		t.Errorf("%+v", list)
	}
	if _, ok := h.statuses(&rtcp.TransportLayerCC{
		PacketStatusCount: 9, PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{PacketStatusSymbol: 1, RunLength: 9}},
	}); ok {
		t.Error("feedback without its deltas was taken")
	}
}

// FuzzFeedback: RTCP of a subscriber is bounded in what it makes us do.
func FuzzFeedback(f *testing.F) {
	add := func(p rtcp.Packet) {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add(&rtcp.TransportLayerNack{MediaSSRC: 1, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}})
	add(&rtcp.PictureLossIndication{MediaSSRC: 1})
	add(&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 2}}})
	f.Fuzz(func(t *testing.T, b []byte) {
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			return
		}
		h := &hearing{}
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.TransportLayerNack:
				if n := len(h.lost(p)); n > resendsAtOnce {
					t.Fatalf("%d packets", n)
				}
			case *rtcp.TransportLayerCC:
				if list, ok := h.statuses(p); ok && len(list) > maxStatuses {
					t.Fatalf("%d statuses", len(list))
				}
			}
		}
	})
}

// FuzzCommand: a message of a client is bounded, whatever it holds.
func FuzzCommand(f *testing.F) {
	f.Add([]byte(`{"type":"SELECT_LAYER","payload":{"id":"a","layer":"hi"}}`))
	f.Add([]byte(`{"type":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, ok := parseCommand(b); ok && (c.Type == "" || len(c.Type) > 64) {
			t.Fatalf("type %q", c.Type)
		}
	})
}
