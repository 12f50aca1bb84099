package broadcast

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/media/flv"
	"github.com/rivus-live/rivus/internal/media/h264"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtmp"
)

// Owners of timed metadata, by which players tell it apart (spec ivs.md 12).
const (
	ownerAPI     = "metadata.live-video.net"
	ownerEncoder = "inband.metadata.live-video.net"
)

// maxInband bounds one piece of metadata from an encoder, in bytes.
const maxInband = 16 << 10

var errInband = errors.New("script data too large for timed metadata")

// onMetaData is what an encoder announces about its stream. It is what it says, not what is measured.
type onMetaData struct {
	encoder                    string
	frameRate                  float64
	videoBitrate, audioBitrate int // bits a second
}

// takeScript takes a data message: the announcement, captions, which are not carried yet, or timed metadata.
func (in *intake) takeScript(m rtmp.Message) error {
	s, err := flv.ParseScript(m.Payload)
	if err != nil {
		return err
	}
	switch {
	case s.Name == "onMetaData":
		if len(s.Values) > 0 {
			in.script = parseOnMetaData(s.Values[0])
			in.changed = true
		}
		return nil
	case strings.HasPrefix(s.Name, "onCaption"), strings.HasPrefix(s.Name, "|"), strings.HasPrefix(s.Name, "@"):
		return nil // captions; |RtmpSampleAccess; @clearDataFrame
	}
	text, err := scriptText(s.Values)
	if err != nil || len(text) == 0 {
		return err
	}
	in.packager.Metadata(ownerEncoder, text)
	return nil
}

// scriptText is what viewers get of script data: a single string as it is, anything else as JSON.
func scriptText(values []any) ([]byte, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var text []byte
	if s, ok := values[0].(string); ok && len(values) == 1 {
		text = []byte(s)
	} else {
		v := plain(amf0.StrictArray(values))
		if len(values) == 1 {
			v = plain(values[0])
		}
		var err error
		if text, err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("broadcast: script data: %w", err)
		}
	}
	if len(text) > maxInband {
		return nil, errInband
	}
	return []byte(strings.ToValidUTF8(string(text), string(utf8.RuneError))), nil
}

// plain turns an AMF0 value into one that JSON can carry.
func plain(v any) any {
	switch v := v.(type) {
	case amf0.Object:
		return plainObject(v)
	case amf0.ECMAArray:
		return plainObject(v)
	case amf0.StrictArray:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	case amf0.Date:
		return plain(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return v
	case string, bool:
		return v
	}
	return nil
}

func plainObject(properties []amf0.Property) map[string]any {
	m := make(map[string]any, len(properties))
	for _, p := range properties {
		m[p.Name] = plain(p.Value)
	}
	return m
}

func parseOnMetaData(v any) onMetaData {
	var get func(string) (any, bool)
	switch v := v.(type) {
	case amf0.ECMAArray:
		get = v.Get
	case amf0.Object:
		get = v.Get
	default:
		return onMetaData{}
	}
	number := func(name string) float64 {
		v, _ := get(name)
		n, _ := v.(float64)
		if !(n > 0 && n < 1e7) { // also NaN
			return 0
		}
		return n
	}
	text := func(name string) string {
		v, _ := get(name)
		s, _ := v.(string)
		return strings.ToValidUTF8(s[:min(len(s), 256)], "")
	}
	return onMetaData{
		encoder:      text("encoder"),
		frameRate:    number("framerate"),
		videoBitrate: int(number("videodatarate") * 1000),
		audioBitrate: int(number("audiodatarate") * 1000),
	}
}

// description is what a session shows of its encoder (spec ivs.md 14.1).
type description struct {
	video, audio *media.Track
	script       onMetaData
}

// describe returns the encoder's present settings.
func (in *intake) describe() description {
	return description{video: in.video, audio: in.audio, script: in.script}
}

// fill writes the settings into a session's record.
func (d *description) fill(s *resource.Session, software string) {
	s.Encoder = d.script.encoder
	if s.Encoder == "" {
		s.Encoder = software
	}
	s.Video, s.Audio = nil, nil
	if t := d.video; t != nil {
		s.Video = &resource.VideoSetting{
			Codec: t.CodecName, Profile: h264.Profile(t), Level: h264.Level(t), Width: t.Width, Height: t.Height,
			TargetBitrate: d.script.videoBitrate, TargetFramerate: d.script.frameRate,
		}
	}
	if t := d.audio; t != nil {
		s.Audio = &resource.AudioSetting{
			Codec: t.CodecName, Channels: t.Channels, SampleRate: t.SampleRate, TargetBitrate: d.script.audioBitrate,
		}
	}
}
