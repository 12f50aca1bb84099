package ingest

// Refusal ends a publisher, or does not let it begin: a kind for events, figures and programs, and a text for people.
// How the publisher is told is a matter of its protocol. The text names neither a key nor whether a channel exists.
type Refusal struct {
	Kind RefusalKind
	Text string
}

// Error returns the text.
func (r *Refusal) Error() string { return r.Text }

// RefusalKind says why a publisher is ended or does not begin.
type RefusalKind uint8

// Refusals of a request.
const (
	InvalidKey     RefusalKind = iota + 1 // wrong, deleted or foreign: one answer for all
	InUse                                 // the key is publishing already
	Insecure                              // the key takes encrypted publishers only
	Unserved                              // this server takes no publishers for keys of this kind
	OverQuota                             // too many streams
	TakeoverDenied                        // the running stream is not the publisher's to take over
	ComeAgain                             // the stream is just ending or changing hands: the next try may be let in
)

// Refusals of what a publisher sends.
const (
	Unsupported RefusalKind = iota + 32 // a codec, or a variant of one, that is not carried
	Unplayable                          // nothing of it can be shown
	TooMuch                             // more than a stream may hold
	Multitrack                          // several video tracks
	SingleTrack                         // one video track where several are asked for
)

// Ends of a publisher that has done nothing wrong, or nothing at all.
const (
	Stopped   RefusalKind = iota + 64 // by an API call
	TakenOver                         // another publisher goes on in its place
	TimeIsUp                          // a stream may not be longer
	Silent                            // nothing came for too long
	Shutdown                          // the server stops
	Failed                            // the server cannot go on
)

// IsMedia reports whether a publisher is refused for what it sends.
func (k RefusalKind) IsMedia() bool { return k >= Unsupported && k <= SingleTrack }
