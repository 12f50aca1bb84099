// Package flv turns FLV tags into the messages of an ingest source: what an encoder sends over RTMP, or a child process
// writes to a pipe.
//
// It knows the headers of FLV and of Enhanced RTMP, what encoders make of H.264 and AAC inside them, and script data:
// onMetaData, which becomes settings, and everything else, which is timed metadata. It decides nothing: what is foreign or
// damaged is reported as that, and whoever takes the source refuses it or goes on without.
//
// Imports: ingest, media, media/aac, media/amf0, media/flv, media/h264, media/timeline.
package flv

import (
	"errors"
	"time"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media/flv"
	"github.com/rivus-live/rivus/internal/media/h264"
	"github.com/rivus-live/rivus/internal/media/timeline"
)

// Types of tags (FLV 10.1, E.4.1). RTMP uses the same numbers for its messages.
const (
	TypeAudio uint8 = 8
	TypeVideo uint8 = 9
	TypeData  uint8 = 18
)

// ParameterSets is what FLV calls the tag that brings H.264 parameter sets.
const ParameterSets = "AVC sequence header"

// Tag is one FLV tag, or the RTMP message that stands for one.
type Tag struct {
	Type      uint8     // TypeAudio, TypeVideo or TypeData; others are nothing
	Timestamp uint32    // milliseconds; wraps at 2^32 and may jump as the encoder pleases
	Payload   []byte    // the body; it belongs to the demuxer, and a frame made of it is a slice of it
	Arrived   time.Time // when its last byte came
}

// Demuxer turns the tags of one encoder into messages. It belongs to one goroutine at a time and allocates nothing for a
// frame.
type Demuxer struct {
	timeline *timeline.Timeline
	clock    clock
	settings ingest.Settings
	framing  h264.Framing
	muted    bool // the audio that comes is of a configuration that is not carried
}

// NewDemuxer returns a demuxer for a stream that begins.
func NewDemuxer() *Demuxer {
	return &Demuxer{
		timeline: timeline.New(),
		framing:  h264.Framing{Size: 4}, // of encoders that do not say
	}
}

// Settings returns what the encoder has told of itself in the tags that were taken.
func (d *Demuxer) Settings() ingest.Settings { return d.settings }

// TakeTag takes the next tag and puts what it came to into m, with nothing left of what m was.
func (d *Demuxer) TakeTag(t *Tag, m *ingest.Message) {
	*m = ingest.Message{Size: len(t.Payload), Arrived: t.Arrived, At: d.clock.read(t.Timestamp)}
	jumps := d.timeline.Rebases()
	switch t.Type {
	case TypeVideo:
		m.Medium = ingest.Video
		m.Err = d.takeVideo(m, t)
	case TypeAudio:
		m.Medium = ingest.Audio
		m.Err = d.takeAudio(m, t)
	case TypeData:
		m.Err = d.takeScript(m, t.Payload)
	}
	m.Jumps = d.timeline.Rebases() - jumps
	if m.Err == nil {
		return
	}
	if u, ok := errors.AsType[*flv.UnsupportedError](m.Err); ok {
		m.Err = &ingest.UnsupportedError{Medium: m.Medium, Codec: u.Codec, Multitrack: u.Codec == flv.Multitrack}
	}
}

// clock counts the milliseconds of an encoder beyond 2^32.
type clock struct {
	last uint32
	at   time.Duration
}

func (c *clock) read(timestamp uint32) time.Duration {
	c.at += time.Duration(int32(timestamp-c.last)) * time.Millisecond // arithmetic modulo 2^32 is what is meant
	c.last = timestamp
	return c.at
}

var (
	errNoConfig = errors.New("media before its configuration")
	errEmpty    = errors.New("access unit without content")
	errOverlap  = errors.New("audio for a time that has audio already")
)
