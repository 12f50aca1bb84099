package broadcast

import (
	"errors"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/resource"
)

// refusedMedia returns the refusal of what a publisher sent, if err is one.
func refusedMedia(err error) (*ingest.Refusal, bool) {
	r, ok := errors.AsType[*ingest.Refusal](err)
	return r, ok && r.Kind.IsMedia()
}

// endCode returns the code of the "Session Ended" event of a refused publisher, empty where none is defined (spec ivs.md
// 8.4).
func endCode(k ingest.RefusalKind, c resource.Multitrack) string {
	switch {
	case k == ingest.SingleTrack:
		return "MultitrackInputRequired"
	case k == ingest.Multitrack && !c.Enabled:
		return "MultitrackInputNotAllowed"
	}
	return ""
}

// policyRequire is the multitrack policy of channels that take no other input (spec ivs.md 3).
const policyRequire = "REQUIRE"

// needsMultitrack returns why a publisher of one video track is refused, nil when it is not.
func needsMultitrack(c resource.Multitrack) *ingest.Refusal {
	if !c.Enabled || c.Policy != policyRequire {
		return nil
	}
	return &ingest.Refusal{
		Kind: ingest.SingleTrack,
		Text: "MultitrackInputRequired: this channel takes multitrack video only, and one track came.",
	}
}

// refuseForeign returns why media that is not carried ends its publisher.
func refuseForeign(u *ingest.UnsupportedError) *ingest.Refusal {
	switch {
	case u.Multitrack:
		return &ingest.Refusal{Kind: ingest.Multitrack, Text: "Multitrack video is not supported; this server takes one track."}
	case u.Variant:
		return &ingest.Refusal{Kind: ingest.Unsupported, Text: u.Error()}
	}
	return &ingest.Refusal{Kind: ingest.Unsupported, Text: u.Error() + "; this server takes H.264 and AAC-LC."}
}
