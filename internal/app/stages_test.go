package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/coder/websocket"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// stageOf makes a stage with a token for each of these users.
func stageOf(t *testing.T, s *apptest.Server, users ...string) (*ivsrealtime.CreateStageOutput, map[string]types.ParticipantToken) {
	t.Helper()
	in := &ivsrealtime.CreateStageInput{}
	for _, u := range users {
		in.ParticipantTokenConfigurations = append(in.ParticipantTokenConfigurations, types.ParticipantTokenConfiguration{UserId: aws.String(u)})
	}
	out, err := s.IVSRealTime(t).CreateStage(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]types.ParticipantToken{}
	for _, p := range out.ParticipantTokens {
		tokens[*p.UserId] = p
	}
	return out, tokens
}

// listen opens the events socket of a stage.
func listen(t *testing.T, s *apptest.Server, stageARN, token string) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	id := stageARN[strings.LastIndexByte(stageARN, '/')+1:]
	c, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.PublicURL, "http")+"/rt/events/"+id, &websocket.DialOptions{Subprotocols: []string{token}})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// closeCode reads until the socket ends.
func closeCode(t *testing.T, c *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// offer posts an SDP offer and returns status and answer.
func offer(t *testing.T, s *apptest.Server, token, sdp string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.PublicURL+"/rt/whip", strings.NewReader(sdp))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/sdp")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestDisconnectedForGood: a participant that was thrown out loses all connections, and its token is good for nothing, in
// later lives of the server as well. A server that stops says so to those who are still there.
func TestDisconnectedForGood(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	stage, tokens := stageOf(t, s, "alice", "bob")
	alice, bob := tokens["alice"], tokens["bob"]
	socket := listen(t, s, *stage.Stage.Arn, *alice.Token)
	pub := rtctest.NewPublisher(t, rtctest.Options{})
	status, answer := offer(t, s, *alice.Token, pub.Offer(t))
	if status != http.StatusCreated {
		t.Fatal(status, answer)
	}
	pub.Answer(t, answer)
	pub.Run(30, 2)
	rtctest.WaitClosed(t, "alice publishes", pub.Connected())
	stays := listen(t, s, *stage.Stage.Arn, *bob.Token)

	begin := time.Now()
	if _, err := s.IVSRealTime(t).DisconnectParticipant(t.Context(), &ivsrealtime.DisconnectParticipantInput{
		StageArn: stage.Stage.Arn, ParticipantId: alice.ParticipantId, Reason: aws.String("enough"),
	}); err != nil {
		t.Fatal(err)
	}
	if code := closeCode(t, socket); code != 4002 {
		t.Errorf("the socket was closed with %d", code)
	}
	rtctest.WaitClosed(t, "the publication ends", pub.Ended())
	t.Logf("gone %v after the call was made", time.Since(begin))
	sdp := rtctest.NewPublisher(t, rtctest.Options{}).Offer(t)
	refused := func(s *apptest.Server, when string) {
		t.Helper()
		if status, body := offer(t, s, *alice.Token, sdp); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", when, status, body)
		}
		if code := closeCode(t, listen(t, s, *stage.Stage.Arn, *alice.Token)); code != 4403 {
			t.Errorf("%s: a socket was closed with %d", when, code)
		}
	}
	refused(s, "at once")
	s.Stop()
	if code := closeCode(t, stays); code != websocket.StatusGoingAway {
		t.Errorf("who was there when the server stopped: %d", code)
	}
	again := s.Restart(t)
	refused(again, "after a restart")
	if status, body := offer(t, again, *bob.Token, sdp); status != http.StatusCreated {
		t.Errorf("the token of somebody else: %d %s", status, body)
	}
}
