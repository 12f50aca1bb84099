package arn_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
)

// cases are ARNs and whether they are well formed.
func cases() map[string]bool {
	return map[string]bool{
		"arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc":                    true,
		"arn:aws:ivs:eu-central-1:1:stream-key/0a1b2c3d-0000-4000-8000-00000000abcd": true,
		"arn:aws:ivschat:us-west-2:111122223333:room/hT4kPz81QmXc":                   true,
		"arn:aws:ivs:us-west-2:111122223333:channel/" + strings.Repeat("a", 128-43):  true,
		"arn:aws:ivs:us-west-2:111122223333:channel/" + strings.Repeat("a", 129-43):  false,
		"":                        false,
		"arn":                     false,
		"arn:aws:ivs":             false,
		"arn:aws:::::":            false,
		"arn:aws:ivs:::/":         false,
		"arn:aws:ivs:r:1:channel": false,
		"arn:aws:ivs:us-west-2:111122223333:channel/":                        false,
		"arn:aws:ivs:us-west-2:111122223333:/hT4kPz81QmXc":                   false,
		"arn:aws:ivs:us-west-2::channel/hT4kPz81QmXc":                        false,
		"arn:aws:ivs::111122223333:channel/hT4kPz81QmXc":                     false,
		"arn:aws-cn:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc":         false,
		"ARN:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc":            false,
		"arn:aws:ivs:us-west-2:111122223333:channel/a/b":                     false,
		"arn:aws:ivs:us-west-2:111122223333:channel:hT4kPz81QmXc":            false,
		"arn:aws:ivs:us_west_2:111122223333:channel/hT4kPz81QmXc":            false,
		"arn:aws:ivs:us-west-2:11112222333x:channel/hT4kPz81QmXc":            false,
		"arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81Qm c":            false,
		"arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc\n":          false,
		" arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc":           false,
		"arn:aws:ivs:us-west-2:111122223333:channel/é":                       false,
		"arn:aws:mediatailor:us-west-2:111122223333:playbackConfiguration/x": false,
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for text, ok := range cases() {
		a, err := arn.Parse(text)
		switch {
		case ok && (err != nil || a.String() != text):
			t.Errorf("%q: %+v %v", text, a, err)
		case !ok && (!fault.Is(err, fault.Invalid) || !a.IsZero()):
			t.Errorf("%q: %+v %v, want Invalid", text, a, err)
		}
	}
	sc := arn.Scope{Region: "us-west-2", Account: "111122223333"}
	if got, err := arn.Parse(arn.Channel(sc, "a1").String()); err != nil || got != (arn.ARN{Service: "ivs", Scope: sc, Type: "channel", ID: "a1"}) {
		t.Errorf("channel: %+v %v", got, err)
	}
	if got := arn.StreamKey(sc, "b2").String(); got != "arn:aws:ivs:us-west-2:111122223333:stream-key/b2" {
		t.Error(got)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	type record struct {
		A, B arn.ARN
	}
	in := record{A: arn.Channel(arn.Scope{Region: "r", Account: "1"}, "x")}
	text, err := json.Marshal(in)
	if want := `{"A":"arn:aws:ivs:r:1:channel/x","B":""}`; err != nil || string(text) != want {
		t.Fatalf("%s %v, want %s", text, err, want)
	}
	out := record{B: in.A} // an empty string must clear it
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Errorf("%+v %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"nonsense"}`), &out); err == nil {
		t.Error("nonsense is no ARN")
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[A-Za-z0-9]{12} st-[A-Za-z0-9]{23}$`)
	seen, used := map[string]bool{}, map[rune]int{}
	for range 2000 {
		id, stream := arn.NewID(), arn.NewStreamID()
		if !form.MatchString(id + " " + stream) {
			t.Fatalf("%s %s", id, stream)
		}
		if seen[id] || seen[stream] {
			t.Fatal("an id came twice")
		}
		seen[id], seen[stream] = true, true
		for _, c := range id + stream[3:] {
			used[c]++
		}
	}
	// 70,000 characters over 62: 1,129 each, standard deviation 33. Modulo bias would lift the first eight by a quarter.
	for c, n := range used {
		if n < 900 || n > 1360 {
			t.Errorf("%c came %d times", c, n)
		}
	}
	if len(used) != 62 || arn.Random(0) != "" {
		t.Errorf("%d characters", len(used))
	}
}

// FuzzParse: what parses is what it prints, and matches the pattern of the models.
func FuzzParse(f *testing.F) {
	for text := range cases() {
		f.Add(text)
	}
	form := regexp.MustCompile(`\Aarn:aws:[a-z]+:[a-z0-9-]+:[0-9]+:[a-z-]+/[a-zA-Z0-9-]+\z`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := arn.Parse(text)
		if want := form.MatchString(text) && len(text) <= 128; (err == nil) != want {
			t.Fatalf("%q: %v, want well formed: %v", text, err, want)
		}
		if err == nil && a.String() != text {
			t.Errorf("%q printed as %q", text, a)
		}
	})
}

// others are ARNs of other services, and whether they are well formed.
func others() map[string]bool {
	return map[string]bool{
		"arn:aws:iam::111122223333:root":                                  true,
		"arn:aws:iam::111122223333:user/alice":                            true,
		"arn:aws:iam::111122223333:user/team/video/a.l+i=c,e@x":           true,
		"arn:aws:iam::aws:policy/ReadOnlyAccess":                          true,
		"arn:aws:sts::111122223333:assumed-role/encoder/session-1":        true,
		"arn:aws:sns:us-west-2:111122223333:topic":                        true,
		"arn:aws:sns:us-west-2:111122223333:topic:0a1b2c3d":               true,
		"arn:aws:events:us-west-2:111122223333:rule/bus/name":             true,
		"arn:aws:logs:us-west-2:111122223333:log-group:/aws/events/x:*":   true,
		"arn:aws:lambda:us-west-2:111122223333:function:f":                true,
		"arn:aws:s3:::bucket/key":                                         true,
		"arn:aws:sns:us-west-2:111122223333:" + strings.Repeat("t", 3000): false,
		"arn:aws:sns:us-west-2:111122223333:":                             false,
		"arn:aws:sns:us-west-2:111122223333":                              false,
		"arn:aws-cn:sns:us-west-2:111122223333:topic":                     false,
		"arn:aws:SNS:us-west-2:111122223333:topic":                        false,
		"arn:aws:sns:us_west:111122223333:topic":                          false,
		"arn:aws:sns:us-west-2:me:topic":                                  false,
		"arn:aws:sns:us-west-2:111122223333:a b":                          false,
		"arn:aws:sns:us-west-2:111122223333:é":                            false,
	}
}

func TestParseAny(t *testing.T) {
	t.Parallel()
	for text, ok := range others() {
		a, err := arn.ParseAny(text)
		if ok && (err != nil || a.String() != text) || !ok && !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %+v %v", text, a, err)
		}
	}
	a, err := arn.ParseAny("arn:aws:iam::111122223333:user/team/alice")
	if want := (arn.ARN{Service: "iam", Scope: arn.Scope{Account: "111122223333"}, Type: "user", ID: "team/alice"}); err != nil || a != want {
		t.Errorf("%+v %v", a, err)
	}
	for text, ok := range cases() { // of the three services nothing else is taken than by Parse
		if _, err := arn.ParseAny(text); strings.Contains(text, ":ivs") && (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzParseAny: what parses is what it prints, and what Parse takes is taken alike.
func FuzzParseAny(f *testing.F) {
	for text := range others() {
		f.Add(text)
	}
	for text := range cases() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := arn.ParseAny(text)
		if err == nil && a.String() != text {
			t.Errorf("%q printed as %q", text, a)
		}
		if strict, serr := arn.Parse(text); serr == nil && (err != nil || strict != a) && strings.Contains(text, ":ivs") {
			t.Errorf("%q: %+v and %+v %v", text, strict, a, err)
		}
	})
}

// TestUUIDs: random ones have the version and the variant of RFC 9562 and differ; that of a name is always the same.
func TestUUIDs(t *testing.T) {
	t.Parallel()
	random := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if one, other := arn.NewUUID(), arn.NewUUID(); one == other || !random.MatchString(one) {
		t.Errorf("%s, %s", one, other)
	}
	const of = "st-1/Stream Start"
	if got := arn.NamedUUID(of); got != "4b148ce4-a415-84af-b92f-1eaf56be106d" || got == arn.NamedUUID(of+"!") {
		t.Errorf("%s", got)
	}
}
