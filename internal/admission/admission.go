// Package admission decides who may watch a channel (spec ivs.md 10, 11).
//
// A private channel lets in who brings a token that a playback key of its account has signed; what the token says holds for the
// whole playback session. A public channel with a playback restriction policy lets in who is in an allowed country and on an
// allowed page. All other channels are nobody's business here.
//
// Enter decides about the first request of a session. A session about which something must be known later gets a Pass, which
// travels sealed in the path of everything that it asks for then: encrypted and authenticated under a key that all nodes have,
// and bound to one stream. So no node remembers sessions, and nobody can make, change or move a Pass; it ends with its stream.
// Check decides about a later request from the Pass alone, and whether the viewer was revoked meanwhile.
//
// What is remembered is bounded by what accounts sign: a record for every token that is good for one session, until that has
// expired, and one for every revoked viewer. A stranger makes nothing be remembered.
//
// A Gate is safe for concurrent use. Run tells those who wait in Attend that they are revoked.
//
// Imports: arn, fault, records, resource, seal, store, token, weborigin.
package admission

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/seal"
	"github.com/rivus-live/rivus/internal/token"
	"github.com/rivus-live/rivus/internal/weborigin"
)

// Countries tells where addresses are.
type Countries interface {
	// Country returns the ISO 3166-1 alpha-2 code of the country of an address, "" when that is not known.
	Country(a netip.Addr) (string, error)
}

// Records are what decisions are made from; Tables is one. All but Use answer from memory.
type Records interface {
	// Policy returns the playback restriction policy with an ARN; fault.NotFound.
	Policy(ctx context.Context, text string) (resource.PlaybackRestrictionPolicy, error)
	// Revocation returns up to which version of a viewer's sessions of a channel are revoked, -1 for none.
	Revocation(channel arn.ARN, viewerID string) int64
	// WatchRevocations calls fn for every revocation that there is and for every later one, until ctx ends.
	WatchRevocations(ctx context.Context, fn func(resource.ViewerRevocation))
	// Use notes that a token was used; fault.Conflict when it was before, on whatever node.
	Use(ctx context.Context, t resource.UsedToken) error
}

// Options configures a Gate. Tokens, Records and Key are required.
type Options struct {
	Tokens    *token.PlaybackVerifier
	Records   Records
	Countries Countries // nil: this server does not know countries
	Key       []byte    // of 32 bytes, secret, and the same on all nodes
}

// Gate lets viewers in.
type Gate struct {
	opt     Options
	seal    cipher.AEAD
	waiting waiting
	refused [len(reasons)]atomic.Int64
}

// New returns a Gate.
func New(o Options) (*Gate, error) {
	aead, err := seal.New(o.Key)
	if err != nil {
		return nil, fmt.Errorf("admission: %w", err)
	}
	return &Gate{opt: o, seal: aead}, nil
}

// Restricts reports whether a channel lets in not everybody.
func Restricts(c *resource.Channel) bool { return c.Authorized || c.PlaybackRestrictionPolicyARN != "" }

// Visit is the first request of a session.
type Visit struct {
	Channel arn.ARN
	Record  *resource.Channel // the channel's settings
	Token   string            // "" for none
	Origin  string            // of the page, as weborigin.Of tells; "" when it does not
	Client  netip.Addr        // not valid when it is not known
}

// Entry is a session that may begin.
type Entry struct {
	// Pass goes with every later request of the session. Nil: nothing has to be known then.
	Pass *Pass
	// AllowOrigin says which page may read the answer, as Pass.AllowOrigin.
	AllowOrigin string

	used resource.UsedToken // of a token that is good for one session
}

// Enter decides whether a session may begin. The error is a *Refusal when it may not, and fault.Unavailable when that cannot be
// decided. A token that is good for one session has not been used before Begin.
func (g *Gate) Enter(ctx context.Context, v Visit) (Entry, error) {
	entry, err := g.enter(ctx, v)
	return entry, g.count(err)
}

func (g *Gate) enter(ctx context.Context, v Visit) (Entry, error) {
	if v.Record.Authorized { // policies are for public channels
		return g.enterPrivate(ctx, v)
	}
	return g.enterRestricted(ctx, v)
}

func (g *Gate) enterPrivate(ctx context.Context, v Visit) (Entry, error) {
	c, err := g.opt.Tokens.Verify(ctx, v.Channel, v.Token)
	if r, ok := errors.AsType[*token.Refusal](err); ok {
		return Entry{}, &Refusal{Status: r.Status, Code: codeToken, Reason: Reason(r.Reason), Text: r.Detail}
	}
	if err != nil {
		return Entry{}, err
	}
	if !weborigin.Allows(c.Origins, v.Origin) {
		return Entry{}, refuseToken(WrongOrigin, "token does not allow this page: %s", pageText(v.Origin))
	}
	p := &Pass{
		ViewerID: c.ViewerID, SessionVersion: c.SessionVersion, MaximumResolution: c.MaximumResolution, Ads: c.Ads,
	}
	if c.StrictOrigin {
		p.Origins = c.Origins
	}
	if g.isRevoked(v.Channel, p) {
		return Entry{}, errRevoked()
	}
	e := Entry{Pass: p, AllowOrigin: allowOrigin(c.Origins, v.Origin)}
	if c.SingleUse != "" {
		e.used = resource.UsedToken{ChannelARN: v.Channel, UUID: c.SingleUse, Until: c.Expires}
	}
	return e, nil
}

func (g *Gate) enterRestricted(ctx context.Context, v Visit) (Entry, error) {
	policy, err := g.policy(ctx, v.Record)
	if err != nil {
		return Entry{}, err
	}
	if err := g.checkCountry(policy.Countries, v.Client); err != nil {
		return Entry{}, err
	}
	origins, err := weborigin.ParseList(policy.Origins)
	if err != nil {
		return Entry{}, err // they were checked when they were stored
	}
	if !weborigin.Allows(origins, v.Origin) {
		return Entry{}, refuse("origin_not_allowed", WrongOrigin, "the channel cannot be played on this page: %s", pageText(v.Origin))
	}
	e := Entry{AllowOrigin: allowOrigin(origins, v.Origin)}
	if policy.Strict {
		e.Pass = &Pass{}
		if !weborigin.AllowsAll(origins) {
			e.Pass.Origins = origins
		}
	}
	return e, nil
}

// policy returns the policy of a channel. One that is not there, because it was stored when policies had no effect, restricts
// to nobody.
func (g *Gate) policy(ctx context.Context, c *resource.Channel) (resource.PlaybackRestrictionPolicy, error) {
	policy, err := g.opt.Records.Policy(ctx, c.PlaybackRestrictionPolicyARN)
	if fault.Is(err, fault.NotFound) {
		err = refuse("playback_restricted", NoPolicy, "the channel's playback restriction policy does not exist")
	}
	return policy, err
}

// checkCountry checks where a viewer is. Who is nowhere known may watch (spec ivs.md 11); who cannot be looked up may not.
func (g *Gate) checkCountry(allowed []string, client netip.Addr) error {
	if len(allowed) == 0 {
		return nil
	}
	if g.opt.Countries == nil {
		return refuse("country_not_allowed", NoCountries,
			"the channel can be played in some countries only, and this server has no database of countries (--geoip-db)")
	}
	country, err := g.opt.Countries.Country(client)
	if err != nil {
		return refuse("country_not_allowed", NoCountries, "the country of this viewer cannot be looked up")
	}
	for _, c := range allowed {
		if c == country {
			return nil
		}
	}
	if country == "" {
		return nil
	}
	return refuse("country_not_allowed", WrongCountry, "the channel cannot be played in this country: %s", country)
}

// Begin uses up the token of an entry if that is good for one session. The error is a *Refusal when another session has begun
// with it, on whatever node, and fault.Unavailable when that cannot be decided.
func (g *Gate) Begin(ctx context.Context, e Entry) error {
	if e.used.UUID == "" {
		return nil
	}
	err := g.opt.Records.Use(ctx, e.used)
	if fault.Is(err, fault.Conflict) {
		err = refuseToken(UsedBefore, "token was used before, and it is good for one playback session")
	}
	return g.count(err)
}

// Unnamed decides about a request for media of a channel whose path has no Pass. Only a public channel whose policy looks at
// first requests alone has such.
func (g *Gate) Unnamed(ctx context.Context, c *resource.Channel) error {
	if c.Authorized {
		return g.count(refuseToken(NoPass, "the URL has no playback session; it begins with the multivariant playlist and a token"))
	}
	policy, err := g.policy(ctx, c)
	if err == nil && policy.Strict {
		err = refuse("playback_restricted", NoPass, "the URL has no playback session; it begins with the multivariant playlist")
	}
	return g.count(err)
}

// Check decides about a later request of a session. It allocates nothing when nobody is named.
func (g *Gate) Check(channel arn.ARN, private bool, p *Pass, origin string) error {
	if !weborigin.Allows(p.Origins, origin) {
		if private {
			return g.count(refuseToken(WrongOrigin, "token does not allow this page: %s", pageText(origin)))
		}
		return g.count(refuse("origin_not_allowed", WrongOrigin, "the channel cannot be played on this page: %s", pageText(origin)))
	}
	if g.isRevoked(channel, p) {
		return g.count(errRevoked())
	}
	return nil
}

// RefuseResolution is the refusal of what a viewer's token has too many lines of picture for.
func (g *Gate) RefuseResolution(limit string) error {
	return g.count(refuseToken(TooLarge, "token allows no rendition of this stream: its greatest resolution is %s", limit))
}

// pageText names a page in a refusal.
func pageText(origin string) string {
	if origin == "" {
		return "the request has no Origin"
	}
	return origin
}

// allowOrigin is the value of Access-Control-Allow-Origin for a page that was let in.
func allowOrigin(list []string, origin string) string {
	if weborigin.AllowsAll(list) {
		return weborigin.Any
	}
	return origin
}

// AllowOrigin says which page may read the answers to a session's later requests: the one that asks if that was checked, else
// every one.
func (p *Pass) AllowOrigin(origin string) string { return allowOrigin(p.Origins, origin) }

// codeToken is the error code of everything that is wrong with a token (spec ivs.md 9.5).
const codeToken = "invalid_playback_auth_token"

// Refusal is the error of a viewer who may not watch.
type Refusal struct {
	Status int
	Code   string // error_code of the answer
	Reason Reason
	Text   string // may be shown to the viewer
}

// Error returns the text.
func (r *Refusal) Error() string { return r.Text }

func refuse(code string, why Reason, format string, args ...any) error {
	return &Refusal{Status: http.StatusForbidden, Code: code, Reason: why, Text: fmt.Sprintf(format, args...)}
}

func refuseToken(why Reason, format string, args ...any) error {
	return refuse(codeToken, why, format, args...)
}
