package hls

import (
	"net/url"
	"strconv"

	"github.com/rivus-live/rivus/internal/fault"
)

// Reload holds the delivery directives of a playlist request (RFC 8216bis 6.2.5).
type Reload struct {
	MSN  int64 // _HLS_msn; -1 when the request does not wait
	Part int   // _HLS_part; -1 when it asks for a whole segment
	Skip bool  // _HLS_skip: a delta update is welcome
}

// ParseReload reads _HLS_msn, _HLS_part and _HLS_skip. Other parameters are ignored. A directive that is repeated, not
// a plain decimal number, or _HLS_part without _HLS_msn is fault.Invalid (a bad request by RFC 8216bis 6.2.5.2).
func ParseReload(query url.Values) (Reload, error) {
	r := Reload{MSN: -1, Part: -1}
	msn, err := directive(query, "_HLS_msn")
	if err != nil {
		return Reload{}, err
	}
	part, err := directive(query, "_HLS_part")
	if err != nil {
		return Reload{}, err
	}
	if part >= 0 && msn < 0 {
		return Reload{}, fault.New(fault.Invalid, "_HLS_part needs _HLS_msn")
	}
	r.MSN, r.Part = msn, int(part)
	switch skip := query["_HLS_skip"]; {
	case len(skip) == 0:
	case len(skip) == 1 && (skip[0] == "YES" || skip[0] == "v2"):
		r.Skip = true
	default:
		return Reload{}, fault.New(fault.Invalid, "_HLS_skip is YES or v2")
	}
	return r, nil
}

// maxDirective bounds what a client may ask for: no stream comes near it, and it fits an int everywhere.
const maxDirective = 1<<31 - 1

// directive returns the number given for name, -1 when there is none.
func directive(query url.Values, name string) (int64, error) {
	values := query[name]
	if len(values) == 0 {
		return -1, nil
	}
	if len(values) > 1 {
		return 0, fault.New(fault.Invalid, "%s is given more than once", name)
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil || n > maxDirective {
		return 0, fault.New(fault.Invalid, "%s is not a sequence number", name)
	}
	return int64(n), nil
}
