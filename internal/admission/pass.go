package admission

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/rivus-live/rivus/internal/token"
)

// Pass is what has to be known about a session after its first request.
type Pass struct {
	Origins           []string // that every request must come from; none: all may
	ViewerID          string   // "": nobody is named, so nobody can be revoked
	SessionVersion    int64
	MaximumResolution string // as in a token; "" for no limit
	Ads               token.AdClaims
}

// A sealed Pass is the base64url of a nonce, of the Pass under AES-256-GCM and of its tag. The nonce is random: with one key, two
// of 2^36 sessions have the same with a probability of 2^-25. What a sealed Pass must go with, it is authenticated with.
//
// In the Pass stand fields: a byte that names the field, its length as an unsigned varint, its bytes. A node that does not know
// a field refuses the Pass, for it may restrict, unless its name is optional or above.
const (
	fieldOrigin     = 1 // one of Origins
	fieldViewerID   = 2
	fieldVersion    = 3 // an unsigned varint
	fieldResolution = 4
	optional        = 128
	fieldAds        = 128 // JSON
)

// nonceSize and tagSize are those of GCM.
const (
	nonceSize = 12
	tagSize   = 16
)

// Bounds of a sealed Pass, in characters. The longest comes from a token of the greatest length.
const (
	MinSealed = (nonceSize + tagSize) * 8 / 6
	MaxSealed = 2400
)

// IDLength is how many characters of a sealed Pass tell it from all others.
const IDLength = nonceSize * 8 / 6

// Seal returns a Pass as it stands in paths, for one stream of one channel: letters, digits, "-" and "_".
func (g *Gate) Seal(p *Pass, streamID string) (string, error) {
	plain, err := p.append(make([]byte, 0, 64))
	if err != nil {
		return "", err
	}
	sealed := base64.RawURLEncoding.EncodeToString(g.seal.Seal(nil, nil, plain, []byte(streamID)))
	if len(sealed) > MaxSealed {
		return "", fmt.Errorf("admission: a session's pass has %d characters", len(sealed))
	}
	return sealed, nil
}

// Open returns the Pass that was sealed for a stream; the error is a *Refusal when it was not.
func (g *Gate) Open(sealed, streamID string) (*Pass, error) {
	if p, ok := g.open(sealed, streamID); ok {
		return p, nil
	}
	return nil, g.count(refuse("playback_restricted", WrongPass, "the playback session of this URL is not valid here"))
}

func (g *Gate) open(sealed, streamID string) (*Pass, bool) {
	if len(sealed) < MinSealed || len(sealed) > MaxSealed {
		return nil, false
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, false
	}
	plain, err := g.seal.Open(nil, nil, data, []byte(streamID))
	if err != nil {
		return nil, false
	}
	return readPass(plain)
}

func appendField(b []byte, name byte, value string) []byte {
	b = append(b, name)
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(b, value...)
}

func (p *Pass) append(b []byte) ([]byte, error) {
	for _, o := range p.Origins {
		b = appendField(b, fieldOrigin, o)
	}
	if p.ViewerID != "" {
		b = appendField(b, fieldViewerID, p.ViewerID)
	}
	if p.SessionVersion != 0 {
		b = appendField(b, fieldVersion, string(binary.AppendUvarint(nil, uint64(p.SessionVersion)))) //nolint:gosec // it is not negative
	}
	if p.MaximumResolution != "" {
		b = appendField(b, fieldResolution, p.MaximumResolution)
	}
	if p.Ads.IsZero() {
		return b, nil
	}
	var ads bytes.Buffer
	e := json.NewEncoder(&ads)
	e.SetEscapeHTML(false) // which would make six characters of one
	if err := e.Encode(p.Ads); err != nil {
		return nil, fmt.Errorf("admission: encode ads: %w", err)
	}
	return appendField(b, fieldAds, ads.String()), nil
}

// readPass reads what append has written.
func readPass(b []byte) (*Pass, bool) {
	p := &Pass{}
	for len(b) > 0 {
		name := b[0]
		size, n := binary.Uvarint(b[1:])
		if n <= 0 || size > uint64(len(b)-1-n) {
			return nil, false
		}
		value := b[1+n:][:size]
		b = b[1+n+int(size):] //nolint:gosec // it is not longer than b
		if !p.readField(name, value) {
			return nil, false
		}
	}
	return p, true
}

func (p *Pass) readField(name byte, value []byte) bool {
	switch name {
	case fieldOrigin:
		p.Origins = append(p.Origins, string(value))
	case fieldViewerID:
		p.ViewerID = string(value)
	case fieldVersion:
		v, n := binary.Uvarint(value)
		p.SessionVersion = int64(v) //nolint:gosec // checked in the next line
		return n == len(value) && p.SessionVersion >= 0
	case fieldResolution:
		p.MaximumResolution = string(value)
	case fieldAds:
		return json.Unmarshal(value, &p.Ads) == nil
	default:
		return name >= optional
	}
	return true
}

// Allows reports whether the session may have a picture of a width and a height in pixels (spec ivs.md 8: as with multitrack
// input, both edges and all pixels count). Sound has neither.
func (p *Pass) Allows(width, height int) bool {
	within := func(edge, lines int) bool { return max(width, height) <= edge && width*height <= edge*lines }
	switch p.MaximumResolution {
	case "":
		return true
	case token.ResolutionSD:
		return within(864, 480)
	case token.ResolutionHD:
		return within(1280, 720)
	case token.ResolutionFullHD:
		return within(1920, 1088) // encoders that do not crop send as many lines
	}
	return false
}
