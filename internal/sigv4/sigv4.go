// Package sigv4 signs HTTP requests with AWS Signature Version 4 and proves signatures, in the Authorization header or
// in the query of a presigned URL.
//
// It follows the rules for services other than S3, as the SDKs do: the path as it was sent is encoded once more in the
// canonical request, so the colon of an ARN in a path counts as %253A. The signed headers are whatever the client
// lists, with "host" and the date among them. A Verifier remembers the signing keys of callers that proved
// themselves, never more than a fixed number. Nothing here reads a body: the caller hashes it.
//
// Reference: AWS Signature Version 4 for API requests, AWS IAM user guide.
//
// Imports: nothing of Rivus.
package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// MaxSkew is how far the date of a request may be from the server's clock.
const MaxSkew = 5 * time.Minute

// MaxPresign is the longest life of a presigned URL.
const MaxPresign = 7 * 24 * time.Hour

// UnsignedPayload stands for the body's hash in a request whose signer leaves the body out of the signature.
const UnsignedPayload = "UNSIGNED-PAYLOAD"

const (
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	dateLayout  = "20060102T150405Z"
	dateLen     = len("20060102")
	maxScopeLen = 64 // of an access key id, a region, a service: bounds what is kept and logged
)

// Reason classifies why a request was not authenticated, one for each error of the service family.
type Reason uint8

// The reasons.
const (
	Missing      Reason = iota + 1 // no signature at all
	Incomplete                     // a part of the signature is missing or malformed
	Unrecognized                   // nobody has this access key id
	Invalid                        // the signature does not hold: wrong key, scope, date or content
	Expired                        // it held once: the date is too old, or the presigned URL is
)

// String returns the reason in lower-case words, for logs.
func (r Reason) String() string {
	switch r {
	case Missing:
		return "missing"
	case Incomplete:
		return "incomplete"
	case Unrecognized:
		return "unrecognized"
	case Invalid:
		return "invalid"
	case Expired:
		return "expired"
	}
	return fmt.Sprintf("reason(%d)", r)
}

// Error says why a request was not authenticated. Its message is made for the client and holds neither a secret nor
// the signature that would have been right.
type Error struct {
	Reason  Reason
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func refuse(r Reason, format string, args ...any) error {
	return &Error{Reason: r, Message: fmt.Sprintf(format, args...)}
}

// Identity is what a valid signature proves.
type Identity struct {
	AccessKeyID string
	Region      string // [a-z0-9-]+
	Service     string // the signing name, for instance "ivs"
	SignedHost  string // the host that the client addressed, with its port if it was in the Host header
}

// HashBody returns the lower-case hexadecimal SHA-256 of a body, the form in which Verify and Sign take it.
func HashBody(body []byte) string {
	sum := sha256.Sum256(body)
	var text [2 * len(sum)]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}
