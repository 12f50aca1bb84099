package stage

import (
	"encoding/binary"

	"github.com/rivus-live/rivus/internal/stage/forward"
)

// Types of RTCP (RFC 3550, section 12.1), and the only item of a description that we send.
const (
	rtcpSenderReport = 200
	rtcpDescription  = 202
	itemCNAME        = 1
)

// appendSenderReport appends the compound packet that tells a subscriber of a stream: a sender report without blocks, and
// a description with the CNAME, of at most 255 bytes (RFC 3550, sections 6.4.1 and 6.5). ntp is the instant of the report.
func appendSenderReport(b []byte, ssrc uint32, ntp uint64, r forward.Report, cname string) []byte {
	b = append(b, 2<<6, rtcpSenderReport, 0, 6)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	b = binary.BigEndian.AppendUint64(b, ntp)
	b = binary.BigEndian.AppendUint32(b, r.RTP)
	b = binary.BigEndian.AppendUint32(b, r.Packets)
	b = binary.BigEndian.AppendUint32(b, r.Octets)
	words := 1 + (2+len(cname))/4 + 1 // the item is followed by one to four zeros
	b = append(b, 2<<6|1, rtcpDescription, 0, byte(words))
	b = binary.BigEndian.AppendUint32(b, ssrc)
	b = append(b, itemCNAME, byte(len(cname)))
	b = append(b, cname...)
	var zeros [4]byte
	return append(b, zeros[:4-(2+len(cname))%4]...)
}
