// Package packetring keeps the recent packets of one RTP layer, for fan-out and retransmission to read from.
//
// Each packet is put once, which copies it in; writers and NACK answers copy it out again by its extended sequence number.
// A packet is held until one with a number Size higher comes, or until it is older than Memory and its room is needed: a
// ring takes what the last second and a half of its layer take, so that the rings of small pictures and of audio are
// small. The ring extends the 16-bit sequence numbers, makes room for packets of our own between them, tells duplicates and
// packets that are too old, and survives a publisher that starts its numbers anew. A Ring has one mutex, held for the length of one copy; it starts no goroutine and
// allocates nothing once it has seen its layer's rate.
//
// Imports: nothing of Rivus.
package packetring

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// Memory is how long a packet is held for certain, as long as no more than Size others follow it. Whoever asks for a
// packet again does so within a few round trips.
const Memory = 1500 * time.Millisecond

// SlotSize is the longest packet a ring holds, in bytes: an Ethernet payload, and more than WebRTC ever sends.
const SlotSize = 1500

// Note is what the reader of a layer found out about a packet, for those who only hold its number.
type Note uint8

// The notes, to be combined.
const (
	Keyframe Note = 1 << iota // first packet of a picture that needs no other, with its parameter sets
	Start                     // first packet of a frame
	Marker                    // last packet of a frame (RFC 3550, 5.1)
)

// Outcome says what Put did.
type Outcome uint8

// The outcomes of Put. Only packets that were Stored or came Late (a hole was filled) may be offered to writers.
const (
	Stored    Outcome = iota // the newest packet so far
	Late                     // older than the newest, was missing until now
	Duplicate                // already there
	Stale                    // older than the ring reaches
	Oversize                 // longer than SlotSize, or shorter than an RTP header
	Restarted                // stored; the publisher began new sequence numbers or a new stream, everything before is gone
)

// Packet is what the ring knows about one stored packet.
type Packet struct {
	Seq     uint64        // extended sequence number; those of the RTP header, and one more for each packet inserted before
	Arrived time.Duration // as given to Put
	Size    int           // bytes
	Note    Note
}

// Ring holds the last Size packets of a layer. Any number of goroutines may use it.
type Ring struct {
	mu       sync.Mutex
	slots    []slot
	mask     uint64
	chunks   []*chunk // in the order in which they were filled, as a ring
	filling  int      // of chunks
	high     uint64   // newest extended number
	ssrc     uint32   // of the packets that the numbers are of
	shift    uint16   // what numbers are raised by: how many packets were inserted
	inserted [maxInserted]uint64
	keyframe uint64 // newest first packet of a keyframe, 0 when none is held
	suspect  uint16 // where a restarted publisher's next packet would be
	started  bool
	doubting bool
}

// slot is where a packet is. It holds nothing any more once the chunk is at another round.
type slot struct {
	seq     uint64 // 0: never used
	arrived time.Duration
	chunk   *chunk
	round   uint32
	begin   uint16
	size    uint16
	note    Note
	stamp   uint32 // the packet's timestamp
}

func (s *slot) held(seq uint64) bool { return seq != 0 && s.seq == seq && s.chunk.round == s.round }

// chunk is room for several packets, which are forgotten together.
type chunk struct {
	round  uint32
	used   int
	newest time.Duration // arrival
	data   [chunkSize]byte
}

const chunkSize = 16 << 10

// Bounds of a ring's size, and of what is still one publisher's numbering (RFC 3550, A.1).
const (
	minSize    = 16
	maxSize    = 1 << 14
	maxDropout = 3000
	rtpHeader  = 12

	maxInserted = 8 // packets whose place is remembered, for those that come late
)

// New returns a ring of size packets, rounded up to a power of two between 16 and 16,384. It takes 40 bytes a packet and
// what the packets of Memory take, in steps of 16 KiB.
func New(size int) *Ring {
	n := minSize
	for n < size && n < maxSize {
		n *= 2
	}
	return &Ring{slots: make([]slot, n), mask: uint64(n - 1), chunks: []*chunk{new(chunk)}}
}

// Size returns how many packets the ring holds.
func (r *Ring) Size() int { return len(r.slots) }

// Put copies an RTP packet into the ring and returns its extended sequence number. The caller keeps pkt. Only one
// goroutine, the layer's reader, may put.
func (r *Ring) Put(pkt []byte, arrived time.Duration, note Note) (uint64, Outcome) {
	if len(pkt) < rtpHeader || len(pkt) > SlotSize {
		return 0, Oversize
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	stamp := binary.BigEndian.Uint32(pkt[4:])
	seq, outcome := r.place(binary.BigEndian.Uint16(pkt[2:])+r.shift, stamp, binary.BigEndian.Uint32(pkt[8:]))
	if outcome == Duplicate || outcome == Stale {
		return seq, outcome
	}
	r.store(seq, pkt, stamp, arrived, note)
	return seq, outcome
}

// Insert puts a packet of our own in front of the publisher's that is to be put next, whose sequence number, timestamp and
// SSRC it has: all from there on have a number more. It fails, and puts nothing, when that one is not the newest so far.
func (r *Ring) Insert(pkt []byte, arrived time.Duration, note Note) (uint64, bool) {
	if len(pkt) < rtpHeader || len(pkt) > SlotSize {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seq, ssrc := binary.BigEndian.Uint16(pkt[2:])+r.shift, binary.BigEndian.Uint32(pkt[8:])
	if ahead := int16(seq - uint16(r.high)); r.started && ssrc == r.ssrc && (ahead <= 0 || ahead > maxDropout) {
		return 0, false
	}
	stamp := binary.BigEndian.Uint32(pkt[4:])
	number, _ := r.place(seq, stamp, ssrc)
	r.store(number, pkt, stamp, arrived, note)
	r.inserted[r.shift%maxInserted] = number
	r.shift++
	return number, true
}

// store keeps a packet that has its place.
func (r *Ring) store(seq uint64, pkt []byte, stamp uint32, arrived time.Duration, note Note) {
	c := r.room(len(pkt), arrived)
	r.slots[seq&r.mask] = slot{
		seq: seq, arrived: arrived, chunk: c, round: c.round, begin: uint16(c.used), size: uint16(len(pkt)), note: note, stamp: stamp,
	}
	copy(c.data[c.used:], pkt)
	c.used, c.newest = c.used+len(pkt), max(c.newest, arrived)
	if note&Keyframe != 0 && seq > r.keyframe {
		r.keyframe = seq
	}
}

// room returns a chunk with room for n bytes: the one being filled, else the oldest, if it may be forgotten, else a new
// one.
func (r *Ring) room(n int, now time.Duration) *chunk {
	c := r.chunks[r.filling]
	if c.used+n <= chunkSize {
		return c
	}
	r.filling++
	oldest := r.chunks[r.filling%len(r.chunks)]
	if now-oldest.newest <= Memory && len(r.chunks)*chunkSize < len(r.slots)*SlotSize {
		c = new(chunk)
		r.chunks = slices.Insert(r.chunks, r.filling, c)
		return c
	}
	r.filling %= len(r.chunks)
	oldest.round, oldest.used, oldest.newest = oldest.round+1, 0, 0
	return oldest
}

// place extends a sequence number and moves high. The first number gets an epoch of 1, so that 0 means nothing and
// packets that were overtaken at the start have a number too. Another SSRC is another stream, whose numbers say nothing
// about those before. A number that was used for another time is as strange as one out of all proportion.
func (r *Ring) place(seq uint16, stamp, ssrc uint32) (uint64, Outcome) {
	if !r.started {
		r.started, r.ssrc = true, ssrc
		r.high = 1<<16 | uint64(seq)
		return r.high, Stored
	}
	if ssrc != r.ssrc {
		r.ssrc = ssrc
		return r.restart(seq)
	}
	diff := int64(int16(seq - uint16(r.high)))
	ext := r.before(r.high+uint64(diff), diff)
	switch {
	case ext == 0:
		return 0, Stale
	case diff > maxDropout || diff <= -int64(len(r.slots)):
		return r.doubt(seq, ext)
	case r.slots[ext&r.mask].seq == ext && r.slots[ext&r.mask].stamp != stamp:
		return r.doubt(seq, ext)
	case r.slots[ext&r.mask].seq == ext:
		return ext, Duplicate
	case diff < 0:
		return ext, Late
	}
	r.high, r.doubting = ext, false
	return ext, Stored
}

// before undoes what was inserted since a late packet was due; 0 for one of so long ago that nobody knows.
func (r *Ring) before(ext uint64, diff int64) uint64 {
	if diff >= 0 {
		return ext
	}
	for back := uint16(1); back <= min(r.shift, maxInserted); back++ {
		if ext > r.inserted[(r.shift-back)%maxInserted] {
			return ext
		}
		ext--
	}
	if r.shift > maxInserted {
		return 0
	}
	return ext
}

// doubt handles a number that is out of all proportion: one such packet is dropped, two in a row are a publisher that
// began anew. It gets numbers above all earlier ones, at least an epoch away so that nobody takes the step for a loss.
func (r *Ring) doubt(seq uint16, ext uint64) (uint64, Outcome) {
	if !r.doubting || seq != r.suspect {
		r.doubting, r.suspect = true, seq+1
		return ext, Stale
	}
	return r.restart(seq)
}

func (r *Ring) restart(seq uint16) (uint64, Outcome) {
	r.doubting = false
	r.high = (r.high>>16+2)<<16 | uint64(seq)
	r.keyframe = 0
	return r.high, Restarted
}

// Get copies the packet into dst, which should have room for SlotSize bytes, and returns its size and notes. It returns
// false when the packet never came, is gone, or does not fit.
func (r *Ring) Get(seq uint64, dst []byte) (Packet, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.slots[seq&r.mask]
	if !s.held(seq) || int(s.size) > len(dst) {
		return Packet{}, false
	}
	copy(dst, s.chunk.data[s.begin:s.begin+s.size])
	return Packet{Seq: seq, Arrived: s.arrived, Size: int(s.size), Note: s.note}, true
}

// Newest returns the highest extended number and whether there is one.
func (r *Ring) Newest() (uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.high, r.started
}

// LastKeyframe returns the number of the first packet of the newest keyframe, while the ring still holds it. Packets
// from there to Newest are a picture to start with.
func (r *Ring) LastKeyframe() (uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.keyframe, r.slots[r.keyframe&r.mask].held(r.keyframe)
}
