package stage

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// TestOrderOfLayers: what an offer tells, by its names and by its preference.
func TestOrderOfLayers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rids, preference, want string }{
		{"hi mid low", "low mid hi", "low mid hi"},
		{"low mid hi", "hi mid low", "low mid hi"},
		{"f h q", "", "q h f"},
		{"q h f", "", "q h f"},
		{"l m h", "", "l m h"},
		{"h m l", "", "l m h"},
		{"high low", "", "low high"},
		{"0 1 2 3", "0 1 2 3", "3 2 1 0"}, // as OBS has them
		{"0 1 2 3", "3 2 1 0", "0 1 2 3"},
		{"0 1 2", "", "0 1 2"},
		{"r0 r1 r2", "r2 r1 r0", "r0 r1 r2"},
		{"a b c", "", "a b c"},
		{"a b c", "b a c", "c a b"},
		{"low x hi", "hi x low", "low x hi"},
		{"low x hi", "", "low x hi"},
		{"l low", "l low", "low l"}, // two of a meaning have none
		{"", "", ""},
	} {
		s := &rtc.Section{RIDs: strings.Fields(c.rids)}
		if c.preference != "" {
			s.Preference = strings.Fields(c.preference)
		}
		if got := order(s); !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%s, preferred %s: %v", c.rids, c.preference, got)
		}
	}
}

func TestLadder(t *testing.T) {
	t.Parallel()
	type measures = [forward.MaxLayers]measure
	hd, sd, ld := 1280*720, 640*360, 320*180
	for name, c := range map[string]struct {
		of   measures
		want ladder
	}{
		"nothing is known":          {measures{}, ladder{0, 1, 2, 3}},
		"as they are":               {measures{{ld, 200}, {sd, 700}, {hd, 1700}}, ladder{0, 1, 2, 3}},
		"the largest first":         {measures{{hd, 1700}, {sd, 700}, {ld, 200}}, ladder{2, 1, 0, 3}},
		"four, the largest first":   {measures{{hd * 4, 0}, {hd, 0}, {sd, 0}, {ld, 0}}, ladder{3, 2, 1, 0}},
		"by bits alone":             {measures{{0, 1700}, {0, 700}, {0, 200}}, ladder{2, 1, 0, 3}},
		"of one size":               {measures{{hd, 1700}, {hd, 700}}, ladder{1, 0, 2, 3}},
		"nearly alike":              {measures{{hd, 900}, {hd, 700}}, ladder{0, 1, 2, 3}},
		"size is worth more":        {measures{{ld, 1700}, {hd, 100}}, ladder{0, 1, 2, 3}},
		"one that is off":           {measures{{hd, 0}, {sd, 700}, {ld, 200}}, ladder{2, 1, 0, 3}},
		"one that is not known yet": {measures{{hd, 900}, {}, {ld, 100}}, ladder{2, 1, 0, 3}},
		"just begun":                {measures{{0, 1700}, {0, 1}}, ladder{0, 1, 2, 3}},
	} {
		got := straight().sorted(c.of)
		if got != c.want || got.sorted(c.of) != got {
			t.Errorf("%s: %v, then %v", name, got, got.sorted(c.of))
		}
		if unpack(got.pack()) != got {
			t.Errorf("%s: %v is unpacked as %v", name, got, unpack(got.pack()))
		}
		for rank := range got {
			if got.rank(got.index(rank)) != rank || int(got.ranks()[got.index(rank)]) != rank {
				t.Errorf("%s: rank %d is %d", name, rank, got.index(rank))
			}
		}
		if got.index(forward.None) != forward.None || got.rank(forward.None) != forward.None || got.index(len(got)) != forward.None {
			t.Errorf("%s: none is not none", name)
		}
	}
}

// TestSizesTellLayersApart: the first keyframes do.
func TestSizesTellLayersApart(t *testing.T) {
	t.Parallel()
	pub := newPublication(testEnvironment(), newFakeSource(), [kinds]*Format{Video: {}}, []string{"a", "b"}, nil)
	for i, payload := range []string{"10 706b02 9d012a 80073804", "10 706b02 9d012a c0031c02"} { // 1920 x 1080, 960 x 540
		l, ok := pub.tracks[Video].add(&fakeLayer{LayerInfo: LayerInfo{Kind: Video, Index: i, Codec: forward.VP8}})
		if !ok || !pub.fits(l, unhex(t, payload)) {
			t.Fatal("no layer")
		}
	}
	if got := pub.order(); got != (ladder{1, 0, 2, 3}) {
		t.Errorf("%v", got)
	}
}

// TestLayersFromTheLargest is a publisher as OBS is: four layers by number, 0 the largest, and an offer that says nothing
// more. A subscriber goes up to the largest by what its link carries, and its wishes mean the layers that they name.
func TestLayersFromTheLargest(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	pub, _ := e.publish(t, rtctest.Options{RIDs: []string{"3", "2", "1", "0"}}) // pion prefers the first: the opposite of what comes
	pub.Play(rtctest.Media{FPS: 30, Rates: []int{80_000, 250_000, 600_000, 1_300_000}})
	tok := e.token("bob", nil)
	socket := e.connect(t, tok)
	socket.wait(typeState, func(b json.RawMessage) bool {
		var s statePayload
		if json.Unmarshal(b, &s) != nil || len(s.Participants) < 2 {
			return false
		}
		i := slices.IndexFunc(s.Participants, func(p participantView) bool { return p.ID == "alice" })
		var labels []string
		for _, l := range s.Participants[i].Layers {
			labels = append(labels, l.Label)
		}
		return slices.Equal(labels, []string{"3", "2", "1", "0"})
	})
	sub := rtctest.NewSubscriber(t, rtctest.Options{})
	e.join(t, "/rt/whip/subscribe/alice", tok, sub)
	for socket.selected != "0" {
		socket.wait(typeSelected, nil)
	}
	for range len(sub.Packets()) {
		<-sub.Packets()
	}
	sub.Wait(t, "the best picture", func(g rtctest.Got) bool { return isFrame(g) && g.Layer == 3 })
	socket.say(typeSelect, map[string]string{"id": "alice", "layer": "2"})
	sub.Wait(t, "the layer asked for", func(g rtctest.Got) bool { return isFrame(g) && g.Layer == 1 })
	for socket.selected != "2" {
		socket.wait(typeSelected, nil)
	}
}
