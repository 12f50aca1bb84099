// Package rtmp takes live streams from encoders over RTMP and RTMPS.
//
// A Server owns the sockets: handshake, chunk streams, AMF0 commands, limits and deadlines. It calls a Handler once for
// every publish request, on the goroutine of the socket, and the Handler pulls messages from the Publication for as long
// as the broadcast lasts. So backpressure is TCP's, and a message has one copy: the fresh slice that Read returns.
//
// The server never plays: "play" is refused with a status. It knows no codec; see media/flv for the message bodies.
// A stream key never appears in a log line or an error of this package.
//
// Imports: media/amf0, rtmp/chunk, strangers.
package rtmp

import (
	"context"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

// The types of the messages that Publication.Read returns (Adobe RTMP 1.0, section 7.1).
const (
	TypeAudio uint8 = chunk.TypeAudio
	TypeVideo uint8 = chunk.TypeVideo
	TypeData  uint8 = chunk.TypeDataAMF0 // script data; the AMF3 form (type 15) is unwrapped to this one
)

// Message is one media message of a publication.
type Message struct {
	Type      uint8     // TypeAudio, TypeVideo or TypeData
	Timestamp uint32    // milliseconds, absolute; wraps at 2^32 and may jump as the encoder pleases
	Payload   []byte    // a fresh slice of exact size, owned by the caller; the body of an FLV tag
	Arrived   time.Time // when its last byte was read from the socket
}

// Handler decides about publish requests and consumes what is published.
type Handler interface {
	// Publish is called once for a publish request, on the goroutine of the connection, and blocks for the life of the
	// publication. The connection is closed when it returns; ctx ends when the server stops.
	//
	// An error before Accept refuses the publish: the encoder is shown a *Rejection as it is and any other error as a
	// general failure. An error after Accept ends the stream in the same way. Nil ends it with an unpublish notice.
	Publish(ctx context.Context, p *Publication) error
}

// Rejection is an error whose text is meant for the encoder: it travels as an onStatus message of level "error".
// The description must name neither the key nor whether a channel exists.
type Rejection struct {
	Code        string // for instance CodeBadName
	Description string
}

// Error returns code and description.
func (r *Rejection) Error() string { return fmt.Sprintf("%s: %s", r.Code, r.Description) }

// The codes of rejections and status messages that encoders know.
const (
	CodeBadName    = "NetStream.Publish.BadName"         // the key is wrong, or the name is taken
	CodeDenied     = "NetStream.Publish.Denied"          // the key may be right, the way of publishing is not
	CodeRejected   = "NetStream.Publish.Rejected"        // what is published cannot be carried
	CodeFailed     = "NetStream.Publish.Failed"          // the server failed, not the encoder
	CodeIdle       = "NetStream.Publish.Idle"            // nothing came for too long
	CodeStart      = "NetStream.Publish.Start"           // accepted
	CodeUnpublish  = "NetStream.Unpublish.Success"       // ended by the encoder or, in good order, by the server
	CodePlayFailed = "NetStream.Play.Failed"             // this server does not play
	CodeConnectOK  = "NetConnection.Connect.Success"     // connected
	CodeShutdown   = "NetConnection.Connect.AppShutdown" // the server stops
)
