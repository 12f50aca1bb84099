package token

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Limits of the tokens of viewers (spec ivs.md 10.1, 10.2).
const (
	MaxPlaybackLength = 2 << 10          // characters of a token
	MaxNamedLifetime  = 10 * time.Minute // from now to exp, of one that names a viewer or is good for one session
	MaxViewerID       = 40               // characters
	MaxStrictOrigins  = 5
	MaxAdParams       = 1000 // bytes of JSON
)

// PlaybackClaims are what a token of a viewer says (spec ivs.md 10.2).
type PlaybackClaims struct {
	Origins           []string // parsed entries of weborigin; none: all pages
	StrictOrigin      bool     // every request tells its origin, not the first only
	SingleUse         string   // a UUID in lower case; "" when the token is good for any number of sessions
	ViewerID          string   // "": nobody is named
	SessionVersion    int64    // of the viewer named
	MaximumResolution string   // SD, HD or FULL_HD; "" for no limit
	Ads               AdClaims
	Expires           time.Time // whole seconds
}

// AdClaims are what a token says of the ads that its viewer gets.
type AdClaims struct {
	OptOut             bool            `json:"optOut,omitempty"`
	PlaybackConfigName string          `json:"playbackConfigName,omitempty"`
	PlayerParams       json.RawMessage `json:"playerParams,omitempty"` // an object
	ReportingMode      string          `json:"reportingMode,omitempty"`
}

// IsZero reports whether a token says nothing of ads.
func (c AdClaims) IsZero() bool {
	return !c.OptOut && c.PlaybackConfigName == "" && len(c.PlayerParams) == 0 && c.ReportingMode == ""
}

// PlaybackKeys returns the DER of all SubjectPublicKeyInfos with which an account signs tokens of viewers in a region.
type PlaybackKeys func(ctx context.Context, sc arn.Scope) ([][]byte, error)

// PlaybackVerifier verifies the tokens of viewers. To check a signature takes as long as thousands of requests for media, and
// anybody can send one, so no more are checked at a time than half of the processors. It is safe for concurrent use.
type PlaybackVerifier struct {
	keys   PlaybackKeys
	clock  func() time.Time
	parser *jwt.Parser
	proofs proofs
	turns  chan struct{} // holds a token for each signature that is being checked
}

// NewPlaybackVerifier returns a verifier. A nil clock is time.Now.
func NewPlaybackVerifier(keys PlaybackKeys, clock func() time.Time) *PlaybackVerifier {
	if clock == nil {
		clock = time.Now
	}
	return &PlaybackVerifier{
		keys: keys, clock: clock, parser: jwt.NewParser(jwt.WithJSONNumber(), jwt.WithStrictDecoding()),
		turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
}

// Verify returns the claims of a token that lets its bearer begin to watch a channel now, or the first thing that is wrong with
// it as a *Refusal whose Status is 403. Any other error means that there is no decision: the keys could not be read, or ctx
// ended while others were being checked.
func (v *PlaybackVerifier) Verify(ctx context.Context, channel arn.ARN, text string) (PlaybackClaims, error) {
	t, claims, err := v.parse(text)
	if err == nil {
		err = checkPlaybackHeader(t.Header)
	}
	if err == nil && claims[claimChannel] != channel.String() {
		err = refusePlayback(WrongChannel, "token is not for this channel: %s has to be %s", claimChannel, channel)
	}
	if err == nil {
		err = v.prove(ctx, channel.Scope, text, t.Signature)
	}
	if err != nil {
		return PlaybackClaims{}, err
	}
	return readPlaybackClaims(claims, v.clock())
}

// parse takes the three parts apart. Nothing in them is proved yet.
func (v *PlaybackVerifier) parse(text string) (*jwt.Token, jwt.MapClaims, error) {
	switch {
	case text == "":
		return nil, nil, refusePlayback(NoToken, "token is missing")
	case len(text) > MaxPlaybackLength:
		return nil, nil, refusePlayback(TooLong, "token has more than %d characters", MaxPlaybackLength)
	case strings.Count(text, ".") != 2:
		return nil, nil, refusePlayback(Malformed, "token contains an invalid number of segments")
	}
	claims := jwt.MapClaims{}
	t, err := &jwt.Token{}, jwt.ErrTokenMalformed
	if strings.IndexFunc(text, foreign) < 0 {
		t, _, err = v.parser.ParseUnverified(text, claims)
	}
	if err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) { // that is for checkPlaybackHeader to say
		return nil, nil, refusePlayback(Malformed, "token is not three parts of base64url with two JSON objects")
	}
	return t, claims, nil
}

// checkPlaybackHeader allows the one algorithm, and no member that changes what the header means. A kid says nothing: the
// service gives none (spec ivs.md 10.1).
func checkPlaybackHeader(header map[string]any) error {
	if header["alg"] != jwt.SigningMethodES384.Alg() {
		return refusePlayback(WrongAlgorithm, "token is not signed with ES384")
	}
	if typ, given := header["typ"]; given {
		if s, ok := typ.(string); !ok || !strings.EqualFold(s, "JWT") {
			return refusePlayback(Malformed, "token has a typ that is not JWT")
		}
	}
	if _, given := header["crit"]; given { // RFC 7515 4.1.11
		return refusePlayback(Malformed, "token has the header crit, which is not supported")
	}
	return nil
}

// prove finds the key that has signed a token, of all that there are: a token names none.
func (v *PlaybackVerifier) prove(ctx context.Context, sc arn.Scope, text string, signature []byte) error {
	ders, err := v.keys(ctx, sc)
	if err != nil {
		return fmt.Errorf("token: look up playback keys: %w", err)
	}
	keys := make([]*ecdsa.PublicKey, len(ders))
	for i, der := range ders {
		if keys[i], err = ParsePublicKey(der); err != nil {
			return err
		}
		if p, ok := proofOf(keys[i], text); ok && v.proofs.known(p) {
			return nil
		}
	}
	if len(keys) == 0 {
		return refusePlayback(UnknownKey, "token cannot be verified: there is no playback key pair in this channel's account and region")
	}
	select {
	case v.turns <- struct{}{}:
		defer func() { <-v.turns }()
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "too many tokens are being verified")
	}
	signed := text[:strings.LastIndexByte(text, '.')]
	for _, key := range keys {
		if jwt.SigningMethodES384.Verify(signed, signature, key) == nil {
			if p, ok := proofOf(key, text); ok {
				v.proofs.remember(p)
			}
			return nil
		}
	}
	return refusePlayback(WrongSignature, "token is not signed by a playback key of this channel's account")
}

func refusePlayback(r Reason, format string, args ...any) error {
	return &Refusal{Status: http.StatusForbidden, Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// StoredPlaybackKeys returns the keys in a table. Its answers come from memory.
func StoredPlaybackKeys(table *store.Table[resource.PlaybackKeyPair]) PlaybackKeys {
	return func(ctx context.Context, sc arn.Scope) ([][]byte, error) {
		var ders [][]byte
		for q := (store.Query{Scope: sc}); ; {
			page, err := table.List(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, r := range page.Records {
				ders, q.After = append(ders, r.Value.SPKI), r.Key.ID
			}
			if !page.More {
				return ders, nil
			}
		}
	}
}
