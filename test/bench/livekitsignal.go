package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/rivus-live/rivus/test/bench/peer"
)

// Field numbers of LiveKit's signalling protocol (livekit_rtc.proto) in requests and responses.
const (
	reqOffer, reqAnswer, reqAddTrack, reqLeave, reqPing               = 1, 2, 4, 8, 16
	respAnswer, respOffer, respTrickle, respTrackPublished, respLeave = 2, 3, 4, 6, 8
	livekitPingInterval                                               = 5 * time.Second
	livekitMessageLimit                                               = 4 << 20
)

// livekitSession is one participant's socket. A reader runs until the socket closes.
type livekitSession struct {
	socket  *websocket.Conn
	program *peer.Program
	sending *peer.Peer // nil: does not publish
	getting *peer.Peer
	done    chan struct{}
	cancel  context.CancelFunc

	mu        sync.Mutex
	published int           // tracks that the server knows
	reachable chan struct{} // closed when getting knows where the server is
	answered  chan struct{} // closed when sending's offer was answered
	tracks    chan struct{} // closed when both tracks are published
	once      struct{ reachable, answered, tracks sync.Once }
}

// enterLiveKit joins a room. A member that watches gets everything in it over one connection.
func (l *stageLoad) enterLiveKit(ctx context.Context, m member) (*livekitSession, error) {
	watches := map[bool]string{true: "1", false: "0"}[len(m.Watch) > 0]
	socket, resp, err := websocket.Dial(ctx, m.Ticket.URL+"?protocol=16&sdk=go&auto_subscribe="+watches+"&access_token="+m.Ticket.Token, nil)
	if err != nil {
		return nil, err
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	socket.SetReadLimit(livekitMessageLimit)
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &livekitSession{
		socket: socket, getting: l.newReceiver(), cancel: cancel, done: make(chan struct{}),
		reachable: make(chan struct{}), answered: make(chan struct{}), tracks: make(chan struct{}),
	}
	if m.Program != nil {
		s.program, s.sending = m.Program, l.newPublisher(m)
	}
	go s.run(reading)
	if err = s.await(ctx, s.reachable); err == nil {
		err = s.getting.Connect(ctx)
	}
	if err != nil {
		s.getting.Close()
		s.leave()
		return nil, err
	}
	return s, nil
}

// watch returns what has received since the member came.
func (s *livekitSession) watch(context.Context) ([]*peer.Peer, error) {
	return []*peer.Peer{s.getting}, nil
}

func (s *livekitSession) await(ctx context.Context, ch chan struct{}) error {
	select {
	case <-ch:
		return nil
	case <-s.done:
		return errors.New("LiveKit has closed the socket")
	case <-ctx.Done():
		return fmt.Errorf("LiveKit does not answer: %w", ctx.Err())
	}
}

// publish announces the tracks, offers them and connects.
func (s *livekitSession) publish(ctx context.Context) (*peer.Peer, error) {
	for _, track := range [][]byte{audioTrack(), videoTrack(s.program.Layers)} {
		if err := s.say(ctx, reqAddTrack, track); err != nil {
			return nil, err
		}
	}
	if err := s.await(ctx, s.tracks); err != nil {
		return nil, err
	}
	if err := s.say(ctx, reqOffer, describe("offer", s.sending.Offer(), 1)); err != nil {
		return nil, err
	}
	if err := s.await(ctx, s.answered); err != nil {
		return nil, err
	}
	return s.sending, s.sending.Connect(ctx)
}

// Values of enumerations in track announcements.
const (
	trackVideo                     = 1
	sourceCamera, sourceMicrophone = 1, 2
)

func audioTrack() []byte {
	b := appendBytes(nil, 1, []byte("audio"))
	b = appendNumber(b, 8, sourceMicrophone)
	return appendNumber(b, 13, 1) // no redundancy: ours has none either
}

func videoTrack(layers []peer.Layer) []byte {
	top := layers[len(layers)-1]
	b := appendBytes(nil, 1, []byte("video"))
	b = appendNumber(b, 3, trackVideo)
	b = appendNumber(b, 4, uint64(top.Width))
	b = appendNumber(b, 5, uint64(top.Height))
	b = appendNumber(b, 8, sourceCamera)
	for i, l := range layers {
		quality := i
		if len(layers) == 1 {
			quality = 2 // as the protocol wants it of a single layer
		}
		v := appendNumber(nil, 1, uint64(quality))
		v = appendNumber(v, 2, uint64(l.Width))
		v = appendNumber(v, 3, uint64(l.Height))
		v = appendNumber(v, 4, uint64(l.Picture*30*8))
		v = appendNumber(v, 6, uint64(i))
		v = appendBytes(v, 7, []byte(l.RID))
		b = appendBytes(b, 9, v)
	}
	return b
}

func describe(kind, text string, id uint64) []byte {
	b := appendBytes(nil, 1, []byte(kind))
	b = appendBytes(b, 2, []byte(text))
	return appendNumber(b, 3, id)
}

// say sends a request.
func (s *livekitSession) say(ctx context.Context, kind int, body []byte) error {
	return s.socket.Write(ctx, websocket.MessageBinary, appendBytes(nil, kind, body))
}

// run reads what the server says and keeps the socket alive.
func (s *livekitSession) run(ctx context.Context) {
	defer close(s.done)
	last := time.Now()
	for {
		_, b, err := s.socket.Read(ctx)
		if err != nil {
			return
		}
		eachField(b, func(kind int, _ uint64, body []byte) { s.take(ctx, kind, body) })
		if now := time.Now(); now.Sub(last) > livekitPingInterval {
			last = now
			_ = s.say(ctx, reqPing, appendNumber(nil, 1, uint64(now.UnixMilli()))) // a broken socket ends the next read
		}
	}
}

// take does what a response asks for.
func (s *livekitSession) take(ctx context.Context, kind int, body []byte) {
	switch kind {
	case respOffer:
		text, id := description(body)
		answer, err := s.getting.Answer(text)
		if err != nil {
			return
		}
		_ = s.say(ctx, reqAnswer, describe("answer", answer, id)) // as above
		s.found()
	case respAnswer:
		text, _ := description(body)
		if s.sending != nil && s.sending.Accept(text) == nil {
			s.found()
		}
	case respTrickle:
		s.trickle(body)
	case respTrackPublished:
		s.mu.Lock()
		s.published++
		both := s.published == 2
		s.mu.Unlock()
		if both {
			s.once.tracks.Do(func() { close(s.tracks) })
		}
	case respLeave:
		s.cancel()
	}
}

// found tells who waits that the server's address is known.
func (s *livekitSession) found() {
	if s.getting.Reachable() {
		s.once.reachable.Do(func() { close(s.reachable) })
	}
	if s.sending != nil && s.sending.Reachable() {
		s.once.answered.Do(func() { close(s.answered) })
	}
}

// trickle takes a candidate of the server.
func (s *livekitSession) trickle(body []byte) {
	var init struct{ Candidate string }
	target := uint64(0)
	eachField(body, func(field int, n uint64, value []byte) {
		switch field {
		case 1:
			_ = json.Unmarshal(value, &init) // none of it is a candidate that we know of
		case 2:
			target = n
		}
	})
	switch {
	case target == 1:
		s.getting.AddCandidate(init.Candidate)
	case s.sending != nil:
		s.sending.AddCandidate(init.Candidate)
	}
	s.found()
}

// leave says goodbye and waits for the reader.
func (s *livekitSession) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.say(ctx, reqLeave, nil)
	s.cancel()
	<-s.done
	_ = s.socket.CloseNow()
}

func description(body []byte) (text string, id uint64) {
	eachField(body, func(field int, n uint64, value []byte) {
		switch field {
		case 2:
			text = string(value)
		case 3:
			id = n
		}
	})
	return text, id
}

// What we need of protocol buffers: fields that are numbers, and fields that are bytes, text or messages.
const (
	wireNumber = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

func appendNumber(b []byte, field int, n uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(field)<<3|wireNumber), n)
}

func appendBytes(b []byte, field int, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(field)<<3|wireBytes)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// eachField calls take with every field of a message, up to one that does not make sense.
func eachField(b []byte, take func(field int, n uint64, value []byte)) {
	for len(b) > 0 {
		tag, used := binary.Uvarint(b)
		if used <= 0 {
			return
		}
		b = b[used:]
		switch tag & 7 {
		case wireNumber:
			n, used := binary.Uvarint(b)
			if used <= 0 {
				return
			}
			take(int(tag>>3), n, nil)
			b = b[used:]
		case wireBytes:
			n, used := binary.Uvarint(b)
			if used <= 0 || n > uint64(len(b)-used) {
				return
			}
			take(int(tag>>3), 0, b[used:used+int(n)])
			b = b[used+int(n):]
		case wireFixed8, wireFixed4:
			n := map[uint64]int{wireFixed8: 8, wireFixed4: 4}[tag&7]
			if len(b) < n {
				return
			}
			b = b[n:]
		default:
			return
		}
	}
}
