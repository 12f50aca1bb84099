package flv

import (
	"errors"
	"fmt"

	"github.com/rivus-live/rivus/internal/media/amf0"
)

var (
	errShort     = errors.New("flv: tag is cut short")
	errEmpty     = errors.New("flv: tag is empty")
	errFrameType = errors.New("flv: video frame type 0 or above 5")
	errNoName    = errors.New("flv: script data has no name")
)

// ParseVideo takes the body of a video tag apart (FLV 10.1, E.4.3; Enhanced RTMP v2, "Enhanced Video").
func ParseVideo(b []byte) (VideoTag, error) {
	if len(b) == 0 {
		return VideoTag{}, errEmpty
	}
	if b[0]&0x80 != 0 {
		return parseEnhancedVideo(b)
	}
	t := VideoTag{FrameType: FrameType(b[0] >> 4), Codec: AVC}
	if t.FrameType == 0 || t.FrameType > CommandFrame {
		return VideoTag{}, errFrameType
	}
	if id := b[0] & 0x0F; id != legacyAVC {
		return VideoTag{}, &UnsupportedError{Media: "video", Codec: legacyVideoName(id)}
	}
	if t.FrameType == CommandFrame {
		return t, nil
	}
	if len(b) < 5 {
		// An end of sequence is the one packet of which encoders are known to leave the composition time away.
		if len(b) >= 2 && b[1] == 2 {
			t.Kind = EndOfSequence
			return t, nil
		}
		return VideoTag{}, errShort
	}
	switch b[1] {
	case 0:
		t.Kind, t.Payload = SequenceHeader, b[5:]
	case 1:
		t.Kind, t.Payload, t.CompositionTime = NALUs, b[5:], signed24(b[2:5])
	case 2:
		t.Kind = EndOfSequence
	default:
		return VideoTag{}, fmt.Errorf("flv: AVC packet type %d", b[1])
	}
	return t, nil
}

// ParseAudio takes the body of an audio tag apart (FLV 10.1, E.4.2; Enhanced RTMP v2, "Enhanced Audio").
func ParseAudio(b []byte) (AudioTag, error) {
	if len(b) == 0 {
		return AudioTag{}, errEmpty
	}
	switch format := b[0] >> 4; format {
	case enhancedAudio:
		return parseEnhancedAudio(b)
	case legacyAAC:
	default:
		return AudioTag{}, &UnsupportedError{Media: "audio", Codec: legacyAudioName(format)}
	}
	if len(b) < 2 {
		return AudioTag{}, errShort
	}
	switch b[1] {
	case 0:
		return AudioTag{Kind: SequenceHeader, Codec: AAC, Payload: b[2:]}, nil
	case 1:
		return AudioTag{Kind: Raw, Codec: AAC, Payload: b[2:]}, nil
	}
	return AudioTag{}, fmt.Errorf("flv: AAC packet type %d", b[1])
}

// signed24 reads a 24-bit two's complement number.
func signed24(b []byte) int32 {
	return int32(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8) >> 8
}

// Script is a data message: its name ("onMetaData", "onTextData", …) and the values behind it.
type Script struct {
	Name   string
	Values []any // see package amf0
}

// Properties returns the properties of the first value, which is where encoders put what they tell; nil if it has none.
func (s Script) Properties() amf0.Object {
	if len(s.Values) == 0 {
		return nil
	}
	switch v := s.Values[0].(type) {
	case amf0.Object:
		return v
	case amf0.ECMAArray:
		return amf0.Object(v)
	}
	return nil
}

// ParseScript takes the body of a script data tag apart; the "@setDataFrame" that encoders put in front is dropped.
func ParseScript(b []byte) (Script, error) {
	values, err := amf0.Decode(b)
	if err != nil {
		return Script{}, fmt.Errorf("flv: script data: %w", err)
	}
	if len(values) > 0 && values[0] == "@setDataFrame" {
		values = values[1:]
	}
	if len(values) == 0 {
		return Script{}, errNoName
	}
	name, ok := values[0].(string)
	if !ok {
		return Script{}, errNoName
	}
	return Script{Name: name, Values: values[1:]}, nil
}
