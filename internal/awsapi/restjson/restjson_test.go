package restjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
)

// everything has a member of each type.
type everything struct {
	Text  *string
	Flag  *bool
	Small *int32
	Large *int64
	Real  *float64
	At    *restjson.Timestamp
	List  []string
	Map   map[string]string
	Inner *everything
	Many  []everything
}

func (v *everything) ReadJSON(r *restjson.Reader) {
	for key := range r.Members {
		switch string(key) {
		case "text":
			v.Text = r.String()
		case "flag":
			v.Flag = r.Bool()
		case "small":
			v.Small = r.Int32()
		case "large":
			v.Large = r.Int64()
		case "real":
			v.Real = r.Float64()
		case "at":
			v.At = r.Timestamp()
		case "list":
			v.List = restjson.ReadStrings(r)
		case "map":
			v.Map = restjson.ReadMap(r)
		case "inner":
			v.Inner = restjson.ReadStruct[everything](r)
		case "many":
			v.Many = restjson.ReadList[everything](r)
		default:
			r.Skip()
		}
	}
}

func (v *everything) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	if v.Text != nil {
		b = restjson.AppendString(restjson.AppendKey(b, "text"), *v.Text)
	}
	if v.Small != nil {
		b = restjson.AppendInt(restjson.AppendKey(b, "small"), *v.Small)
	}
	if v.Large != nil {
		b = restjson.AppendInt(restjson.AppendKey(b, "large"), *v.Large)
	}
	if v.Real != nil {
		b = restjson.AppendFloat(restjson.AppendKey(b, "real"), *v.Real)
	}
	if v.At != nil {
		b = v.At.AppendJSON(restjson.AppendKey(b, "at"))
	}
	if v.List != nil {
		b = restjson.AppendStrings(restjson.AppendKey(b, "list"), v.List)
	}
	if v.Map != nil {
		b = restjson.AppendMap(restjson.AppendKey(b, "map"), v.Map)
	}
	if v.Many != nil {
		b = restjson.AppendList(restjson.AppendKey(b, "many"), v.Many)
	}
	return append(b, '}')
}

func (*everything) Check(*restjson.Checks) {}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body string
		want everything
	}{
		{"", everything{}},
		{" \t\r\n", everything{}},
		{"{}", everything{}},
		{` { "text" : "a" , "flag" : true } `, everything{Text: new("a"), Flag: new(true)}},
		{`{"TEXT":"a","Text":1,"texts":[{}]}`, everything{}}, // names are case sensitive; others are ignored
		{`{"text":null,"flag":null,"small":null,"large":null,"real":null,"at":null,"list":null,"map":null,"inner":null,"many":null}`, everything{}},
		{`{"text":"a","text":"b","list":["x"],"list":["y"]}`, everything{Text: new("b"), List: []string{"y"}}},
		{`{"text":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀"}`, everything{Text: new("\"\\/\b\f\n\r\té😀é😀")}},
		{`{"\u0074ext":"escaped name"}`, everything{Text: new("escaped name")}},
		{`{"small":-2147483648,"large":9223372036854775807}`, everything{Small: new(int32(math.MinInt32)), Large: new(int64(math.MaxInt64))}},
		{`{"small":3.0,"large":2e3}`, everything{Small: new(int32(3)), Large: new(int64(2000))}},
		{`{"real":29.97,"flag":false}`, everything{Real: new(29.97), Flag: new(false)}},
		{`{"list":[],"map":{},"many":[],"inner":{}}`, everything{List: []string{}, Map: map[string]string{}, Many: []everything{}, Inner: &everything{}}},
		{`{"map":{"k":"v","":""},"many":[{"text":"a"},{}]}`, everything{Map: map[string]string{"k": "v", "": ""}, Many: []everything{{Text: new("a")}, {}}}},
		{`{"at":"2024-05-05T21:55:38.25+02:00"}`, everything{At: restjson.Time(time.Date(2024, 5, 5, 21, 55, 38, 25e7, time.FixedZone("", 7200)))}},
		{`{"x":[1,-0.5e+3,"s",true,false,null,{"a":[{}]}]}`, everything{}},
	} {
		var got everything
		if err := restjson.Decode([]byte(c.body), &got); err != nil {
			t.Errorf("%s: %v", c.body, err)
		}
		if got.At != nil && c.want.At != nil && time.Time(*got.At).Equal(time.Time(*c.want.At)) {
			got.At = c.want.At
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.body, got, c.want)
		}
	}
}

// badBodies are bodies that are no input, with a part of the reason.
func badBodies() map[string]string {
	return map[string]string{
		"null":                             "found null where an object",
		"[]":                               "found a list where an object",
		`"text"`:                           "found a string where an object",
		"7":                                "found a number where an object",
		"not json":                         "where an object",
		"text=a&flag=b":                    "where an object",
		"<xml/>":                           "no JSON value",
		"{":                                "expected a member name",
		`{"text"`:                          "expected ':'",
		`{"text":`:                         "ends too early",
		`{"text":"a"`:                      "expected ','",
		`{"text":"a",}`:                    "expected a member name",
		`{"text":"a" "flag":true}`:         "expected ','",
		`{text:"a"}`:                       "expected a member name",
		`{"text":"a"}}`:                    "after the end",
		`{"text":"a"} x`:                   "after the end",
		`{"text":1}`:                       "member 'text': found a number where a string",
		`{"text":["a"]}`:                   "member 'text': found a list where a string",
		`{"flag":"true"}`:                  "member 'flag': found a string where a boolean",
		`{"flag":tru}`:                     "no JSON value",
		`{"small":"3"}`:                    "member 'small': found a string where an integer",
		`{"small":2147483648}`:             "integer in range",
		`{"small":1.5}`:                    "integer in range",
		`{"small":1e300}`:                  "integer in range",
		`{"large":9223372036854775808}`:    "integer in range",
		`{"small":01}`:                     "expected ','",
		`{"small":-}`:                      "malformed number",
		`{"small":1.}`:                     "malformed number",
		`{"small":1e}`:                     "malformed number",
		`{"small":+1}`:                     "no JSON value",
		`{"real":1e999}`:                   "out of range",
		`{"at":1714946138}`:                "member 'at': found a number where a string",
		`{"at":"yesterday"}`:               "ISO 8601",
		`{"list":"a"}`:                     "member 'list': found a string where a list",
		`{"list":["a",1]}`:                 "member 'list': found a number where a string",
		`{"list":["a",null]}`:              "found null where a string",
		`{"list":["a",]}`:                  "no JSON value",
		`{"list":["a"`:                     "expected ','",
		`{"map":[]}`:                       "member 'map': found a list where an object",
		`{"map":{"k":1}}`:                  "member 'map': found a number",
		`{"map":{"k":null}}`:               "found null where a string",
		`{"inner":[]}`:                     "member 'inner': found a list where an object",
		`{"many":{}}`:                      "member 'many': found an object where a list",
		`{"many":[null]}`:                  "found null where an object",
		`{"text":"a`:                       "does not end",
		`{"text":"a\`:                      "unknown escape",
		`{"text":"\x"}`:                    "unknown escape",
		`{"text":"\u12"}`:                  "malformed escape",
		`{"text":"\u1`:                     "incomplete escape",
		`{"text":"\ud83d"}`:                "half a surrogate",
		`{"text":"\ud83d\u0041"}`:          "half a surrogate",
		`{"text":"\ude00"}`:                "half a surrogate",
		"{\"text\":\"a\nb\"}":              "control character",
		"{\"text\":\"\\n\x01\"}":           "control character",
		"{\"text\":\"\xff\"}":              "not UTF-8",
		"{\"text\":\"\\n\xff\"}":           "not UTF-8",
		"\ufeff{}":                         "no JSON value",
		`{"x":` + strings.Repeat("[", 100): "nested too deeply",
		strings.Repeat(`{"inner":`, 100):   "nested too deeply",
		`{"list":[` + strings.Repeat(`"",`, 5000) + `""]}`: "too many",
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for body, want := range badBodies() {
		var got everything
		err := restjson.Decode([]byte(body), &got)
		if e, ok := errors.AsType[*restjson.SyntaxError](err); !ok || !strings.Contains(e.Reason, want) {
			t.Errorf("%.60q: %v, want %q", body, err, want)
		}
	}
}

func TestTimestamp(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 5, 23, 55, 38, 999, time.FixedZone("", 7200))
	text, err := json.Marshal(restjson.Time(at))
	if want := `"2024-05-05T21:55:38Z"`; err != nil || string(text) != want {
		t.Errorf("%s %v, want %s", text, err, want)
	}
	var back restjson.Timestamp
	if err := json.Unmarshal(text, &back); err != nil || !time.Time(back).Equal(at.Truncate(time.Second)) {
		t.Errorf("%v %v", time.Time(back), err)
	}
	if err := json.Unmarshal([]byte("12"), &back); err == nil {
		t.Error("12 is no timestamp")
	}
	if restjson.Time(time.Time{}) != nil {
		t.Error("the zero time is no timestamp")
	}
}

// FuzzReader: a body is accepted when encoding/json accepts it, within our tighter bounds, and then holds the same.
func FuzzReader(f *testing.F) {
	for body := range badBodies() {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"text":"\"\\\/\b\u00e9\ud83d\ude00é","list":["a"],"map":{"k":"v"},"many":[{}],"small":3,"large":4,"real":1.5}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var got everything
		err := restjson.Decode(body, &got)
		if err != nil {
			if _, ok := errors.AsType[*restjson.SyntaxError](err); !ok {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if len(bytes.TrimSpace(body)) == 0 {
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("%q is no JSON", body)
		}
		text := got.AppendJSON(nil)
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON", text)
		}
		var again everything
		if err := restjson.Decode(text, &again); err != nil {
			t.Fatal(err)
		}
		if second := again.AppendJSON(nil); !bytes.Equal(text, second) {
			t.Errorf("%s became %s", text, second)
		}
	})
}

// FuzzString: a string survives, and encoding/json reads the same.
func FuzzString(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\x00\x1f\u007f\u2028é😀\xff\xc3")
	f.Fuzz(func(t *testing.T, s string) {
		text := restjson.AppendString(nil, s)
		want := strings.ToValidUTF8(s, "\x00\xff")
		want = strings.ReplaceAll(want, "\x00\xff", "\ufffd")
		var std string
		if err := json.Unmarshal(text, &std); err != nil {
			t.Fatal(err)
		}
		r := restjson.NewReader(text)
		if got := r.Text(); r.End() != nil || got != std || utf8.ValidString(s) && got != want {
			t.Errorf("%q: %q, encoding/json %q", s, got, std)
		}
	})
}
