package chunk

import "encoding/binary"

// Format is how a sender cuts its messages.
type Format struct {
	Size int // of a chunk, in bytes; at least 1

	// ExtendedOnce leaves the extended timestamp away in continuation chunks. The specification wants it there; some
	// encoders leave it away, and a Reader takes both.
	ExtendedOnce bool
}

// Append appends m, cut into chunks of the chunk stream (2 to 65,599), with a full header. It allocates only what dst
// grows by.
func (f Format) Append(dst []byte, chunkStream uint32, m Message) []byte {
	dst = appendBasicHeader(dst, 0, chunkStream)
	extended := m.Timestamp >= extendedMark
	dst = append24(dst, min(m.Timestamp, extendedMark))
	dst = append24(dst, uint32(len(m.Payload)))
	dst = append(dst, m.Type)
	dst = binary.LittleEndian.AppendUint32(dst, m.StreamID)
	if extended {
		dst = binary.BigEndian.AppendUint32(dst, m.Timestamp)
	}
	rest := m.Payload
	for len(rest) > f.Size {
		dst = append(dst, rest[:f.Size]...)
		rest = rest[f.Size:]
		dst = appendBasicHeader(dst, 3, chunkStream)
		if extended && !f.ExtendedOnce {
			dst = binary.BigEndian.AppendUint32(dst, m.Timestamp)
		}
	}
	return append(dst, rest...)
}

func appendBasicHeader(dst []byte, format byte, chunkStream uint32) []byte {
	switch {
	case chunkStream < 64:
		return append(dst, format<<6|byte(chunkStream))
	case chunkStream < 64+256:
		return append(dst, format<<6, byte(chunkStream-64))
	default:
		return append(dst, format<<6|1, byte(chunkStream-64), byte((chunkStream-64)>>8))
	}
}

func append24(dst []byte, v uint32) []byte { return append(dst, byte(v>>16), byte(v>>8), byte(v)) }
