package broadcast

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

var randomID = regexp.MustCompile(`"id":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`)

// TestBusEvents: every event of a stream, as it is on the bus, byte for byte but for random IDs (spec ivs.md 13.1 to 13.3).
func TestBusEvents(t *testing.T) {
	t.Parallel()
	ch := &resource.Channel{ARN: arn.Channel(arn.Scope{Region: "us-west-2", Account: "111122223333"}, "hT4kPz81QmXc"), Name: "demo"}
	at := time.Date(2024, 5, 5, 21, 55, 38, 999, time.UTC)
	const stream = "st-1AbCdEfGhIjKlMnOpQrStUv"
	for name, e := range map[string]store.Event{
		"session_created":  newEvent(sessionCreated, ch, stream, "", at),
		"stream_start":     newEvent(streamStart, ch, stream, "", at),
		"stream_end":       newEvent(streamEnd, ch, stream, "", at),
		"session_ended":    newEvent(sessionEnded, ch, stream, "MultitrackInputRequired", at),
		"stream_failure":   newFailure(ch, stream, "Transcode capacity exceeded. Please try again.", at),
		"stream_takeover":  newEvent(takenOver, ch, stream, "", at),
		"takeover_failure": newEvent(takeoverFailed, ch, stream, "StreamTakeoverMediaMismatch", at),
		"starvation_start": newEvent(starvationStart, ch, stream, "", at),
		"starvation_end":   newEvent(starvationEnd, ch, stream, "", at),
	} {
		got, err := event.JSON(e)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", "events", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		fixed := randomID.ReplaceAllString(string(got), `"id":"(random)"`)
		if strings.TrimSpace(string(want)) != fixed {
			t.Errorf("%s:\n%s, want\n%s", name, fixed, want)
		}
	}
}
