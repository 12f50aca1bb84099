package chunk

import (
	"encoding/binary"
	"fmt"
)

// likelyDelta is the largest time in milliseconds that a format 3 header after a format 0 header can mean to add.
//
// Section 5.3.1.2.4 says that such a header adds the timestamp of the format 0 header, and FFmpeg counts on it while a
// stream is young. librtmp sends the same bytes for "the time has not changed". Late in a stream only that makes sense.
const likelyDelta = 1000

// beginChunk reads one chunk header, applies it to its chunk stream and makes that the current one. Nothing is consumed
// or changed before the header is complete, so it can be called again after an error of the source.
func (r *Reader) beginChunk() error {
	format, id, size, err := r.basicHeader()
	if err != nil {
		return err
	}
	s := r.find(id)
	if s == nil {
		// Format 1 is forgiven: librtmp opens its control stream with it.
		if format > 1 {
			return &Error{fmt.Sprintf("chunk stream %d begins with a header of format %d", id, format)}
		}
		if len(r.streams) >= r.limits.MaxStreams {
			return &Error{fmt.Sprintf("more than %d chunk streams", r.limits.MaxStreams)}
		}
		s = &stream{id: id}
	}
	if format == 3 {
		size, err = r.continuation(s, size)
	} else {
		size, err = r.messageHeader(s, format, size)
	}
	if err != nil {
		return err
	}
	r.from += size
	r.current, r.left = s, min(r.chunkSize, s.length-s.got)
	return nil
}

// basicHeader returns the format, the chunk stream and the size of the basic header (section 5.3.1.1).
func (r *Reader) basicHeader() (format byte, id uint32, size int, err error) {
	b, err := r.peek(1)
	if err != nil {
		return 0, 0, 0, err
	}
	format, id = b[0]>>6, uint32(b[0]&0x3F)
	switch id {
	case 0:
		if b, err = r.peek(2); err != nil {
			return 0, 0, 0, err
		}
		return format, 64 + uint32(b[1]), 2, nil
	case 1:
		if b, err = r.peek(3); err != nil {
			return 0, 0, 0, err
		}
		return format, 64 + uint32(b[1]) + uint32(b[2])<<8, 3, nil
	}
	return format, id, 1, nil
}

// messageHeader reads a header of format 0, 1 or 2 behind the basic header of the given size and returns their size.
func (r *Reader) messageHeader(s *stream, format byte, size int) (int, error) {
	at := size
	size += 11 - 4*int(format)
	b, err := r.peek(size)
	if err != nil {
		return 0, err
	}
	field := uint24(b[at:])
	extended := field == extendedMark
	if extended {
		size += 4
		if b, err = r.peek(size); err != nil {
			return 0, err
		}
		field = binary.BigEndian.Uint32(b[size-4:])
	}
	if s.open {
		return 0, &Error{fmt.Sprintf("a message begins inside another on chunk stream %d", s.id)}
	}
	next := *s
	if format <= 1 {
		next.length, next.kind = int(uint24(b[at+3:])), b[at+6]
	}
	next.field, next.extended = field, extended
	if format == 0 {
		next.messageID = binary.LittleEndian.Uint32(b[at+7:])
		next.timestamp = field
		next.delta = field
		if field > likelyDelta {
			next.delta = 0
		}
	} else {
		next.timestamp += field
		next.delta = field
	}
	return size, r.open(s, next)
}

// continuation reads a header of format 3, which goes on with the open message or begins one like the last.
func (r *Reader) continuation(s *stream, size int) (int, error) {
	if s.extended && !r.once {
		repeated, err := r.repeatsTime(s, size)
		if err != nil {
			return 0, err
		}
		if repeated {
			size += 4
		} else {
			r.once = true
		}
	}
	if s.open {
		return size, nil
	}
	next := *s
	next.timestamp += s.delta
	return size, r.open(s, next)
}

// repeatsTime reports whether the bytes at the given place are the extended timestamp again: either the field as it was
// sent or, as some encoders do it, the absolute time. It looks at no byte that need not come: a peer that leaves the
// field away may have sent less than four bytes.
func (r *Reader) repeatsTime(s *stream, at int) (bool, error) {
	field, absolute := true, true
	for i := range 4 {
		b, err := r.peek(at + i + 1)
		if err != nil {
			return false, err
		}
		shift := 24 - 8*i
		field = field && b[at+i] == byte(s.field>>shift)
		absolute = absolute && b[at+i] == byte(s.timestamp>>shift)
		if !field && !absolute {
			return false, nil
		}
	}
	return true, nil
}

// open begins the message that next describes on s, if the limits allow it.
func (r *Reader) open(s *stream, next stream) error {
	limit := r.limits.MaxOther
	switch next.kind {
	case TypeAudio, TypeVideo, TypeAggregate:
		limit = r.limits.MaxMedia
	}
	if next.length > limit {
		return &Error{fmt.Sprintf("a message of type %d has %d bytes, the limit is %d", next.kind, next.length, limit)}
	}
	if r.pending+next.length > r.limits.MaxPending {
		return &Error{fmt.Sprintf("unfinished messages have more than %d bytes together", r.limits.MaxPending)}
	}
	*s = next
	s.open, s.got = true, 0
	s.payload = make([]byte, s.length)
	r.pending += s.length
	if !s.known {
		s.known = true
		r.streams = append(r.streams, s)
	}
	return nil
}

func uint24(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
