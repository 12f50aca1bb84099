package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestStagePage takes people through the stage page in Chromium: they meet, mute, pin a layer, reload and are removed; then
// a crowd comes, and everybody has to fit in.
func TestStagePage(t *testing.T) {
	dist := buildClient(t)
	srv := apptest.Start(t)
	g := newGuests(t, srv)
	crowd := map[string]string{}
	for _, name := range strings.Fields("Mina Noor Ada Kofi Lena Teo Yuki Ravi Zoe Omar Iris") {
		crowd[name], _ = g.admit(t, name)
	}
	tokens := map[string]string{"stranger": "not-a-token", "viewer": g.viewer(t)}
	tokens["alice"], _ = g.admit(t, "alice")
	var bob string
	tokens["bob"], bob = g.admit(t, "bob")
	tokens["forged"] = tokens["alice"][:strings.LastIndex(tokens["alice"], ".")+1] + strings.Repeat("A", 128)
	config, err := json.Marshal(map[string]any{
		"url": srv.PublicURL, "dist": dist, "tokens": tokens, "crowd": crowd, "shots": os.Getenv("RIVUS_TEST_SHOTS"),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, "stagepage.mjs")
	cmd.Env = append(cmd.Env, "RIVUS_PAGE="+string(config), "CHROMIUM="+chromium(t))
	p := startPeer(t, cmd)
	for steps := 0; ; steps++ {
		var seen pageStep
		p.says(t, &seen)
		switch seen.Step {
		case "kick":
			g.kick(t, bob, "house rules")
		case "end":
			if len(seen.Problems) > 0 || steps < 17 {
				t.Errorf("%d steps, errors in the pages: %q", steps, seen.Problems)
			}
			return
		default:
			seen.check(t)
		}
	}
}

// pageStep is a line of js/stagepage.mjs; each step has some of the members.
type pageStep struct {
	Step     string
	Problems []string
	// meets
	Address string
	Widths  []int
	Energy  []float64
	Labels  []string // of the button to join, one after the other
	// layout
	Size                             string
	People, Corner                   int
	Inside, Apart, Scrolls, Controls bool
	Ratio                            [2]float64
	Share                            float64
	// the others
	Delay, Focused, Replaced, Left, Ended, Refused, Forged string
	Free                                                   map[string]bool // the controls beside the panel, by size
	Stored                                                 [2]int
	Tiles                                                  []bool // whether there was one of who reloads, at each change
	Connections                                            int    // that the reloaded page sends by
	Contrast                                               []float64
}

func (s pageStep) check(t *testing.T) {
	t.Helper()
	ok := true
	switch s.Step {
	case "layout":
		onPhone := s.Size != "wide" && s.People > 1
		ok = s.Inside && s.Apart && !s.Scrolls && s.Controls && s.Ratio[0] > 1.7 && s.Ratio[1] < 1.85 && (s.Corner == 1) == onPhone
	case "meets":
		ok = s.Address == "/stage" && s.Widths[0] > 0 && s.Widths[1] > 0 && s.Energy[0] > 0 && s.Energy[1] > 0 &&
			slices.Equal(s.Labels, []string{"Starting your devices…", "Join"})
	case "pins":
		ok = strings.HasSuffix(s.Delay, " ms") && strings.Contains(s.Focused, "bob") &&
			maps.Equal(s.Free, map[string]bool{"wide": true, "upright": true, "sideways": true})
	case "reloads":
		ok = strings.Contains(s.Replaced, "somewhere else") && strings.Contains(s.Left, "left") && s.Stored == [2]int{} &&
			slices.Equal(s.Tiles, []bool{true, false, true}) && s.Connections == 1
	case "reads":
		ok = len(s.Contrast) == 11 && slices.Min(s.Contrast) >= 4.5 // WCAG 2.2, 1.4.3
	case "kicked":
		ok = strings.Contains(s.Ended, "removed") && strings.Contains(s.Ended, "“house rules”")
	case "refuses":
		ok = strings.Contains(s.Refused, "not a participant token") && strings.Contains(s.Forged, "refused")
	}
	if !ok {
		t.Errorf("%s is not as it should be: %+v", s.Step, s)
	}
}

// guests makes tokens of one stage.
type guests struct {
	api   *sdk.Client
	stage *string
}

func newGuests(t *testing.T, srv *apptest.Server) guests {
	t.Helper()
	api := srv.IVSRealTime(t)
	made, err := api.CreateStage(t.Context(), &sdk.CreateStageInput{})
	if err != nil {
		t.Fatal(err)
	}
	return guests{api, made.Stage.Arn}
}

// admit returns a token and the id of its participant.
func (g guests) admit(t *testing.T, user string, capabilities ...types.ParticipantTokenCapability) (token, id string) {
	t.Helper()
	out, err := g.api.CreateParticipantToken(t.Context(), &sdk.CreateParticipantTokenInput{
		StageArn: g.stage, UserId: aws.String(user), Capabilities: capabilities,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ParticipantToken.Token, *out.ParticipantToken.ParticipantId
}

func (g guests) viewer(t *testing.T) string {
	t.Helper()
	token, _ := g.admit(t, "viewer", types.ParticipantTokenCapabilitySubscribe)
	return token
}

func (g guests) kick(t *testing.T, id, reason string) {
	t.Helper()
	_, err := g.api.DisconnectParticipant(t.Context(), &sdk.DisconnectParticipantInput{StageArn: g.stage, ParticipantId: &id, Reason: &reason})
	if err != nil {
		t.Fatal(err)
	}
}
