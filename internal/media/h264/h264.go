// Package h264 holds all knowledge of H.264 bitstreams: parameter sets, access units and their two byte formats.
//
// Imports: media, mediacommon's bitstream reader.
package h264

import "github.com/rivus-live/rivus/internal/media"

// ParseConfig reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) and returns its track. The track's
// Config is the record written anew with every parameter set and a NAL length size of 4; hand the payloads that follow
// to Normalize together with LengthSize(record).
func ParseConfig(record []byte) (*media.Track, error) { return nil, nil }

// LengthSize returns the number of bytes (1, 2 or 4) before each NAL unit of the payloads that follow the record, 0 if
// the record is not valid.
func LengthSize(record []byte) int { return 0 }

// Normalize checks the NAL unit lengths of a payload and returns it as an access unit with 4-byte lengths and without
// empty NAL units. It takes the payload over: when lengthSize is 4 the result shares its memory.
func Normalize(payload []byte, lengthSize int) ([]byte, error) { return nil, nil }

// IsKey reports whether a normalized access unit holds an IDR picture. Encoders' own keyframe flags also mark pictures
// that are not.
func IsKey(au []byte) bool { return false }

// Refresh returns the track that holds from this normalized access unit on: t itself, or a new one when the access
// unit carries a parameter set that differs from t's. Call it on every access unit; it allocates only on a change.
func Refresh(t *media.Track, au []byte) (*media.Track, error) { return t, nil }

// AnnexBSize returns the number of bytes AppendAnnexB writes.
func AnnexBSize(t *media.Track, au []byte, key bool) int { return 0 }

// AppendAnnexB appends a normalized access unit in the byte stream format (H.264, Annex B): an access unit delimiter,
// the track's parameter sets when key is set and the access unit lacks its own, then the NAL units.
func AppendAnnexB(dst []byte, t *media.Track, au []byte, key bool) []byte { return dst }

// Profile returns the name of the track's profile, for instance "Baseline" or "High".
func Profile(t *media.Track) string { return "" }

// Level returns the track's level, for instance "4.2" or "1b".
func Level(t *media.Track) string { return "" }
