package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestWebClient takes three pages in Chromium through the life of a stage, with the web client as an application uses it.
func TestWebClient(t *testing.T) {
	dist := buildClient(t)
	srv := apptest.Start(t)
	api := srv.IVSRealTime(t)
	made, err := api.CreateStage(t.Context(), &sdk.CreateStageInput{
		ParticipantTokenConfigurations: []types.ParticipantTokenConfiguration{{UserId: aws.String("alice")}, {UserId: aws.String("bob")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sign := newSigner(t, api, made.Stage)
	p := startClients(t, map[string]any{
		"dist": dist, "media": srv.Media, "tokens": map[string]string{
			"alice": *made.ParticipantTokens[0].Token, "bob": *made.ParticipantTokens[1].Token,
			"carol":      sign.member(t, "carol", map[string]string{"role": "guest"}),
			"carolAgain": sign.member(t, "carol", map[string]string{"role": "host"}),
		},
	})
	p.meets(t)
	p.shows(t)
	p.adapts(t)
	p.comesBack(t)
	p.says(t, &struct{ Step string }{})
	if _, err := api.DisconnectParticipant(t.Context(), &sdk.DisconnectParticipantInput{
		StageArn: made.Stage.Arn, ParticipantId: aws.String("carol"), Reason: aws.String("house rules"),
	}); err != nil {
		t.Fatal(err)
	}
	p.isTold(t)
}

// member signs a token of somebody who may do everything.
func (s signer) member(t *testing.T, id string, attributes map[string]string) string {
	t.Helper()
	_, stage, _ := strings.Cut(*s.stage.Arn, "/")
	now := time.Now()
	draft := jwt.NewWithClaims(jwt.SigningMethodES384, jwt.MapClaims{
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": id, "user_id": id, "attributes": attributes, "version": "1.0",
		"resource": *s.stage.Arn, "topic": stage, "events_url": *s.stage.Endpoints.Events, "whip_url": *s.stage.Endpoints.Whip,
		"capabilities": map[string]bool{"allow_publish": true, "allow_subscribe": true},
	})
	draft.Header["kid"] = s.key
	text, err := draft.SignedString(s.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// clients are the pages that js/client.mjs drives.
type clients struct{ *peer }

func startClients(t *testing.T, config map[string]any) clients {
	t.Helper()
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, "client.mjs")
	cmd.Env = append(cmd.Env, "RIVUS_CLIENT="+string(b), "CHROMIUM="+chromium(t))
	return clients{startPeer(t, cmd)}
}

// meets: everybody sees and hears everybody.
func (p clients) meets(t *testing.T) {
	t.Helper()
	var met struct {
		Seen map[string]struct {
			Frames, Width int
			Energy        float64
		}
	}
	p.says(t, &met)
	if len(met.Seen) != 6 {
		t.Errorf("%d of 6 pairs: %v", len(met.Seen), slices.Sorted(maps.Keys(met.Seen)))
	}
	for pair, d := range met.Seen {
		if d.Frames < 10 || d.Width == 0 || d.Energy <= 0 {
			t.Errorf("%s: %+v", pair, d)
		}
	}
}

// shows: mute, SubscribeType, a newer publication, exchanged attributes and SEI reach the others.
func (p clients) shows(t *testing.T) {
	t.Helper()
	var muted struct{ AudioMuted, VideoStopped, Stream bool }
	if p.says(t, &muted); !muted.AudioMuted || muted.VideoStopped || !muted.Stream {
		t.Errorf("a muted microphone shows as %+v", muted)
	}
	var only struct{ NewConnections int }
	if p.says(t, &only); only.NewConnections != 0 {
		t.Errorf("AUDIO_ONLY and back took %d new connections, want none", only.NewConnections)
	}
	var republished struct{ Events, Requests []any }
	if p.says(t, &republished); len(republished.Events) > 0 || len(republished.Requests) > 0 {
		t.Errorf("a newer publication was no business of who watches: %+v", republished)
	}
	var exchanged struct {
		Attributes map[string]string
		Refused    int
	}
	if p.says(t, &exchanged); exchanged.Attributes["role"] != "host" || exchanged.Refused != 1100 {
		t.Errorf("exchange: %+v", exchanged)
	}
	var sei struct {
		Got map[string]struct {
			From, UUID    string
			Equal, Worker bool
		}
	}
	p.says(t, &sei)
	for user, m := range sei.Got {
		if m.From != "alice" || !m.Equal || m.UUID != "b16d7d56-892e-419c-8d82-e069cd3aa5c1" {
			t.Errorf("SEI message to %s: %+v", user, m)
		}
	}
	if len(sei.Got) != 2 || !sei.Got["bob"].Worker || sei.Got["carol"].Worker {
		t.Errorf("SEI messages: %+v", sei.Got)
	}
}

// adapts: layers follow the bandwidth and the application's wish.
func (p clients) adapts(t *testing.T) {
	t.Helper()
	var throttled struct {
		Wide, Narrow int
		Layers       []string
	}
	p.says(t, &throttled)
	// Before the low layer pictures may stand still for a moment, for the queue before the link to become empty.
	layers := slices.DeleteFunc(slices.Clone(throttled.Layers), func(layer string) bool { return layer == "" })
	if throttled.Narrow >= throttled.Wide || !slices.Equal(layers, []string{"low"}) {
		t.Errorf("on a throttled link: %+v", throttled)
	}
	var simulcast struct{ Adapting bool }
	if p.says(t, &simulcast); simulcast.Adapting {
		t.Error("a stream with a preferred layer says that it adapts")
	}
	var quality struct {
		Sent []struct {
			RID            string
			Active         bool
			NetworkQuality int
		}
		Heard struct{ NetworkQuality, PacketsReceived int }
	}
	p.says(t, &quality)
	if len(quality.Sent) != 2 || quality.Sent[0].RID != "low" || !quality.Sent[0].Active || quality.Heard.NetworkQuality == 0 {
		t.Errorf("quality: %+v", quality)
	}
}

// comesBack: after the loss of the socket and of the network with the same streams, and after a reload.
func (p clients) comesBack(t *testing.T) {
	t.Helper()
	var again struct {
		States                    []string
		Errors, Streams, Requests []any
	}
	p.says(t, &again)
	if !slices.Equal(again.States, []string{"errored", "connected"}) || len(again.Errors) > 0 || len(again.Streams) > 0 {
		t.Errorf("after the network was lost: %+v", again)
	}
	if slices.ContainsFunc(again.Requests, func(r any) bool { return strings.HasPrefix(r.(string), "POST") }) {
		t.Errorf("an ICE restart was enough, but there were new connections: %v", again.Requests)
	}
	var reload struct {
		Milliseconds int
		Events       []string
	}
	p.says(t, &reload)
	t.Logf("from the reload of a page to its first decoded frame at another: %d ms", reload.Milliseconds)
	if n := len(reload.Events); n == 0 || !slices.Contains(reload.Events, "added alice audio,video") {
		t.Errorf("events of the reload: %q", reload.Events)
	}
}

// isTold: who was disconnected knows why, and is not let in again.
func (p clients) isTold(t *testing.T) {
	t.Helper()
	var kicked struct {
		Left, Again any
		Events      [][]any
	}
	p.says(t, &kicked)
	if left, ok := kicked.Left.([]any); !ok || len(left) != 3 || left[2] != "participantDisconnected" || kicked.Again != 10.0 {
		t.Errorf("kicked: %+v", kicked)
	}
	if len(kicked.Events) != 2 || kicked.Events[0][2] != "disconnected" || kicked.Events[1][3] != "house rules" {
		t.Errorf("kicked: %v", kicked.Events)
	}
	var end struct{ Problems []string }
	if p.says(t, &end); len(end.Problems) > 0 {
		t.Errorf("errors in the pages: %q", end.Problems)
	}
}

// TestWebClientUnits runs the unit tests of the client, on what its build makes.
func TestWebClientUnits(t *testing.T) {
	t.Parallel()
	dist := buildClient(t)
	tests, err := filepath.Glob("../../web/client/test/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no unit tests: %v", err)
	}
	for i := range tests {
		tests[i], _ = filepath.Abs(tests[i])
	}
	cmd := node(t, append([]string{"--test"}, tests...)...)
	cmd.Env = append(cmd.Env, "RIVUS_WEB="+dist)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// buildClient builds the web client into a directory of the test.
func buildClient(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("../../web/node_modules"); err != nil {
		if os.Getenv("RIVUS_TEST") == "all" {
			t.Fatal("web/node_modules is missing")
		}
		t.Skip("web/node_modules is missing; make test installs it")
	}
	dist := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "node", "../../web/client/build.mjs", dist)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build.mjs: %v\n%s", err, out)
	}
	return dist
}
