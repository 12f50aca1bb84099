package broadcast

import "github.com/rivus-live/rivus/internal/resource"

// refusal ends a publisher because of what it sends: a kind for events, figures and programs, a text for people. How the
// publisher is told is a matter of its protocol.
type refusal struct {
	kind refusalKind
	text string
}

// refusalKind says what is wrong with a publisher's media.
type refusalKind uint8

const (
	unsupported refusalKind = iota + 1 // a codec, or a variant of one, that is not carried
	unplayable                         // nothing of it can be shown
	tooMuch                            // more than a stream may hold
	multitrack                         // several video tracks
	singleTrack                        // one video track where the channel asks for several
)

// Error returns the text.
func (r *refusal) Error() string { return r.text }

// code returns the code of the "Session Ended" event, empty where none is defined (spec ivs.md 8.4).
func (r *refusal) code(c resource.Multitrack) string {
	switch {
	case r.kind == singleTrack:
		return "MultitrackInputRequired"
	case r.kind == multitrack && !c.Enabled:
		return "MultitrackInputNotAllowed"
	}
	return ""
}

// policyRequire is the multitrack policy of channels that take no other input (spec ivs.md 3).
const policyRequire = "REQUIRE"

// needsMultitrack returns why a publisher of one video track is refused, nil when it is not.
func needsMultitrack(c resource.Multitrack) *refusal {
	if !c.Enabled || c.Policy != policyRequire {
		return nil
	}
	return &refusal{singleTrack, "MultitrackInputRequired: this channel takes multitrack video only, and one track came."}
}
