package token

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/weborigin"
)

// The names of the claims of viewers' tokens (spec ivs.md 10.2).
const (
	claimChannel        = "aws:channel-arn"
	claimOrigins        = "aws:access-control-allow-origin"
	claimStrict         = "aws:strict-origin-enforcement"
	claimSingleUse      = "aws:single-use-uuid"
	claimViewer         = "aws:viewer-id"
	claimSessionVersion = "aws:viewer-session-version"
	claimResolution     = "aws:maximum-resolution"
	claimAdsOptOut      = "aws:ads-opt-out"
	claimAdsConfig      = "aws:ads-playback-config-name"
	claimAdsParams      = "aws:ads-player-params"
	claimAdsReporting   = "aws:ads-reporting-mode"
)

// Values of PlaybackClaims.MaximumResolution.
const (
	ResolutionSD     = "SD"
	ResolutionHD     = "HD"
	ResolutionFullHD = "FULL_HD"
)

// playbackReader reads proved claims until the first that is wrong. Claims that it does not know are passed over.
type playbackReader struct {
	raw jwt.MapClaims
	err error
}

// readPlaybackClaims reads what a token says, and whether that lets somebody in at a time.
func readPlaybackClaims(raw jwt.MapClaims, now time.Time) (PlaybackClaims, error) {
	r := &playbackReader{raw: raw}
	c := PlaybackClaims{
		Expires:           r.expires(now),
		SingleUse:         r.uuid(claimSingleUse),
		ViewerID:          r.viewer(),
		MaximumResolution: r.oneOf(claimResolution, ResolutionSD, ResolutionHD, ResolutionFullHD),
		StrictOrigin:      r.flag(claimStrict),
		Origins:           r.origins(),
		Ads: AdClaims{
			OptOut: r.flag(claimAdsOptOut), PlaybackConfigName: r.text(claimAdsConfig), PlayerParams: r.object(claimAdsParams, MaxAdParams),
			ReportingMode: r.oneOf(claimAdsReporting, "CLIENT", "SERVER"),
		},
	}
	if c.ViewerID != "" {
		c.SessionVersion = r.version()
	}
	if named := c.ViewerID != "" || c.SingleUse != ""; named && c.Expires.Sub(now) > MaxNamedLifetime+skew {
		r.fail(LivesTooLong, "token has %s or %s: its exp may be at most %d seconds ahead", claimViewer, claimSingleUse, int(MaxNamedLifetime.Seconds()))
	}
	if weborigin.AllowsAll(c.Origins) {
		c.Origins = nil
	} else if c.StrictOrigin && len(c.Origins) > MaxStrictOrigins {
		r.fail(WrongClaims, "%s has more than %d origins, which it cannot with %s", claimOrigins, MaxStrictOrigins, claimStrict)
	}
	if r.err != nil {
		return PlaybackClaims{}, r.err
	}
	return c, nil
}

func (r *playbackReader) fail(reason Reason, format string, args ...any) {
	if r.err == nil {
		r.err = refusePlayback(reason, format, args...)
	}
}

// expires reads exp. Programs that count milliseconds are let in, as the service does: their tokens expire in some thousand
// years (spec ivs.md 10.2).
func (r *playbackReader) expires(now time.Time) time.Time {
	n, ok := r.raw[claimExpires].(json.Number)
	seconds, err := strconv.ParseFloat(n.String(), 64)
	if !ok || err != nil || math.IsNaN(seconds) || seconds < 0 {
		r.fail(Malformed, "token has no exp, in seconds since 1970")
		return now
	}
	at := time.Unix(int64(min(seconds, maxSeconds)), 0).UTC()
	if !at.After(now) {
		r.fail(Expired, "token is expired")
	}
	return at
}

// text reads an optional string, "" when there is none.
func (r *playbackReader) text(claim string) string {
	v := r.raw[claim]
	s, ok := v.(string)
	if v != nil && !ok {
		r.fail(WrongClaims, "%s has to be a string", claim)
	}
	return s
}

func (r *playbackReader) flag(claim string) bool {
	v := r.raw[claim]
	b, ok := v.(bool)
	if v != nil && !ok {
		r.fail(WrongClaims, "%s has to be true or false", claim)
	}
	return b
}

func (r *playbackReader) oneOf(claim string, values ...string) string {
	s := r.text(claim)
	if r.raw[claim] == nil {
		return ""
	}
	for _, v := range values {
		if s == v {
			return s
		}
	}
	r.fail(WrongClaims, "%s has to be one of %s", claim, strings.Join(values, ", "))
	return ""
}

// uuid reads an optional UUID in its usual form (RFC 9562 4).
func (r *playbackReader) uuid(claim string) string {
	s := strings.ToLower(r.text(claim))
	if r.raw[claim] != nil && !isUUID(s) {
		r.fail(WrongClaims, "%s has to be a UUID", claim)
	}
	return s
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

func (r *playbackReader) viewer() string {
	s := r.text(claimViewer)
	if n := utf8.RuneCountInString(s); r.raw[claimViewer] != nil && (n == 0 || n > MaxViewerID) {
		r.fail(WrongClaims, "%s has to have 1 to %d characters", claimViewer, MaxViewerID)
	}
	return s
}

// version reads the version of the viewer's session: a whole number, which may be in quotation marks (spec ivs.md 10.2).
func (r *playbackReader) version() int64 {
	var text string
	switch v := r.raw[claimSessionVersion].(type) {
	case nil:
		return 0
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		r.fail(WrongClaims, "%s has to be a whole number from 0 on", claimSessionVersion)
	}
	return n
}

func (r *playbackReader) origins() []string {
	s := r.text(claimOrigins)
	if s == "" {
		return nil
	}
	list, err := weborigin.ParseList(strings.Split(s, ","))
	if err != nil {
		r.fail(WrongClaims, "%s: %s", claimOrigins, fault.Message(err))
	}
	return list
}

func (r *playbackReader) object(claim string, limit int) json.RawMessage {
	v := r.raw[claim]
	if v == nil {
		return nil
	}
	_, ok := v.(map[string]any)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if !ok || e.Encode(v) != nil || b.Len()-1 > limit {
		r.fail(WrongClaims, "%s has to be an object of at most %d bytes", claim, limit)
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
