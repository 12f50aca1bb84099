package hls

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// VariantInfo describes a rendition for EXT-X-STREAM-INF. It is zero while the rendition is not ready.
type VariantInfo struct {
	Bandwidth        int // bits a second, the peak of all segments so far
	AverageBandwidth int // bits a second over the live window
	Codecs           string
	Width, Height    int
	FrameRate        float64
}

// Quality returns the name under which IVS players show a rendition, for instance "1080p60".
func (v VariantInfo) Quality() string {
	return strconv.Itoa(v.Height) + "p" + strconv.Itoa(int(v.FrameRate+0.5))
}

// SessionData holds the EXT-X-SESSION-DATA that IVS players read (spec ivs.md 9.3). Empty fields are left out.
type SessionData struct {
	Node           string        // NODE
	ServerTime     time.Time     // SERVER-TIME, as Unix seconds
	StreamTime     time.Duration // STREAM-TIME, since the stream started
	BroadcastID    string        // BROADCAST-ID, the stream id
	VideoSessionID string        // VIDEO-SESSION-ID, the viewer's playback session
}

// Multivariant renders the multivariant playlist. uri gives the media playlist of a variant, "" for one that is to be left out.
// Variants that are not ready are left out too; it is nil while none is there. EXT-X-INDEPENDENT-SEGMENTS is not set: what an encoder sends
// may have GOPs that are longer than a segment.
func (p *Presentation) Multivariant(uri func(Variant) string, extra SessionData) []byte {
	var text []byte
	told := make([]string, 0, 8) // more than a ladder has: it stays on the stack
	for _, v := range p.Variants() {
		s := v.Snapshot()
		info := s.Info()
		if !s.Ready() || info.Codecs == "" {
			continue
		}
		at := uri(v)
		if at == "" {
			continue
		}
		group := freeName(info.Quality(), func(name string) bool { return slices.Contains(told, name) })
		told = append(told, group)
		text = appendVariant(text, info, group, at)
	}
	if text == nil {
		return nil
	}
	b := append(make([]byte, 0, 512+len(text)), "#EXTM3U\n"...)
	b = extra.append(b)
	return append(b, text...)
}

// appendVariant writes a rendition as IVS does: an EXT-X-MEDIA without URI that names it, then its EXT-X-STREAM-INF.
// Renditions of one height and rate have groups of their own, because names within one must differ (RFC 8216bis 4.4.6.1.1).
func appendVariant(b []byte, v VariantInfo, group, uri string) []byte {
	b = fmt.Appendf(b, "#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=%q,NAME=%q,AUTOSELECT=YES,DEFAULT=YES\n",
		group, strings.TrimSuffix(group, "30"))
	b = fmt.Appendf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,", v.Bandwidth, v.AverageBandwidth)
	if v.Width > 0 && v.Height > 0 {
		b = fmt.Appendf(b, "RESOLUTION=%dx%d,", v.Width, v.Height)
	}
	return fmt.Appendf(b, "CODECS=%q,VIDEO=%q,FRAME-RATE=%.3f\n%s\n", v.Codecs, group, v.FrameRate, uri)
}

func (d *SessionData) append(b []byte) []byte {
	datum := func(id, value string) {
		if value != "" {
			b = fmt.Appendf(b, "#EXT-X-SESSION-DATA:DATA-ID=\"%s\",VALUE=\"%s\"\n", id, quoted.Replace(value))
		}
	}
	datum("NODE", d.Node)
	if !d.ServerTime.IsZero() {
		datum("SERVER-TIME", seconds(time.Duration(d.ServerTime.UnixNano())))
	}
	if d.StreamTime > 0 {
		datum("STREAM-TIME", seconds(d.StreamTime))
	}
	datum("BROADCAST-ID", d.BroadcastID)
	datum("VIDEO-SESSION-ID", d.VideoSessionID)
	return b
}

// quoted removes what a quoted string must not hold (RFC 8216bis 4.2).
var quoted = strings.NewReplacer("\"", "", "\n", "", "\r", "") //nolint:gochecknoglobals // immutable

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 2, 64)
}
