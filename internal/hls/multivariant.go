package hls

import (
	"time"

	"github.com/rivus-live/rivus/internal/resource"
)

// VariantInfo describes a rendition for EXT-X-STREAM-INF.
type VariantInfo struct {
	Bandwidth        int // bits a second, the peak of all segments so far
	AverageBandwidth int // bits a second over the live window
	Codecs           string
	Width, Height    int
	FrameRate        float64
}

// Presentation is one broadcast as viewers see it: a stream id and its renditions.
type Presentation struct {
	StreamID   string
	Channel    resource.Channel // as it was when the stream started
	StartedAt  time.Time
	Renditions []*Rendition
}

// Rendition is one quality of a presentation. Its name is a path segment of its URLs.
type Rendition struct {
	Name string
	*Packager
}

// SessionData holds the EXT-X-SESSION-DATA that IVS players read (spec ivs.md 9.3). Empty fields are left out.
type SessionData struct {
	Node           string        // NODE
	ServerTime     time.Time     // SERVER-TIME, as Unix seconds
	StreamTime     time.Duration // STREAM-TIME, since the stream started
	BroadcastID    string        // BROADCAST-ID, the stream id
	VideoSessionID string        // VIDEO-SESSION-ID, the viewer's playback session
}

// Multivariant renders the multivariant playlist. uri gives the media playlist of a rendition by its name.
func (p *Presentation) Multivariant(uri func(rendition string) string, extra SessionData) []byte {
	return nil
}
