// Package ingest is what all publishers have in common, whatever protocol they speak: the seam between those who take
// encoders in and those who carry what encoders send.
//
// An adapter (one package a protocol, beside this one) makes a Source of each publisher: messages that hold frames of
// package media on a timeline without jumps, the settings that the publisher tells, and an end. A Sink takes the source:
// a channel's broadcast, or a stage. It decides who may publish and what it carries, and says no with a Refusal: a kind
// for programs and a text for people, which the adapter puts into the words of its protocol. Neither knows the other.
//
// Imports: media.
package ingest

import (
	"context"
	"strconv"
	"time"
)

// Silence is how long a publisher may send nothing before a sink ends it (spec ivs.md 7.3). Adapters end one that has no
// sink to count for it, some time after that.
const Silence = 30 * time.Second

// Sink takes publishers.
type Sink interface {
	// Publish serves one publisher from its request to its end, on the goroutine of the caller, which then closes the
	// connection. ctx ends when the server stops.
	//
	// A nil error is an end in good order by the publisher. A *Refusal is for the publisher to read: it ends it, or never
	// let it begin. Any other error is what Source.Read returned, or a failure of the server that is not meant for it.
	Publish(ctx context.Context, r Request, s Source) error
}

// Source is one publisher. Except for Close its methods belong to one goroutine.
type Source interface {
	// Accept tells the publisher to send. It is called once, before the first Read.
	Accept() error

	// Read waits for the next message and puts it into m, with nothing left of what m was. It returns io.EOF when the
	// publisher has ended in good order, os.ErrDeadlineExceeded when nothing came for too long, the refusal of Close after
	// a Close, and any other error when the connection broke. A message costs no allocation beyond its bytes.
	Read(m *Message) error

	// Settings returns what the publisher has told of itself in the messages that were read.
	Settings() Settings

	// Close ends the publisher from any goroutine: Read returns r at once, and the publisher is told in the words of its
	// protocol. The first call decides; it does not wait.
	Close(r *Refusal)
}

// Request is what a publisher asks for.
type Request struct {
	Key      string // a secret
	Secure   bool   // what it sends is encrypted on its way
	Remote   string // address without port
	Software string // how the publisher names itself; may be empty
	Priority Priority
	Target   time.Duration // wanted target duration of the playlists, 0 when the publisher did not ask for one

	// ParameterSets is what the protocol calls the message that brings H.264 parameter sets, for texts; may be empty.
	ParameterSets string
}

// Priority is a publisher's claim to take a running stream over (spec ivs.md 7.4).
type Priority struct {
	Given bool
	Value int32 // 1 to 2^31-1; 0 when not given or not valid
}

// ParsePriority reads a priority that was given, a decimal number from 1 to 2^31-1.
func ParsePriority(text string) Priority {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return Priority{Given: true}
	}
	return Priority{Given: true, Value: int32(n)} // ParseInt was told 32 bits
}

// ParseTarget reads a wished target duration, whole seconds from 2 to 6 (spec ivs.md 7.1). Anything else is no wish: the
// first GOP decides then.
func ParseTarget(text string) time.Duration {
	n, err := strconv.Atoi(text)
	if err != nil || n < 2 || n > 6 {
		return 0
	}
	return time.Duration(n) * time.Second
}
