package eventinput

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

const sample = `{"version":"0","id":"i1","detail-type":"T","source":"aws.ivs","account":"1","time":"2024-05-05T21:55:38Z","region":"r","resources":["arn:x"],` +
	`"detail":{"name":"demo","n":3.0,"none":null,"quoted":"a \"b\"","list":["X","Y"],"obj":{"a":"b"},"items":[{"id":1},{"id":2}],"my-key_1":true}}`

func event() Event {
	return Event{JSON: []byte(sample), RuleARN: "arn:rule", RuleName: "rule", Ingested: time.Date(2024, 5, 5, 21, 55, 39, 0, time.UTC)}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"$":                       sample,
		"$.detail.name":           `"demo"`,
		"$.detail.n":              `3.0`,
		"$.detail.none":           `null`,
		"$.detail.obj":            `{"a":"b"}`,
		"$.detail.list[1]":        `"Y"`,
		"$.detail.list[2]":        `""`,
		"$.detail.list[*]":        `["X","Y"]`,
		"$.detail.items[*].id":    `[1,2]`,
		"$.detail.obj.*":          `["b"]`,
		"$.detail.my-key_1":       `true`,
		"$['detail']['name']":     `"demo"`,
		`$["detail-type"]`:        `"T"`,
		"$.detail-type":           `"T"`,
		"$.nothing.here":          `""`,
		"$.detail.name.deeper[0]": `""`,
		"$.resources[0]":          `"arn:x"`,
	} {
		got, err := (&Spec{Path: path}).Of(event())
		if err != nil || string(got) != want {
			t.Errorf("%s: %s %v, want %s", path, got, err, want)
		}
	}
	for _, path := range []string{"detail", "$detail", "$.", "$..x", "$.x[", "$.x[-1]", "$.x['y]", "$.a b", "$.x[1:2]", "$.x[?(@.y)]", "$.a*", "$" + strings.Repeat(".a", maxSteps+1)} {
		if _, err := parsePath(path); err == nil {
			t.Errorf("%s is taken for a path", path)
		}
	}
}

// TestTemplates: what comes of a template (errata.md A4, "template rules"). An empty want is a refusal: nothing is sent.
func TestTemplates(t *testing.T) {
	t.Parallel()
	paths := map[string]string{
		"name": "$.detail.name", "n": "$.detail.n", "none": "$.detail.none", "quoted": "$.detail.quoted", "list": "$.detail.list",
		"obj": "$.detail.obj", "gone": "$.detail.gone", "b": "$.detail.my-key_1",
	}
	for template, want := range map[string]string{
		`{"x":<name>,"y":<n>,"z":<none>,"o":<obj>,"l":<list>,"b":<b>}`: `{"x":"demo","y":3.0,"z":null,"o":{"a":"b"},"l":["X","Y"],"b":true}`,
		`{"x":"a <name> b <n> <b>"}`:                                   `{"x":"a demo b 3.0 true"}`,
		`{"x":<gone>,"y":"<gone>"}`:                                    `{"x":"","y":""}`,
		`{"x":"<obj>"}`:                                                ``,
		`{"x":"<quoted>"}`:                                             ``,
		`{"x":"<list>"}`:                                               ``,
		`{"x":<quoted>}`:                                               `{"x":"a \"b\""}`,
		`{"a":"\"<name>\""}`:                                           `{"a":"\"demo\""}`,
		`<obj>`:                                                        `{"a":"b"}`,
		`[<n>,<name>]`:                                                 `[3.0,"demo"]`,
		`"<name> is <n>"`:                                              `"demo is 3.0"`,
		`"<obj> <list>"`:                                               `"{a:b} [X,Y]"`,
		`"missing <gone>."`:                                            `"missing ."`,
		"\"one <name>\"\n\"two <n>\"":                                  "\"one demo\"\n\"two 3.0\"",
		`"<quoted>"`:                                                   `"a "b""`,
		`{"a":<aws.events.rule-arn>,"b":<aws.events.rule-name>,"c":<aws.events.event.ingestion-time>}`: `{"a":"arn:rule","b":"rule","c":"2024-05-05T21:55:39Z"}`,
		`{"e":<aws.events.event>}`:          `{"e":{"version":"0","id":"i1","detailType":"T","source":"aws.ivs","account":"1","time":"2024-05-05T21:55:38Z","region":"r","resources":["arn:x"]}}`,
		`<aws.events.event.json>`:           sample,
		`{"less":"1 < 2 > 0 <not a name>"}`: `{"less":"1 < 2 > 0 <not a name>"}`,
		`{"x":`:                             ``,
	} {
		got, err := (&Spec{Transformer: &Transformer{Paths: paths, Template: template}}).Of(event())
		if want == "" {
			if !errors.Is(err, ErrNotJSON) {
				t.Errorf("%s: %s %v, want a refusal", template, got, err)
			}
			continue
		}
		if err != nil || string(got) != want {
			t.Errorf("%s:\n%s %v, want\n%s", template, got, err, want)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	tr := func(template string, paths map[string]string) *Transformer {
		return &Transformer{Paths: paths, Template: template}
	}
	for _, c := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, ""},
		{Spec{Input: `{"a":1}`}, ""},
		{Spec{Input: `{"a":1`}, "JSON syntax error in input for target X"},
		{Spec{Input: `{}`, Path: "$"}, "Only one of Input, InputPath, or InputTransformer must be provided for target X."},
		{Spec{Path: "$", Transformer: tr(`"a"`, nil)}, "Only one of Input, InputPath, or InputTransformer must be provided for target X."},
		{Spec{Path: "detail"}, "Invalid InputPath for target X."},
		{Spec{Transformer: tr(`{"a":<b>}`, nil)}, "InputTemplate for target X contains invalid placeholder b."},
		{Spec{Transformer: tr(`{"a":<aws.events.nothing>}`, nil)}, "InputTemplate for target X contains invalid placeholder aws.events.nothing."},
		{Spec{Transformer: tr(`{"a":<b>,"c":<aws.events.event>}`, map[string]string{"b": "$.x"})}, ""},
		{Spec{Transformer: tr(`"a"`, map[string]string{"aws.x": "$.x"})}, "InputPathsMap for target X contains invalid key aws.x."},
		{Spec{Transformer: tr(`"a"`, map[string]string{"b": "x"})}, "Invalid InputPathsMap for target X: x."},
		{Spec{Transformer: tr(``, nil)}, "InputTemplate for target X is empty."},
	} {
		err := c.spec.Check("X")
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%+v: %v, want %s", c.spec, err, c.want)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	e := Event{JSON: []byte(`{"a":"` + strings.Repeat("x", MaxSize/4) + `"}`)}
	template := `[` + strings.Repeat(`<a>,`, 2000) + `1]`
	if _, err := (&Spec{Transformer: &Transformer{Paths: map[string]string{"a": "$.a"}, Template: template}}).Of(e); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

// FuzzOf: nothing that is made is larger than it may be, and what is no quoted text is JSON.
func FuzzOf(f *testing.F) {
	f.Add(sample, "$.detail.name", `{"x":<v>}`)
	f.Add(sample, "$.detail.items[*].id", `"<v> <aws.events.event>"`)
	f.Add(`{"a":[1,{"b":"\u0000"}]}`, "$.a[1].b", `{"q":"<v>"}`)
	f.Fuzz(func(t *testing.T, text, path, template string) {
		if !json.Valid([]byte(text)) {
			return
		}
		s := Spec{Transformer: &Transformer{Paths: map[string]string{"v": path}, Template: template}}
		if s.Check("X") != nil {
			return
		}
		out, err := s.Of(Event{JSON: []byte(text)})
		if err != nil {
			return
		}
		if len(out) > MaxSize {
			t.Errorf("%d bytes", len(out))
		}
		if !strings.HasPrefix(strings.TrimSpace(template), `"`) && !json.Valid(out) {
			t.Errorf("%s makes %s", template, out)
		}
		p := Spec{Path: path}
		if part, err := p.Of(Event{JSON: []byte(text)}); err != nil || !json.Valid(part) {
			t.Errorf("%s leads to %s %v", path, part, err)
		}
	})
}
