// Package packetring keeps the recent packets of one RTP layer: the slots that fan-out and retransmission read from.
//
// One reader goroutine puts each packet once, which copies it into a slot of fixed size; writers and NACK answers copy it
// out again by its extended sequence number. A slot lives until a packet with a number Size higher takes it. The ring
// extends the 16-bit sequence numbers, tells duplicates and packets that are too old, and survives a publisher that
// starts its numbers anew. A Ring has one mutex, held for the length of one copy; it starts no goroutine and allocates
// nothing after New.
//
// Imports: standard library only.
package packetring

import (
	"sync"
	"time"
)

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
	Restarted                // stored; the publisher began new sequence numbers, everything before is gone
)

// Packet is what the ring knows about one stored packet.
type Packet struct {
	Seq     uint64        // extended sequence number; the low 16 bits are those of the RTP header
	Arrived time.Duration // as given to Put
	Size    int           // bytes
	Note    Note
}

// Ring holds the last Size packets of a layer. Any number of goroutines may use it.
type Ring struct {
	mu       sync.Mutex
	slots    []slot
	mask     uint64
	high     uint64 // newest extended number
	keyframe uint64 // newest first packet of a keyframe, 0 when none is held
	suspect  uint16 // where a restarted publisher's next packet would be
	started  bool
	doubting bool
}

type slot struct {
	seq     uint64 // 0: empty
	arrived time.Duration
	size    uint16
	note    Note
	data    [SlotSize]byte
}

// New returns a ring of size packets, rounded up to a power of two between 16 and 16,384. It takes 1.5 kB a packet.
func New(size int) *Ring { return &Ring{} }

// Size returns how many packets the ring holds.
func (r *Ring) Size() int { return len(r.slots) }

// Put copies an RTP packet into the ring and returns its extended sequence number. The caller keeps pkt. Only one
// goroutine, the layer's reader, may put.
func (r *Ring) Put(pkt []byte, arrived time.Duration, note Note) (uint64, Outcome) { return 0, Stale }

// Get copies the packet into dst, which should have room for SlotSize bytes, and returns its size and notes. It returns
// false when the packet never came, is gone, or does not fit.
func (r *Ring) Get(seq uint64, dst []byte) (Packet, bool) { return Packet{}, false }

// Newest returns the highest extended number and whether there is one.
func (r *Ring) Newest() (uint64, bool) { return 0, false }

// LastKeyframe returns the number of the first packet of the newest keyframe, while the ring still holds it. Packets
// from there to Newest are a picture to start with.
func (r *Ring) LastKeyframe() (uint64, bool) { return 0, false }
