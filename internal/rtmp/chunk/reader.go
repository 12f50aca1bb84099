package chunk

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Limits bound what a peer can make a Reader hold. All are inclusive.
type Limits struct {
	MaxMedia   int // bytes of one audio, video or aggregate message
	MaxOther   int // bytes of any other message
	MaxPending int // bytes, as announced, of all messages that have begun and not ended
	MaxStreams int // chunk streams
}

// Bounds of the chunk size that a peer may set. Smaller ones only burn time; larger ones mean "do not cut" already.
const (
	minChunkSize = 64
	maxChunkSize = 0xFFFFFF
)

// Reader reads messages from the bytes of one connection.
//
// It may be used again after an error of the source (a deadline, say): nothing that came before the error is lost. An
// *Error is final, because the position in the stream is lost with it.
//
// Costs: a message is one allocation, its payload. Bytes go through a buffer that is filled with one read of the source,
// or, where the rest of a chunk is larger than the buffer, straight into the payload.
type Reader struct {
	source io.Reader
	buf    []byte
	from   int // buf[from:to] is not consumed yet
	to     int

	limits    Limits
	chunkSize int
	streams   []*stream
	pending   int
	once      bool // the peer leaves the extended timestamp away in continuation chunks

	current *stream // whose chunk payload is being read; nil between chunks
	left    int     // bytes of that chunk that have not come
}

// stream is the state of one chunk stream.
type stream struct {
	id        uint32
	known     bool // is among the streams of the reader; false until its first header is complete
	kind      uint8
	messageID uint32
	length    int
	timestamp uint32 // of the message in progress or, between messages, of the last one
	field     uint32 // the timestamp field of the last header with one: absolute in format 0, a difference in 1 and 2
	delta     uint32 // what a format 3 header that begins a message adds
	extended  bool   // field came in the extended form
	open      bool   // a message has begun and not ended
	payload   []byte // of the open message; full length
	got       int    // bytes of payload that have come
}

// NewReader returns a reader with a buffer of the given size (at least 32 bytes).
func NewReader(source io.Reader, size int, limits Limits) *Reader {
	return &Reader{source: source, buf: make([]byte, max(size, 32)), limits: limits, chunkSize: DefaultSize}
}

// Resize gives the reader a larger buffer and other limits, for a peer that has earned them.
func (r *Reader) Resize(size int, limits Limits) {
	r.limits = limits
	if size > len(r.buf) {
		buf := make([]byte, size)
		r.to = copy(buf, r.buf[r.from:r.to])
		r.buf, r.from = buf, 0
	}
}

// Next returns the next message. Its payload is a fresh slice of exactly its size. "Set chunk size" and "abort" are
// obeyed and not returned.
func (r *Reader) Next() (Message, error) {
	for {
		if r.current == nil {
			if err := r.beginChunk(); err != nil {
				return Message{}, err
			}
		}
		s := r.current
		if err := r.fillPayload(s); err != nil {
			return Message{}, err
		}
		r.current = nil
		if s.got < s.length {
			continue
		}
		m := Message{Type: s.kind, StreamID: s.messageID, Timestamp: s.timestamp, Payload: s.payload}
		r.drop(s)
		switch m.Type {
		case TypeSetChunkSize:
			if err := r.setChunkSize(m.Payload); err != nil {
				return Message{}, err
			}
		case TypeAbort:
			r.abort(m.Payload)
		default:
			return m, nil
		}
	}
}

// Missing returns how many bytes, at least, have to come before the message in progress is complete; 0 between messages.
func (r *Reader) Missing() int {
	if r.current == nil {
		return 0
	}
	return r.current.length - r.current.got - (r.to - r.from)
}

// fillPayload reads the rest of the current chunk into s.
func (r *Reader) fillPayload(s *stream) error {
	for r.left > 0 {
		into := s.payload[s.got : s.got+r.left]
		var n int
		if r.from == r.to && len(into) >= len(r.buf) {
			var err error
			if n, err = r.source.Read(into); n == 0 && err != nil {
				return err
			}
		} else {
			if r.from == r.to {
				if err := r.fill(); err != nil {
					return err
				}
			}
			n = copy(into, r.buf[r.from:r.to])
			r.from += n
		}
		s.got += n
		r.left -= n
	}
	return nil
}

// fill reads the source once; something new is in the buffer when it returns nil.
func (r *Reader) fill() error {
	if r.from == r.to {
		r.from, r.to = 0, 0
	} else if r.to == len(r.buf) {
		r.to = copy(r.buf, r.buf[r.from:r.to])
		r.from = 0
	}
	for {
		n, err := r.source.Read(r.buf[r.to:])
		r.to += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// peek returns the next n bytes without consuming them.
func (r *Reader) peek(n int) ([]byte, error) {
	for r.to-r.from < n {
		if len(r.buf)-r.from < n { // no room behind what is there
			r.to = copy(r.buf, r.buf[r.from:r.to])
			r.from = 0
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	return r.buf[r.from : r.from+n], nil
}

// drop forgets the open message of s.
func (r *Reader) drop(s *stream) {
	r.pending -= s.length
	s.open, s.payload, s.got = false, nil, 0
}

func (r *Reader) setChunkSize(payload []byte) error {
	if len(payload) != 4 {
		return &Error{"set chunk size: wrong length"}
	}
	size := binary.BigEndian.Uint32(payload)
	if size < minChunkSize || size > 0x7FFFFFFF {
		return &Error{fmt.Sprintf("set chunk size: %d is out of range", size)}
	}
	r.chunkSize = int(min(size, maxChunkSize))
	return nil
}

func (r *Reader) abort(payload []byte) {
	if len(payload) != 4 {
		return
	}
	if s := r.find(binary.BigEndian.Uint32(payload)); s != nil && s.open {
		r.drop(s)
	}
}

func (r *Reader) find(id uint32) *stream {
	for _, s := range r.streams {
		if s.id == id {
			return s
		}
	}
	return nil
}
