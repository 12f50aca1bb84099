package broadcast

import (
	"fmt"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/rtmp"
)

// tally counts what an encoder has sent, so that it can be told why nothing of it can be shown.
type tally struct {
	since        time.Time // its first audio or video
	video, audio int       // messages
	pictures     int       // in video
	dropped      int       // messages that were damaged or did not fit
	last         error     // why the last of them was
	foreign      foreign
	first, span  int64 // of the pictures from the first keyframe on, in video ticks
	begun        bool  // a keyframe came: a stream can start
}

// foreign are tags of codecs that are not carried, each codec by its name.
type foreign struct{ video, audio string }

// note counts a message.
func (t *tally) note(m rtmp.Message) {
	switch m.Type {
	case rtmp.TypeVideo:
		t.video++
	case rtmp.TypeAudio:
		t.audio++
	default:
		return
	}
	if t.since.IsZero() {
		t.since = m.Arrived
	}
}

// picture counts one that was packaged.
func (t *tally) picture(f *media.Frame) {
	switch {
	case t.begun:
		t.span = f.DTS - t.first
	case f.Key:
		t.begun, t.first = true, f.DTS
	}
}

// missing says why nothing can be shown of what came.
func (in *intake) missing() string {
	switch t := &in.came; {
	case t.begun:
		span := time.Duration(t.span) * time.Second / media.VideoTimeScale
		return fmt.Sprintf("the time in the stream hardly moves, its pictures span %v", span.Round(time.Millisecond))
	case t.video == 0:
		return "no video came, and a channel needs H.264"
	case in.video == nil:
		return "no H.264 parameter sets came (AVC sequence header)"
	case t.pictures == 0:
		return "no picture came"
	}
	return "no keyframe (IDR picture) came"
}

// summary says what came.
func (in *intake) summary() string {
	t := &in.came
	video, audio := fmt.Sprintf("%d video", t.video), fmt.Sprintf("%d audio", t.audio)
	if in.video != nil {
		video += fmt.Sprintf(" (H.264 %dx%d)", in.video.Width, in.video.Height)
	}
	switch {
	case in.audio != nil:
		audio += " (AAC)"
	case t.foreign.audio != "":
		audio += " (" + t.foreign.audio + ")"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%s and %s messages", video, audio)
	if t.dropped > 0 {
		fmt.Fprintf(&s, ", %d of them of no use; the last: %v", t.dropped, t.last)
	}
	return s.String()
}
