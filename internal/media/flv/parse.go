package flv

import "errors"

// ParseVideo takes the body of a video tag apart.
func ParseVideo(b []byte) (VideoTag, error) { _ = b; return VideoTag{}, errors.ErrUnsupported }

// ParseAudio takes the body of an audio tag apart.
func ParseAudio(b []byte) (AudioTag, error) { _ = b; return AudioTag{}, errors.ErrUnsupported }

// Script is a data message: its name ("onMetaData", "onTextData", …) and the values behind it.
type Script struct {
	Name   string
	Values []any // see package amf0
}

// ParseScript takes the body of a script data tag apart; the "@setDataFrame" that encoders put in front is dropped.
func ParseScript(b []byte) (Script, error) { _ = b; return Script{}, errors.ErrUnsupported }
