package stage

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pion/rtcp"

	"github.com/rivus-live/rivus/internal/stage/forward"
)

// TestSenderReport reads with another parser what was written, for names of all lengths that matter.
func TestSenderReport(t *testing.T) {
	t.Parallel()
	r := forward.Report{RTP: 0x01020304, Packets: 5, Octets: 6000}
	for n := range 9 {
		name := strings.Repeat("x", n)
		got, err := rtcp.Unmarshal(appendSenderReport(nil, 77, 1<<40|9, r, name))
		if err != nil {
			t.Fatalf("name of %d: %v", n, err)
		}
		want := []rtcp.Packet{
			&rtcp.SenderReport{SSRC: 77, NTPTime: 1<<40 | 9, RTPTime: r.RTP, PacketCount: r.Packets, OctetCount: r.Octets},
			&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
				Source: 77, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: name}},
			}}},
		}
		if sr, ok := got[0].(*rtcp.SenderReport); !ok || sr.SSRC != 77 || len(got) != 2 {
			t.Fatalf("name of %d: %v", n, got)
		} else if len(sr.Reports) == 0 && len(sr.ProfileExtensions) == 0 {
			sr.Reports, sr.ProfileExtensions = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("name of %d: %v, not %v", n, got, want)
		}
	}
}
