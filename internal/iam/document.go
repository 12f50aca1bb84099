package iam

import (
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
)

// checkDocument returns the error of a policy that cannot be used, fault.Malformed, or is longer than quotas allow.
func checkDocument(document string, kind policy.Kind) error {
	_, err := policy.Parse(document, kind)
	return err
}

// encoded returns a document as answers have it: percent-encoded (RFC 3986), so that clients get back what was sent
// whether they unescape as for a path or as for a form (spec errata.md A3).
func encoded(document string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(document) + len(document)/2)
	for i := range len(document) {
		if c := document[i]; unreserved(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// checkTrust is checkDocument for the policy that says who may assume a role.
func checkTrust(document string) error {
	if err := checkDocument(document, policy.Trust); err != nil {
		return err
	}
	if sizeOf(document) > maxTrustSize {
		return exceeded("ACLSizePerRole", maxTrustSize)
	}
	return nil
}

// checkManaged is checkDocument for a version of a managed policy.
func checkManaged(document string) error {
	if err := checkDocument(document, policy.Identity); err != nil {
		return err
	}
	if sizeOf(document) > maxPolicySize {
		return exceeded("PolicySize", maxPolicySize)
	}
	return nil
}

// withInline returns the inline policies of something with one more, or one replaced. The argument may be changed.
func withInline(inline map[string]string, name, document string, limit int, whose string) (map[string]string, error) {
	if inline == nil {
		inline = map[string]string{}
	}
	inline[name] = document
	if sizeOfAll(inline) > limit {
		return nil, fault.New(fault.Quota, "Maximum policy size of %d bytes exceeded for %s", limit, whose)
	}
	return inline, nil
}
