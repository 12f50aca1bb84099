package origin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// A viewer id is 16 random characters and 8 that prove that they were minted here for this stream, base64url all of
// them. The proof is short because all it protects is the viewer count: a stranger would need 2^47 requests to add one.
const (
	viewerRandom = 16
	viewerProof  = 8
)

// viewerID is the random part, what viewers are told apart by.
type viewerID [viewerRandom]byte

// mint makes and verifies viewer ids.
type mint struct{ key []byte }

// new returns a fresh viewer id for a stream.
func (m mint) new(streamID string) string {
	var raw [viewerRandom * 3 / 4]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
	var id viewerID
	base64.RawURLEncoding.Encode(id[:], raw[:])
	proof := m.proof(streamID, id)
	return string(id[:]) + string(proof[:])
}

// split takes an id apart by its form only.
func split(s string) (id viewerID, proof [viewerProof]byte, ok bool) {
	if len(s) != viewerRandom+viewerProof {
		return id, proof, false
	}
	copy(id[:], s)
	copy(proof[:], s[viewerRandom:])
	return id, proof, true
}

// valid reports whether the id was minted here for the stream.
func (m mint) valid(streamID string, id viewerID, proof [viewerProof]byte) bool {
	want := m.proof(streamID, id)
	return hmac.Equal(want[:], proof[:])
}

func (m mint) proof(streamID string, id viewerID) (out [viewerProof]byte) {
	mac := hmac.New(sha256.New, m.key)
	_, _ = mac.Write([]byte(streamID)) // a hash does not fail
	_, _ = mac.Write(id[:])
	base64.RawURLEncoding.Encode(out[:], mac.Sum(nil)[:viewerProof*3/4])
	return out
}
