package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signer signs requests for one service and region. SessionToken is optional.
type Signer struct {
	AccessKeyID, Secret, SessionToken string
	Region, Service                   string
}

// Sign adds an Authorization header, and the date header it needs, to a request that is about to be sent. It signs
// the host, the content type and every X-Amz header. bodyHash is HashBody of the body, or UnsignedPayload.
func (s Signer) Sign(r *http.Request, bodyHash string, now time.Time) {
	c := s.claim(now)
	r.Header.Set("X-Amz-Date", c.stamp)
	if s.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", s.SessionToken)
	}
	if bodyHash == UnsignedPayload {
		r.Header.Set("X-Amz-Content-Sha256", bodyHash)
	}
	signed := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); name == "content-type" || strings.HasPrefix(name, "x-amz-") {
			signed = append(signed, name)
		}
	}
	slices.Sort(signed)
	c.signedHeaders = strings.Join(signed, ";")
	sum := s.prover(c).sign(&c, r, r.URL.Query(), encodedOrder, bodyHash)
	r.Header.Set("Authorization", algorithm+" Credential="+s.credential(c)+", SignedHeaders="+c.signedHeaders+
		", Signature="+hex.EncodeToString(sum[:]))
}

// Presign adds a signature to a request's query, so that the URL alone carries it for the given time. Only the host is
// signed among the headers. Whoever sends the request must send a body with the given hash; UnsignedPayload leaves it
// free.
func (s Signer) Presign(r *http.Request, bodyHash string, now time.Time, life time.Duration) {
	c := s.claim(now)
	c.signedHeaders = "host"
	query := r.URL.Query()
	query.Set("X-Amz-Algorithm", algorithm)
	query.Set("X-Amz-Credential", s.credential(c))
	query.Set("X-Amz-Date", c.stamp)
	query.Set("X-Amz-Expires", strconv.Itoa(int(life.Seconds())))
	query.Set("X-Amz-SignedHeaders", c.signedHeaders)
	if s.SessionToken != "" {
		query.Set("X-Amz-Security-Token", s.SessionToken)
	}
	if bodyHash == UnsignedPayload {
		query.Set("X-Amz-Content-Sha256", bodyHash)
	}
	sum := s.prover(c).sign(&c, r, query, encodedOrder, bodyHash)
	query.Set("X-Amz-Signature", hex.EncodeToString(sum[:]))
	r.URL.RawQuery = encodeQuery(query)
}

// encodeQuery encodes a space as %20: url.Values would send '+', which some servers read as a plus.
func encodeQuery(query url.Values) string { return strings.ReplaceAll(query.Encode(), "+", "%20") }

func (s Signer) claim(now time.Time) claim {
	stamp := now.UTC().Format(dateLayout)
	return claim{accessKeyID: s.AccessKeyID, day: stamp[:dateLen], region: s.Region, service: s.Service, stamp: stamp}
}

func (s Signer) credential(c claim) string {
	return s.AccessKeyID + "/" + c.day + "/" + c.region + "/" + c.service + "/" + terminator
}

func (s Signer) prover(c claim) *prover {
	return newProver(deriveKey(s.Secret, scope{c.accessKeyID, c.day, c.region, c.service}))
}
