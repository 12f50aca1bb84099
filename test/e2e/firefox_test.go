package e2e

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/apptest"
)

// TestStagePageInFirefox: two people meet on the stage page in a browser that has another WebRTC stack than Chromium, and
// here no H.264. Not every system that the tests run on packages Firefox, so its absence skips the test even where
// everything else is required.
func TestStagePageInFirefox(t *testing.T) {
	firefox, err := exec.LookPath("firefox-esr")
	if err != nil {
		t.Skip("firefox-esr is not installed here")
	}
	srv := apptest.Start(t)
	g := newGuests(t, srv)
	tokens := map[string]string{}
	for _, user := range []string{"alice", "bob"} {
		tokens[user], _ = g.admit(t, user)
	}
	page, err := json.Marshal(map[string]any{"url": srv.PublicURL, "tokens": tokens})
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, "--experimental-websocket", "firefox.mjs")
	cmd.Env = append(cmd.Env, "RIVUS_PAGE="+string(page), "FIREFOX="+firefox)
	p := startPeer(t, cmd)
	for _, step := range strings.Fields("meets climbs mutes pins reloads leaves end") {
		var seen struct {
			Step             string
			Widths           []int
			Energy           []float64
			Layers, Problems []string
			Left             string
		}
		p.says(t, &seen)
		ok := seen.Step == step && len(seen.Problems) == 0
		switch step {
		case "meets":
			ok = ok && len(seen.Widths) == 2 && len(seen.Energy) == 2
		case "climbs":
			ok = ok && slices.Equal(seen.Layers, []string{"hi", "low", "mid"})
		case "pins":
			ok = ok && slices.Equal(seen.Widths, []int{320})
		case "leaves":
			ok = ok && strings.Contains(seen.Left, "left")
		}
		if !ok {
			t.Errorf("%s is not as it should be: %+v", step, seen)
		}
	}
}
