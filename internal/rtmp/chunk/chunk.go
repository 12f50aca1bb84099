// Package chunk carries RTMP messages in interleaved chunk streams (Adobe RTMP 1.0, section 5.3).
//
// A Reader turns the bytes of one connection into messages with bounded memory; Append turns a message into bytes. Both
// are pure framing: what a message means is the caller's, apart from "set chunk size" and "abort", which change how the
// following bytes are read.
//
// Imports: nothing of Rivus.
package chunk

// Message types (Adobe RTMP 1.0, sections 5.4, 6.2 and 7.1).
const (
	TypeSetChunkSize     uint8 = 1
	TypeAbort            uint8 = 2
	TypeAck              uint8 = 3
	TypeUserControl      uint8 = 4
	TypeWindowAckSize    uint8 = 5
	TypeSetPeerBandwidth uint8 = 6
	TypeAudio            uint8 = 8
	TypeVideo            uint8 = 9
	TypeDataAMF3         uint8 = 15
	TypeCommandAMF3      uint8 = 17
	TypeDataAMF0         uint8 = 18
	TypeCommandAMF0      uint8 = 20
	TypeAggregate        uint8 = 22
)

// DefaultSize is the chunk size of a connection until its sender changes it.
const DefaultSize = 128

// Message is one message of a connection.
type Message struct {
	Type      uint8
	StreamID  uint32 // message stream: 0 for the connection, else as createStream answered
	Timestamp uint32 // milliseconds, absolute, modulo 2^32
	Payload   []byte
}

// Error says that the peer broke the protocol or a limit; its text may be shown to it.
type Error struct{ Text string }

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// extendedMark in the 24-bit timestamp field says that a 32-bit field follows (section 5.3.1.3).
const extendedMark = 0xFFFFFF
