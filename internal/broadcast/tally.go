package broadcast

import (
	"fmt"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media"
)

// tally counts what a publisher has sent, so that it can be told why nothing of it can be shown.
type tally struct {
	since        time.Time // its first audio or video
	video, audio int       // messages
	pictures     int       // that were packaged
	dropped      int       // messages that were damaged or did not fit
	last         error     // why the last of them was
	foreign      foreign
	first, span  int64 // of the pictures from the first keyframe on, in video ticks
	begun        bool  // a keyframe came: a stream can start
}

// foreign are codecs that are not carried, each by its name.
type foreign struct{ video, audio string }

// note counts a message.
func (t *tally) note(m *ingest.Message) {
	switch m.Medium {
	case ingest.Video:
		t.video++
	case ingest.Audio:
		t.audio++
	case ingest.Data:
		return
	}
	if t.since.IsZero() {
		t.since = m.Arrived
	}
}

// frame counts one that was packaged.
func (t *tally) frame(f *media.Frame) {
	if !f.Track.IsVideo() {
		return
	}
	t.pictures++
	switch {
	case t.begun:
		t.span = f.DTS - t.first
	case f.Key:
		t.begun, t.first = true, f.DTS
	}
}

// missing says why nothing can be shown of what came.
func (in *intake) missing(parameterSets string) string {
	switch t := &in.came; {
	case t.begun:
		span := time.Duration(t.span) * time.Second / media.VideoTimeScale
		return fmt.Sprintf("the time in the stream hardly moves, its pictures span %v", span.Round(time.Millisecond))
	case t.video == 0:
		return "no video came, and a channel needs H.264"
	case in.settings.Video == nil && parameterSets != "":
		return fmt.Sprintf("no H.264 parameter sets came (%s)", parameterSets)
	case in.settings.Video == nil:
		return "no H.264 parameter sets came"
	case t.pictures == 0:
		return "no picture came"
	}
	return "no keyframe (IDR picture) came"
}

// summary says what came.
func (in *intake) summary() string {
	t, s := &in.came, &in.settings
	video, audio := fmt.Sprintf("%d video", t.video), fmt.Sprintf("%d audio", t.audio)
	if s.Video != nil {
		video += fmt.Sprintf(" (H.264 %dx%d)", s.Video.Width, s.Video.Height)
	}
	switch {
	case s.Audio != nil:
		audio += " (AAC)"
	case t.foreign.audio != "":
		audio += " (" + t.foreign.audio + ")"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s and %s messages", video, audio)
	if t.dropped > 0 {
		fmt.Fprintf(&text, ", %d of them of no use; the last: %v", t.dropped, t.last)
	}
	return text.String()
}
