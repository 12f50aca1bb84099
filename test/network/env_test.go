package network

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/coder/websocket"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// patience bounds a hang; nothing is measured with it.
const patience = 60 * time.Second

// stage is a stage of a real server.
type stage struct {
	*apptest.Server
	api *sdk.Client
	types.Stage
}

func newStage(t *testing.T) *stage {
	t.Helper()
	srv := apptest.Start(t)
	s := &stage{Server: srv, api: srv.IVSRealTime(t)}
	out, err := s.api.CreateStage(t.Context(), &sdk.CreateStageInput{})
	if err != nil {
		t.Fatal(err)
	}
	s.Stage = *out.Stage
	return s
}

// member is a participant who has not joined yet.
type member struct{ id, token string }

func (s *stage) member(t *testing.T, name string) member {
	t.Helper()
	out, err := s.api.CreateParticipantToken(t.Context(), &sdk.CreateParticipantTokenInput{StageArn: s.Arn, UserId: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	return member{aws.ToString(out.ParticipantToken.ParticipantId), aws.ToString(out.ParticipantToken.Token)}
}

// client is a publisher or a subscriber of rtctest.
type client interface {
	Offer(tb testing.TB) string
	Answer(tb testing.TB, sdp string)
}

// join posts a client's offer; change edits the answer on its way, nil leaves it.
func (s *stage) join(t *testing.T, m member, path string, c client, change func(string) string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, aws.ToString(s.Endpoints.Whip)+path, strings.NewReader(c.Offer(t)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	req.Header.Set("Content-Type", "application/sdp")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("join: %d %s %v", resp.StatusCode, b, err)
	}
	answer := string(b)
	if change != nil {
		answer = change(answer)
	}
	c.Answer(t, answer)
}

// publish makes a new participant publish and returns it when it is connected.
func (s *stage) publish(t *testing.T, name string, o rtctest.Options) (*rtctest.Publisher, member) {
	t.Helper()
	m, p := s.member(t, name), rtctest.NewPublisher(t, o)
	s.join(t, m, "", p, nil)
	rtctest.WaitClosed(t, name+" publishes", p.Connected())
	return p, m
}

// watch makes a participant subscribe to a publisher and watch it.
func (s *stage) watch(t *testing.T, m, publisher member, o rtctest.Options) *rtctest.Viewer {
	t.Helper()
	sub := rtctest.NewSubscriber(t, o)
	s.join(t, m, "/subscribe/"+publisher.id, sub, nil)
	v := rtctest.Watch(sub)
	rtctest.WaitClosed(t, "a subscription connects", v.Connected())
	return v
}

// until polls a condition. The links are those that it depends on.
func until(t *testing.T, what string, ok func() bool, links ...*rtctest.Link) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			honest(t, links...)
			t.Fatalf("not in time: %s", what)
		}
	}
}

// honest skips the test when the machine was too busy to be the link that the test is about: nothing that was measured
// then says anything about the server.
func honest(t *testing.T, links ...*rtctest.Link) {
	t.Helper()
	for _, l := range links {
		if c := l.Down(); c.Late*20 > c.Delivered {
			t.Skipf("the machine is too busy to play a link: %d of %d packets came later than it says", c.Late, c.Delivered)
		}
	}
}

// stall is how late timers may be on a machine that plays a link well.
const stall = 50 * ms

// pulse notes how long the machine stands still: as long as it does, the server, the clients and the link do nothing, and
// then everything at once.
type pulse struct{ longest atomic.Int64 }

func newPulse(t *testing.T) *pulse {
	t.Helper()
	const every = 10 * ms
	p, quit := &pulse{}, make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-tick.C:
			case <-quit:
				return
			}
			now := time.Now()
			p.longest.Store(max(p.longest.Load(), int64(now.Sub(last)-every)))
			last = now
		}
	})
	t.Cleanup(func() {
		close(quit)
		beating.Wait()
	})
	return p
}

// worst returns the longest time since the last call.
func (p *pulse) worst() time.Duration { return time.Duration(p.longest.Swap(0)) }

// pass waits until a publisher has sent so many seconds of audio more.
func pass(t *testing.T, p *rtctest.Publisher, seconds float64) {
	t.Helper()
	end := p.Voice() + uint32(seconds*50)
	until(t, "media goes on", func() bool { return p.Voice() >= end })
}

// connected returns the state of a participant as the API lists it.
func (s *stage) connected(t *testing.T, m member) types.ParticipantState {
	t.Helper()
	got, err := s.api.GetStage(t.Context(), &sdk.GetStageInput{Arn: s.Arn})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.api.GetParticipant(t.Context(), &sdk.GetParticipantInput{
		StageArn: s.Arn, SessionId: got.Stage.ActiveSessionId, ParticipantId: aws.String(m.id),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Participant.State
}

// told is a message of the events socket, with the members that are looked at.
type told struct {
	Type    string `json:"type"`
	Payload struct {
		ID string `json:"id"`
	} `json:"payload"`
}

// events is a participant's events socket.
type events struct{ conn *websocket.Conn }

// events connects, and gives every message to each until the test ends; nil lets them go.
func (s *stage) events(t *testing.T, m member, each func(told)) events {
	t.Helper()
	url := strings.Replace(aws.ToString(s.Endpoints.Events), "http", "ws", 1) + "/" + s.id()
	c, resp, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{Subprotocols: []string{m.token}})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	c.SetReadLimit(1 << 20)
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			_, b, err := c.Read(context.Background())
			if err != nil {
				return
			}
			var m told
			if json.Unmarshal(b, &m) == nil && each != nil {
				each(m)
			}
		}
	})
	t.Cleanup(func() {
		_ = c.CloseNow()
		reading.Wait()
	})
	return events{c}
}

func (s *stage) id() string {
	arn := aws.ToString(s.Arn)
	return arn[strings.LastIndex(arn, "/")+1:]
}

// say sends a message.
func (e events) say(t *testing.T, kind string, payload map[string]any) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"type": kind, "payload": payload})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.conn.Write(t.Context(), websocket.MessageText, b); err != nil {
		t.Fatal(err)
	}
}
