package rtmp

import (
	"encoding/binary"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

// splitAggregate takes an aggregate message apart (Adobe RTMP 1.0, section 7.1.6): FLV tags whose times count from the
// first one, which stands for the time of the message. The payloads are slices of the aggregate's.
func splitAggregate(m chunk.Message, arrived time.Time) ([]Message, error) {
	const head, tail = 11, 4
	var messages []Message
	var first uint32
	for rest := m.Payload; len(rest) > 0; {
		if len(rest) < head {
			return nil, &chunk.Error{Text: "aggregate message is cut short"}
		}
		word := binary.BigEndian.Uint32(rest)
		kind, size := uint8(word>>24), int(word&0xFFFFFF)
		at := binary.BigEndian.Uint32(rest[4:])
		at = at>>8 | at<<24 // the upper byte comes last
		if len(rest) < head+size {
			return nil, &chunk.Error{Text: "aggregate message is cut short"}
		}
		if len(rest) == len(m.Payload) {
			first = at
		}
		if size > 0 && (kind == TypeAudio || kind == TypeVideo || kind == TypeData) {
			messages = append(messages, Message{
				Type: kind, Timestamp: m.Timestamp + at - first, Payload: rest[head : head+size : head+size], Arrived: arrived,
			})
		}
		rest = rest[min(head+size+tail, len(rest)):]
	}
	return messages, nil
}
