package flv

import (
	"bytes"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/flv"
)

func (d *Demuxer) takeAudio(m *ingest.Message, t *Tag) error {
	tag, err := flv.ParseAudio(t.Payload)
	if err != nil {
		return err
	}
	switch tag.Kind {
	case flv.SequenceHeader:
		return d.takeAudioConfig(m, tag.Payload)
	case flv.Raw:
	default:
		return nil
	}
	track := d.settings.Audio
	if track == nil || d.muted {
		return errNoConfig
	}
	if err := aac.CheckFrame(tag.Payload); err != nil {
		return err
	}
	dts, ok := d.timeline.Audio(t.Timestamp, track.TimeScale, aac.FrameSamples)
	if !ok {
		return errOverlap
	}
	f := &m.Frame
	f.Track, f.DTS, f.Key, f.Data, f.Arrived = track, dts, true, tag.Payload, t.Arrived
	return nil
}

// takeAudioConfig takes a sequence header. Sound of a kind that is not carried is silent until another one comes.
func (d *Demuxer) takeAudioConfig(m *ingest.Message, asc []byte) error {
	track, err := aac.ParseConfig(asc)
	if len(asc) < 2 {
		return err // damaged: it says nothing about what follows
	}
	d.muted = err != nil
	if err != nil {
		return &ingest.UnsupportedError{Medium: ingest.Audio, Codec: err.Error(), Variant: true}
	}
	if a := d.settings.Audio; a != nil && bytes.Equal(a.Config, track.Config) {
		return nil
	}
	track.Bitrate = d.settings.AudioBitrate
	d.settings.Audio, m.Changed = track, true
	return nil
}
