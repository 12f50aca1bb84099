package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// bearer is a token on its way through the checks.
type bearer struct {
	*Authority
	now       time.Time
	text      string
	header    map[string]any
	raw       jwt.MapClaims // proved once the step signature is done
	signature []byte
	key       *ecdsa.PublicKey
	stage     resource.Stage
	claims    Claims
}

// Verify returns the claims of a token that is good now, or the first thing that is wrong with it, in the order of spec
// ivs-realtime.md 5.2, as a *Refusal. It does not tell whether the claims allow what their bearer is about to do.
func (a *Authority) Verify(ctx context.Context, text string) (Claims, error) {
	b := &bearer{Authority: a, now: a.clock(), text: text}
	for _, step := range [...]func(*bearer, context.Context) error{
		(*bearer).parse, (*bearer).algorithm, (*bearer).find, (*bearer).prove, (*bearer).times,
		(*bearer).isVersion, (*bearer).onStage, (*bearer).about, (*bearer).notBurnt,
	} {
		if err := step(b, ctx); err != nil {
			return Claims{}, err
		}
	}
	return b.claims, nil
}

// parse takes the three parts apart. Nothing in them is proved yet.
func (b *bearer) parse(context.Context) error {
	if len(b.text) > MaxLength {
		return refuse(TooLong, "a token has at most %d characters", MaxLength)
	}
	t, err := &jwt.Token{}, jwt.ErrTokenMalformed
	if strings.IndexFunc(b.text, foreign) < 0 { // the decoder below passes over line breaks
		b.raw = jwt.MapClaims{}
		t, _, err = b.parser.ParseUnverified(b.text, b.raw)
	}
	if err != nil && !errors.Is(err, jwt.ErrTokenUnverifiable) { // that is for the next step to say
		return refuse(Malformed, "it is not three parts of base64url with two JSON objects")
	}
	b.header, b.signature = t.Header, t.Signature
	return nil
}

// foreign reports whether a character is not one of a token: base64url and the dots between its parts.
func foreign(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

// algorithm allows the one algorithm, whatever the header asks for, and no header that changes what it means.
func (b *bearer) algorithm(context.Context) error {
	if b.header["alg"] != jwt.SigningMethodES384.Alg() {
		return refuse(WrongAlgorithm, "alg must be ES384")
	}
	if typ, given := b.header["typ"]; given {
		if s, ok := typ.(string); !ok || !strings.EqualFold(s, "JWT") {
			return refuse(Malformed, "typ must be JWT")
		}
	}
	if _, given := b.header["crit"]; given { // RFC 7515 4.1.11: what is not understood must be refused
		return refuse(Malformed, "crit is not supported")
	}
	return nil
}

// find finds the key: our own, or one of the account and region that the stage is in. A deleted key is unknown.
func (b *bearer) find(ctx context.Context) error {
	resourceText, _ := b.raw[claimResource].(string)
	stage, err := arn.Parse(resourceText)
	if err != nil || stage != resource.StageARN(stage.Scope, stage.ID) {
		return refuse(Malformed, "resource must be the ARN of a stage")
	}
	b.claims.StageARN = stage
	kid, _ := b.header["kid"].(string)
	if kid == b.kid {
		b.key, b.claims.OurOwn = &b.Authority.key.PublicKey, true
		return nil
	}
	a, err := arn.Parse(kid)
	if err != nil || a != resource.PublicKeyARN(stage.Scope, a.ID) {
		return refuse(UnknownKey, "kid must be the ARN of a public key in the account and region of the stage")
	}
	k, err := b.records.PublicKey(ctx, a)
	if fault.Is(err, fault.NotFound) {
		return refuse(UnknownKey, "the public key does not exist")
	}
	if err != nil {
		return fmt.Errorf("token: look up a public key: %w", err)
	}
	b.claims.KeyARN = a
	b.key, err = ParsePublicKey(k.SPKI)
	return err
}

// ParsePublicKey reads the DER of a SubjectPublicKeyInfo with a point on P-384, the only kind of key that signs
// tokens; any other is fault.Invalid.
func ParsePublicKey(der []byte) (*ecdsa.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The public key is not a SubjectPublicKeyInfo")
	}
	k, ok := key.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P384() {
		return nil, fault.New(fault.Invalid, "The public key is not an ECDSA key on the curve P-384")
	}
	return k, nil
}

// prove checks the signature, unless it was found good before.
func (b *bearer) prove(context.Context) error {
	proof, ok := proofOf(b.key, b.text)
	if ok && b.proofs.known(proof) {
		return nil
	}
	signed := b.text[:strings.LastIndexByte(b.text, '.')]
	if err := jwt.SigningMethodES384.Verify(signed, b.signature, b.key); err != nil {
		return refuse(WrongSignature, "")
	}
	if ok {
		b.proofs.remember(proof)
	}
	return nil
}

// times checks when the token is good. An instant is a whole number of seconds.
func (b *bearer) times(context.Context) error {
	issued, ok1 := b.seconds(claimIssued)
	expires, ok2 := b.seconds(claimExpires)
	if !ok1 || !ok2 {
		return refuse(Malformed, "exp and iat must be whole seconds")
	}
	b.claims.IssuedAt, b.claims.Expires = issued, expires
	if !expires.After(b.now) {
		return refuse(Expired, "")
	}
	if issued.After(b.now.Add(skew)) {
		return refuse(NotYetValid, "iat is in the future")
	}
	if _, given := b.raw[claimNotBefore]; given {
		if from, ok := b.seconds(claimNotBefore); !ok || from.After(b.now.Add(skew)) {
			return refuse(NotYetValid, "nbf is in the future")
		}
	}
	if expires.Sub(issued) > MaxLifetime {
		return refuse(LivesTooLong, "exp may be at most %d seconds after iat", int(MaxLifetime.Seconds()))
	}
	return nil
}

// maxSeconds is the end of the year 9999, behind which times have no usual form.
const maxSeconds = 253402300799

func (b *bearer) seconds(claim string) (time.Time, bool) {
	n, ok := b.raw[claim].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	v, err := strconv.ParseInt(n.String(), 10, 64)
	return time.Unix(v, 0).UTC(), err == nil && v >= 0 && v <= maxSeconds
}

func (b *bearer) isVersion(context.Context) error {
	if b.raw[claimVersion] != version {
		return refuse(WrongVersion, "version must be %q", version)
	}
	return nil
}

// onStage checks the stage and the addresses. A token of ours names those that the stage had when it was minted, so
// only a stranger's are compared.
func (b *bearer) onStage(ctx context.Context) error {
	c := &b.claims
	var err error
	b.stage, err = b.records.Stage(ctx, c.StageARN)
	if fault.Is(err, fault.NotFound) {
		return refuse(UnknownStage, "the stage does not exist")
	}
	if err != nil {
		return fmt.Errorf("token: look up a stage: %w", err)
	}
	if c.Topic, _ = b.raw[claimTopic].(string); c.Topic != c.StageARN.ID {
		return refuse(WrongTopic, "topic must be the id of the stage")
	}
	c.EventsURL, _ = b.raw[claimEvents].(string)
	c.WHIPURL, _ = b.raw[claimWHIP].(string)
	if !c.OurOwn && !b.stage.Advertised(c.EventsURL, c.WHIPURL) {
		return refuse(WrongEndpoint, "events_url and whip_url must be those of the stage")
	}
	return nil
}

// about reads what the token says of the participant.
func (b *bearer) about(context.Context) error {
	c := &b.claims
	var ok bool
	if c.ParticipantID, _ = b.raw[claimID].(string); !IsParticipantID(c.ParticipantID) {
		return refuse(WrongClaims, "jti must be 1 to %d characters of [A-Za-z0-9_-]", maxParticipantID)
	}
	if user := b.raw[claimUser]; user != nil {
		if c.UserID, ok = user.(string); !ok || utf8.RuneCountInString(c.UserID) > MaxUserID {
			return refuse(WrongClaims, "user_id must be a string of at most %d characters", MaxUserID)
		}
	}
	if c.Attributes, ok = texts(b.raw[claimAttributes]); !ok || AttributesSize(c.Attributes) > MaxAttributes {
		return refuse(WrongClaims, "attributes must be an object of strings, at most %d bytes together", MaxAttributes)
	}
	may, ok := b.raw[claimCapabilities].(map[string]any)
	if ok {
		var ok1, ok2 bool
		c.Publish, ok1 = isAllowed(may[mayPublish])
		c.Subscribe, ok2 = isAllowed(may[maySubscribe])
		ok = ok1 && ok2
	}
	if !ok {
		return refuse(WrongClaims, "capabilities must be an object of booleans")
	}
	return nil
}

// IsParticipantID reports whether s can be the id of a participant: 1 to 64 characters of [A-Za-z0-9_-].
func IsParticipantID(s string) bool {
	return s != "" && len(s) <= maxParticipantID && strings.IndexFunc(s, foreign) < 0 && !strings.Contains(s, ".")
}

// texts reads an optional object whose members are strings.
func texts(v any) (map[string]string, bool) {
	if v == nil {
		return nil, true
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	out := make(map[string]string, len(object))
	for k, v := range object {
		if out[k], ok = v.(string); !ok {
			return nil, false
		}
	}
	return out, true
}

// isAllowed reads an optional capability: what is not given is not allowed.
func isAllowed(v any) (allowed, ok bool) {
	if v == nil {
		return false, true
	}
	allowed, ok = v.(bool)
	return allowed, ok
}

// notBurnt comes last: it is about this participant and nobody else.
func (b *bearer) notBurnt(ctx context.Context) error {
	burnt, err := b.records.Disconnected(ctx, b.claims.StageARN, b.claims.ParticipantID)
	if err != nil {
		return fmt.Errorf("token: look up a participant: %w", err)
	}
	if burnt {
		return refuse(WasDisconnected, "")
	}
	return nil
}
