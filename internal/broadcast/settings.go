package broadcast

import (
	"fmt"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media/h264"
	"github.com/rivus-live/rivus/internal/resource"
)

// fillSession writes what a publisher tells of itself into a session's record (spec ivs.md 14.1). The software is how it
// named itself when it connected.
func fillSession(to *resource.Session, s *ingest.Settings, software string) {
	to.Encoder = s.Encoder
	if to.Encoder == "" {
		to.Encoder = software
	}
	to.Video, to.Audio = nil, nil
	if t := s.Video; t != nil {
		to.Video = &resource.VideoSetting{
			Codec: t.CodecName, Profile: h264.Profile(t), Level: h264.Level(t), Width: t.Width, Height: t.Height,
			TargetBitrate: s.VideoBitrate, TargetFramerate: s.FrameRate,
		}
	}
	if t := s.Audio; t != nil {
		to.Audio = &resource.AudioSetting{
			Codec: t.CodecName, Channels: t.Channels, SampleRate: t.SampleRate, TargetBitrate: s.AudioBitrate,
		}
	}
}

// matchSettings tells whether a publisher may go on in a stream that has run with other settings.
func matchSettings(running, next *ingest.Settings) error {
	if running.Video == nil && running.Audio == nil {
		return nil // nothing was sent yet
	}
	switch v, w := running.Video, next.Video; {
	case (v == nil) != (w == nil), (running.Audio == nil) != (next.Audio == nil):
		return fmt.Errorf("the running stream has %s, this one %s", tracksOf(running), tracksOf(next))
	case v != nil && (v.Codec != w.Codec || v.Width != w.Width || v.Height != w.Height):
		return fmt.Errorf("the running stream is %dx%d, this one %dx%d", v.Width, v.Height, w.Width, w.Height)
	}
	return nil // AAC-LC is the only audio codec
}

func tracksOf(s *ingest.Settings) string {
	switch {
	case s.Video == nil:
		return "audio only"
	case s.Audio == nil:
		return "video only"
	}
	return "video and audio"
}
