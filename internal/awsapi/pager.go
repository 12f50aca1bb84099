package awsapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
)

// maxToken is the greatest length of a page token (spec ivs.md 2.5).
const maxToken = 1024

// macLen is how much of the SHA-256 MAC a token carries: 128 bits, which nobody guesses.
const macLen = 16

// Pager makes and reads page tokens. A token holds where a page ended, and is bound by a MAC to the caller's account
// and region, the operation and its filter; it is made of [A-Za-z0-9_-] (spec ivs.md 2.5).
type Pager struct{ key []byte }

// NewPager returns a pager with the given MAC key, which all nodes must share.
func NewPager(key []byte) *Pager { return &Pager{key} }

// Encode returns the token of the page that comes after the given id. An id is short; one that would make the token
// longer than clients accept is a defect, and its token is refused when it comes back.
func (p *Pager) Encode(sc arn.Scope, operation, filter, after string) string {
	return base64.RawURLEncoding.EncodeToString(append(p.mac(sc, operation, filter, after), after...))
}

// Decode returns the id that a page comes after. A token that this pager did not make for the same caller, operation
// and filter is fault.Invalid.
func (p *Pager) Decode(sc arn.Scope, operation, filter, token string) (after string, err error) {
	if len(token) <= maxToken {
		b, err := base64.RawURLEncoding.Strict().DecodeString(token)
		if err == nil && len(b) >= macLen {
			after = string(b[macLen:])
			if hmac.Equal(b[:macLen], p.mac(sc, operation, filter, after)) {
				return after, nil
			}
		}
	}
	return "", fault.New(fault.Invalid, "The nextToken is not valid for this request")
}

// mac covers each field with its length, so that no two sets of fields look alike.
func (p *Pager) mac(sc arn.Scope, operation, filter, after string) []byte {
	h := hmac.New(sha256.New, p.key)
	for _, field := range [...]string{"page", sc.Account, sc.Region, operation, filter, after} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		h.Write(n[:])
		h.Write([]byte(field))
	}
	return h.Sum(nil)[:macLen]
}

// Pages makes and reads the page tokens of one list: a caller's, of one operation, under one filter.
type Pages struct {
	pager             *Pager
	scope             arn.Scope
	operation, filter string
}

// Pages returns the pages of a list of the caller's. The filter holds everything else that tells the list from others: the
// filters of the request, and the resource whose parts are listed.
func (p *Pager) Pages(c Caller, operation, filter string) Pages {
	return Pages{p, c.Scope, operation, filter}
}

// After returns where the page of a request begins, "" for the first page. An empty token is no token; one of another
// list is fault.Invalid.
func (p Pages) After(token *string) (string, error) {
	if token == nil || *token == "" {
		return "", nil
	}
	return p.pager.Decode(p.scope, p.operation, p.filter, *token)
}

// Next returns the token of the page that begins after the given place, nil when there is none.
func (p Pages) Next(more bool, place string) *string {
	if !more {
		return nil
	}
	return new(p.pager.Encode(p.scope, p.operation, p.filter, place))
}

// PageSize returns the size of the page that a request asks for. Its range has been checked.
func PageSize(asked *int32, otherwise int) int {
	if asked == nil {
		return otherwise
	}
	return int(*asked)
}
