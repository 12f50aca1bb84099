package rtmp

import (
	"crypto/rand"
	"fmt"
	"io"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

// helloSize is the length of C1, S1, C2 and S2 (Adobe RTMP 1.0, section 5.2).
const helloSize = 1536

// handshake answers a client's handshake in the simple form. Clients that sign theirs (Flash did, some hardware still
// does) accept the simple form as well, as long as the version field of S1 is zero; what C2 holds is not checked,
// because many clients send anything there.
func handshake(rw io.ReadWriter) error {
	var version [1]byte
	if _, err := io.ReadFull(rw, version[:]); err != nil {
		return err
	}
	// 4 to 31 are versions we do not speak: the answer says 3, and the client decides. The rest is not RTMP at all; 32
	// and above are kept free by the specification so that a text protocol is recognised by its first letter.
	if version[0] < 3 || version[0] > 31 {
		return &chunk.Error{Text: fmt.Sprintf("not RTMP: the first byte is 0x%02x", version[0])}
	}
	var answer [1 + 2*helloSize]byte
	answer[0] = 3
	s1, s2 := answer[1:1+helloSize], answer[1+helloSize:]
	if _, err := rand.Read(s1[8:]); err != nil {
		return fmt.Errorf("rtmp: random bytes: %w", err)
	}
	if _, err := io.ReadFull(rw, s2); err != nil { // S2 is the echo of C1
		return err
	}
	if _, err := rw.Write(answer[:]); err != nil {
		return err
	}
	var c2 [helloSize]byte
	_, err := io.ReadFull(rw, c2[:])
	return err
}
