package flv

import (
	"bytes"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/flv"
	"github.com/rivus-live/rivus/internal/media/h264"
)

func (d *Demuxer) takeVideo(m *ingest.Message, t *Tag) error {
	tag, err := flv.ParseVideo(t.Payload)
	if err != nil {
		return err
	}
	switch tag.Kind {
	case flv.SequenceHeader:
		return d.takeVideoConfig(m, tag.Payload)
	case flv.NALUs:
	default:
		return nil
	}
	au, err := d.framing.Normalize(tag.Payload)
	if err != nil {
		return err
	}
	if len(au) == 0 {
		return errEmpty
	}
	if err := d.refreshVideo(m, au); err != nil {
		return err
	}
	f := &m.Frame
	f.Track, f.Key, f.Data, f.Arrived = d.settings.Video, h264.IsKey(au), au, t.Arrived
	f.DTS, f.Offset = d.timeline.Video(t.Timestamp, tag.CompositionTime)
	return nil
}

// refreshVideo takes the parameter sets that a picture brings.
func (d *Demuxer) refreshVideo(m *ingest.Message, au []byte) error {
	if d.settings.Video == nil {
		track, err := h264.Begin(au)
		if err == nil && track == nil {
			err = errNoConfig
		}
		if err != nil {
			return err
		}
		d.announceVideo(m, track)
		return nil
	}
	track, err := h264.Refresh(d.settings.Video, au)
	if err != nil {
		return err
	}
	if track != d.settings.Video {
		d.settings.Video, m.Changed = track, true
	}
	return nil
}

// takeVideoConfig takes a sequence header. One that makes no sense is reported as foreign when there is no other, because
// nothing can ever be shown then.
func (d *Demuxer) takeVideoConfig(m *ingest.Message, record []byte) error {
	if len(record) == 0 {
		return errEmpty // the sets come with the pictures then
	}
	track, err := h264.ParseConfig(record)
	if err != nil && d.settings.Video == nil {
		return &ingest.UnsupportedError{Medium: ingest.Video, Codec: err.Error(), Variant: true}
	}
	if err != nil {
		return err
	}
	d.framing.Size = h264.LengthSize(record)
	if v := d.settings.Video; v == nil || !bytes.Equal(v.Config, track.Config) {
		d.announceVideo(m, track)
	}
	return nil
}

// announceVideo puts a track in the place of the present one, with what the encoder says of it.
func (d *Demuxer) announceVideo(m *ingest.Message, track *media.Track) {
	if track.FrameRate == 0 {
		track.FrameRate = d.settings.FrameRate
	}
	track.Bitrate = d.settings.VideoBitrate
	d.settings.Video, m.Changed = track, true
}
