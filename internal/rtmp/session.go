package rtmp

import (
	"errors"
	"fmt"

	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

// session is what a connection has agreed upon before it publishes.
type session struct {
	*conn
	connected    bool
	app          string // as in the connect request: may hold the stream key
	flashVersion string
	streams      int // message streams created
}

// maxMessageStreams is how many streams a connection may create. It can publish on one.
const maxMessageStreams = 16

var errPlay = errors.New("asked to play")

// awaitPublish serves commands until one asks to publish.
func (s *session) awaitPublish() (*Publication, error) {
	for {
		m, err := s.next()
		if err != nil {
			return nil, err
		}
		if m.Type != chunk.TypeCommandAMF0 && m.Type != chunk.TypeCommandAMF3 {
			continue
		}
		cmd, err := parseCommand(m)
		if err != nil {
			return nil, &chunk.Error{Text: err.Error()}
		}
		if cmd.name == "publish" {
			return s.publish(cmd)
		}
		if err := s.answer(cmd); err != nil {
			return nil, err
		}
		if err := s.flush(); err != nil {
			return nil, err
		}
	}
}

// answer serves any command but publish. Unknown ones are ignored: encoders send some that need no answer, and take an
// error for the end.
func (s *session) answer(cmd command) error {
	switch cmd.name {
	case "connect":
		return s.connect(cmd)
	case "createStream":
		if s.streams++; s.streams > maxMessageStreams {
			return &chunk.Error{Text: "too many streams"}
		}
		s.result(cmd, float64(s.streams))
	case "FCPublish":
		s.result(cmd, amf0.Undefined{})
		s.out = appendCommand(s.out, commandStream, 0, "onFCPublish", 0.0, nil, amf0.Object{
			{Name: "level", Value: "status"},
			{Name: "code", Value: CodeStart},
			{Name: "description", Value: "Ready to publish."},
		})
	case "releaseStream", "_checkbw":
		s.result(cmd, amf0.Undefined{})
	case "getStreamLength":
		s.result(cmd, 0.0)
	case "play", "play2", "FCSubscribe":
		s.out = appendStatus(s.out, cmd.streamID, "error", CodePlayFailed, "this server takes streams over RTMP, watch them over HLS")
		if err := s.flush(); err != nil {
			return err
		}
		return errPlay
	}
	return nil
}

// result answers a command that waits for one.
func (s *session) result(cmd command, value any) {
	if cmd.transaction != 0 {
		s.out = appendCommand(s.out, commandStream, 0, "_result", cmd.transaction, nil, value)
	}
}

func (s *session) connect(cmd command) error {
	if s.connected {
		return &chunk.Error{Text: "connected twice"}
	}
	request := cmd.object(0)
	s.connected = true
	s.app = textOf(request, "app")
	s.flashVersion = textOf(request, "flashVer")
	if len(s.flashVersion) > maxVersion {
		s.flashVersion = s.flashVersion[:maxVersion]
	}
	const dynamic = 2 // limit type of set peer bandwidth
	s.out = appendControl(s.out, chunk.TypeWindowAckSize, window)
	bandwidth := []byte{window >> 24, window >> 16 & 0xFF, window >> 8 & 0xFF, window & 0xFF, dynamic}
	s.out = chunk.Format{Size: chunk.DefaultSize}.Append(s.out, controlStream, chunk.Message{
		Type: chunk.TypeSetPeerBandwidth, Payload: bandwidth,
	})
	s.out = appendControl(s.out, chunk.TypeSetChunkSize, sendChunkSize)
	properties, info := connectResult(request)
	s.out = appendCommand(s.out, commandStream, 0, "_result", cmd.transaction, properties, info)
	return nil
}

// publish makes the publication that a publish request asks for.
func (s *session) publish(cmd command) (*Publication, error) {
	p := &Publication{conn: s.conn, streamID: cmd.streamID, Secure: s.secure, Remote: s.remote, FlashVersion: s.flashVersion}
	if !s.connected {
		return p, &Rejection{CodeFailed, "publish without connect"}
	}
	t, err := parseTarget(s.app, cmd.text(1))
	if err != nil {
		return p, fmt.Errorf("rtmp: publish: %w", err)
	}
	p.App, p.Key, p.Query = t.app, t.key, t.query
	p.SetIdle(s.server.o.IdleTimeout)
	return p, nil
}
