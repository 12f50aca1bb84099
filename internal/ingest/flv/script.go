package flv

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/media/flv"
)

// maxInband bounds one piece of metadata from an encoder, in bytes.
const maxInband = 16 << 10

var errInband = errors.New("script data too large for timed metadata")

// takeScript takes a data tag: the announcement, captions, which are not carried yet, or timed metadata.
func (d *Demuxer) takeScript(m *ingest.Message, payload []byte) error {
	s, err := flv.ParseScript(payload)
	if err != nil {
		return err
	}
	switch {
	case s.Name == "onMetaData":
		if len(s.Values) > 0 {
			d.announce(s.Properties())
			m.Changed = true
		}
		return nil
	case strings.HasPrefix(s.Name, "onCaption"), strings.HasPrefix(s.Name, "|"), strings.HasPrefix(s.Name, "@"):
		return nil // captions; |RtmpSampleAccess; @clearDataFrame
	}
	m.Text, err = scriptText(s.Values)
	return err
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
			return nil, fmt.Errorf("script data: %w", err)
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

// announce takes what onMetaData says of the stream. Numbers that make no sense say nothing.
func (d *Demuxer) announce(properties amf0.Object) {
	number := func(name string) float64 {
		v, _ := properties.Get(name)
		n, _ := v.(float64)
		if !(n > 0 && n < 1e7) { // also NaN
			return 0
		}
		return n
	}
	text := func(name string) string {
		v, _ := properties.Get(name)
		s, _ := v.(string)
		return strings.ToValidUTF8(s[:min(len(s), 256)], "")
	}
	s := &d.settings
	s.Encoder, s.FrameRate = text("encoder"), number("framerate")
	s.VideoBitrate, s.AudioBitrate = int(number("videodatarate")*1000), int(number("audiodatarate")*1000)
}
