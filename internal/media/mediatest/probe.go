package mediatest

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

// Packet is one packet as ffprobe reads it.
type Packet struct {
	Stream string // "video", "audio" or "data"
	PTS    int64  // in the time base of the file's stream
	DTS    int64
	Size   int
	Key    bool
}

// Probe lists the packets of a file in its order.
func Probe(tb testing.TB, path string) []Packet {
	tb.Helper()
	out := Run(tb, "ffprobe", "-loglevel", "warning", "-of", "json",
		"-show_entries", "packet=codec_type,pts,dts,size,flags", path)
	var list struct {
		Packets []struct {
			Type  string `json:"codec_type"`
			PTS   int64  `json:"pts"`
			DTS   int64  `json:"dts"`
			Size  string `json:"size"`
			Flags string `json:"flags"`
		} `json:"packets"`
	}
	if err := json.Unmarshal(out, &list); err != nil {
		tb.Fatal(err)
	}
	packets := make([]Packet, 0, len(list.Packets))
	for _, p := range list.Packets {
		size, err := strconv.Atoi(p.Size)
		if err != nil {
			tb.Fatal(err)
		}
		packets = append(packets, Packet{p.Type, p.PTS, p.DTS, size, strings.HasPrefix(p.Flags, "K")})
	}
	return packets
}

// Of returns the packets of one kind of stream.
func Of(packets []Packet, stream string) []Packet {
	var own []Packet
	for _, p := range packets {
		if p.Stream == stream {
			own = append(own, p)
		}
	}
	return own
}

// Pictures decodes the video of a file and returns a hash of all pictures. It fails the test on any complaint of the
// demuxer or the decoder.
func Pictures(tb testing.TB, path string) string {
	tb.Helper()
	return string(Run(tb, "ffmpeg", "-hide_banner", "-nostats", "-loglevel", "warning", "-xerror", "-threads", "1", "-i", path,
		"-map", "0:v", "-fps_mode", "passthrough", "-f", "md5", "-"))
}

// Sound decodes the audio of a file and returns a hash of all samples. It fails the test like Pictures.
func Sound(tb testing.TB, path string) string {
	tb.Helper()
	return string(Run(tb, "ffmpeg", "-hide_banner", "-nostats", "-loglevel", "warning", "-xerror", "-i", path, "-map", "0:a",
		"-c:a", "pcm_s16le", "-f", "md5", "-"))
}

// Of returns the clip's frames of one track.
func (c *Clip) Of(t *media.Track) []media.Frame {
	var own []media.Frame
	for _, f := range c.Frames {
		if f.Track == t {
			own = append(own, f)
		}
	}
	return own
}

func itoa(n int) string { return strconv.Itoa(n) }

func formatSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
