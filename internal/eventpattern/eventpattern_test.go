package eventpattern

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestMatch has a table for each operator (errata.md A4).
func TestMatch(t *testing.T) {
	t.Parallel()
	for name, cases := range map[string][]struct {
		pattern string
		yes, no []string
	}{
		"exact": {
			{`{"a":["x"]}`, []string{`{"a":"x"}`, `{"a":["y","x"]}`, `{"a":[["x"]]}`, `{"a":"x","b":1}`}, []string{`{}`, `{"a":"X"}`, `{"a":"xy"}`, `{"a":[]}`, `{"a":{"b":"x"}}`, `{"b":"x"}`, `{"a":null}`}},
			{`{"a":["300"]}`, []string{`{"a":"300"}`}, []string{`{"a":300}`}},
			{`{"a":[300]}`, []string{`{"a":300}`, `{"a":300.0}`, `{"a":3.0e2}`, `{"a":3E+2}`}, []string{`{"a":"300"}`, `{"a":-300}`, `{"a":301}`}},
			{`{"a":[0]}`, []string{`{"a":0}`, `{"a":-0}`, `{"a":0.00}`, `{"a":0e5}`}, []string{`{"a":1}`, `{"a":""}`}},
			{`{"a":[12345678901234567890]}`, []string{`{"a":12345678901234567890}`}, []string{`{"a":12345678901234567891}`}},
			{`{"a":[true]}`, []string{`{"a":true}`}, []string{`{"a":false}`, `{"a":"true"}`, `{"a":1}`}},
			{`{"a":[null]}`, []string{`{"a":null}`, `{"a":[1,null]}`}, []string{`{}`, `{"a":""}`, `{"a":0}`, `{"a":[]}`, `{"a":"null"}`}},
			{`{"a":[""]}`, []string{`{"a":""}`}, []string{`{"a":null}`, `{"a":" "}`, `{}`}},
			{`{"a":["x",1,null]}`, []string{`{"a":"x"}`, `{"a":1}`, `{"a":null}`}, []string{`{"a":"1"}`}},
			{`{"a":["x"],"b":["y"]}`, []string{`{"a":"x","b":"y"}`}, []string{`{"a":"x"}`, `{"b":"y"}`, `{"a":"y","b":"x"}`}},
			{`{"a":["é"]}`, []string{`{"a":"\u00e9"}`}, []string{`{"a":"e"}`}},
		},
		"nested": {
			{`{"a":{"b":["x"]}}`, []string{`{"a":{"b":"x"}}`, `{"a.b":"x"}`, `{"a":[{"b":"x"}]}`}, []string{`{"a":"x"}`, `{"b":"x"}`, `{"a":{"c":"x"}}`}},
			{`{"a.b":["x"]}`, []string{`{"a":{"b":"x"}}`, `{"a.b":"x"}`}, []string{`{"a":{"b":"y"}}`}},
			{`{"a.b":["x"],"a":{"c":["y"]}}`, []string{`{"a":{"b":"x","c":"y"}}`, `{"a":{"b":"x"},"a.c":"y"}`}, []string{`{"a":{"b":"x"}}`, `{"a":{"c":"y"}}`}},
		},
		"lists of objects": {
			{`{"a":{"b":[1],"c":[2]}}`, []string{`{"a":{"b":1,"c":2}}`, `{"a":[{"b":0},{"b":1,"c":2}]}`, `{"a":[[{"b":1,"c":[3,2]}]]}`, `{"a":{"b":[1,0],"c":[0,2]}}`}, []string{`{"a":[{"b":1},{"c":2}]}`, `{"a":[[{"b":1}],[{"c":2}]]}`, `{"a":[{"b":1,"c":0},{"b":0,"c":2}]}`}},
			{`{"a":{"b":{"c":[1]},"d":[2]}}`, []string{`{"a":[{"b":[{"c":0},{"c":1}],"d":2}]}`}, []string{`{"a":[{"b":[{"c":1}]},{"d":2}]}`}},
			{`{"a":{"b":[1]},"c":{"d":[2]}}`, []string{`{"a":[{"b":0},{"b":1}],"c":[{"d":2},{"d":0}]}`}, []string{`{"a":[{"b":1}],"c":[{"d":1}]}`}},
		},
		"duplicate names": {
			{`{"a":["x"],"a":["y"]}`, []string{`{"a":"y"}`, `{"a":"x","a":"y"}`}, []string{`{"a":"x"}`, `{"a":"y","a":"x"}`}},
		},
		"prefix": {
			{`{"a":[{"prefix":"ab"}]}`, []string{`{"a":"ab"}`, `{"a":"abc"}`, `{"a":["x","abx"]}`}, []string{`{"a":"a"}`, `{"a":"Ab"}`, `{"a":12}`, `{}`, `{"a":null}`}},
			{`{"a":[{"prefix":""}]}`, []string{`{"a":""}`, `{"a":"x"}`}, []string{`{"a":1}`, `{"a":null}`, `{"a":true}`, `{}`}},
			{`{"a":[{"prefix":{"equals-ignore-case":"aB"}}]}`, []string{`{"a":"ab"}`, `{"a":"ABc"}`, `{"a":"aB"}`}, []string{`{"a":"a"}`, `{"a":"xab"}`}},
			{`{"a":[{"prefix":{"equals-ignore-case":"straſe"}}]}`, []string{`{"a":"STRASE 1"}`}, []string{`{"a":"STRAS"}`}},
		},
		"suffix": {
			{`{"a":[{"suffix":"yz"}]}`, []string{`{"a":"yz"}`, `{"a":"xyz"}`}, []string{`{"a":"z"}`, `{"a":"yZ"}`, `{"a":5}`}},
			{`{"a":[{"suffix":{"equals-ignore-case":".PNG"}}]}`, []string{`{"a":"x.png"}`, `{"a":".pnG"}`}, []string{`{"a":"png"}`, `{"a":"x.pngx"}`}},
		},
		"equals-ignore-case": {
			{`{"a":[{"equals-ignore-case":"aLICE"}]}`, []string{`{"a":"Alice"}`, `{"a":"aLICE"}`}, []string{`{"a":"alic"}`, `{"a":1}`}},
		},
		"wildcard": {
			{`{"a":[{"wildcard":"*"}]}`, []string{`{"a":""}`, `{"a":"x"}`}, []string{`{"a":1}`, `{}`}},
			{`{"a":[{"wildcard":"a*b*c"}]}`, []string{`{"a":"abc"}`, `{"a":"aXbYc"}`, `{"a":"abbcc"}`, `{"a":"abcbc"}`}, []string{`{"a":"ab"}`, `{"a":"acb"}`, `{"a":"xabc"}`, `{"a":"abcx"}`}},
			{`{"a":[{"wildcard":"a*a"}]}`, []string{`{"a":"aa"}`, `{"a":"aba"}`}, []string{`{"a":"a"}`}},
			{`{"a":[{"wildcard":"1\\*2\\\\3*"}]}`, []string{`{"a":"1*2\\3"}`, `{"a":"1*2\\34"}`}, []string{`{"a":"1x2\\3"}`}},
			{`{"a":[{"wildcard":"abc"}]}`, []string{`{"a":"abc"}`}, []string{`{"a":"abcd"}`}},
		},
		"anything-but": {
			{`{"a":[{"anything-but":"x"}]}`, []string{`{"a":"y"}`, `{"a":1}`, `{"a":null}`, `{"a":["x","y"]}`}, []string{`{"a":"x"}`, `{}`, `{"a":["x","x"]}`, `{"a":[]}`, `{"a":{"b":1}}`}},
			{`{"a":[{"anything-but":["x","y"]}]}`, []string{`{"a":"z"}`, `{"a":false}`}, []string{`{"a":"x"}`, `{"a":"y"}`, `{}`}},
			{`{"a":[{"anything-but":5}]}`, []string{`{"a":6}`, `{"a":"5"}`}, []string{`{"a":5}`, `{"a":5.0}`}},
			{`{"a":[{"anything-but":[1,2]}]}`, []string{`{"a":3}`}, []string{`{"a":1.0}`, `{"a":2}`}},
			{`{"a":[{"anything-but":{"prefix":"x"}}]}`, []string{`{"a":"y"}`, `{"a":1}`, `{"a":null}`}, []string{`{"a":"xy"}`, `{}`}},
			{`{"a":[{"anything-but":{"prefix":["x","y"]}}]}`, []string{`{"a":"z"}`}, []string{`{"a":"x1"}`, `{"a":"y1"}`}},
			{`{"a":[{"anything-but":{"suffix":"x"}}]}`, []string{`{"a":"xy"}`}, []string{`{"a":"yx"}`}},
			{`{"a":[{"anything-but":{"equals-ignore-case":["On","off"]}}]}`, []string{`{"a":"auto"}`, `{"a":3}`}, []string{`{"a":"ON"}`, `{"a":"Off"}`}},
			{`{"a":[{"anything-but":{"wildcard":"*/lib/*"}}]}`, []string{`{"a":"usr/bin"}`}, []string{`{"a":"usr/lib/x"}`}},
			{`{"a":[{"anything-but":{"wildcard":["a*","*b"]}}]}`, []string{`{"a":"c"}`}, []string{`{"a":"ax"}`, `{"a":"xb"}`}},
		},
		"numeric": {
			{`{"a":[{"numeric":["=",3.018e2]}]}`, []string{`{"a":301.8}`, `{"a":301.80}`}, []string{`{"a":301}`, `{"a":"301.8"}`, `{"a":null}`, `{}`}},
			{`{"a":[{"numeric":[">",0,"<=",5]}]}`, []string{`{"a":5}`, `{"a":0.0001}`, `{"a":[9,3]}`}, []string{`{"a":0}`, `{"a":5.0001}`, `{"a":-1}`}},
			{`{"a":[{"numeric":[">=",-5]}]}`, []string{`{"a":-5}`, `{"a":1e300}`, `{"a":1e999999999999}`}, []string{`{"a":-5.1}`, `{"a":-1e9999999999999}`}},
			{`{"a":[{"numeric":["<",-2]}]}`, []string{`{"a":-3}`, `{"a":-2.5}`}, []string{`{"a":-2}`, `{"a":-1}`, `{"a":2}`}},
		},
		"cidr": {
			{`{"a":[{"cidr":"10.0.0.0/24"}]}`, []string{`{"a":"10.0.0.255"}`}, []string{`{"a":"10.0.1.0"}`, `{"a":"::1"}`, `{"a":"x"}`, `{"a":10}`}},
			{`{"a":[{"cidr":"2001:db8::/32"}]}`, []string{`{"a":"2001:db8:1::5"}`}, []string{`{"a":"2001:db9::1"}`, `{"a":"2001:db8::1%eth0"}`}},
			{`{"a":[{"cidr":"10.0.0.77/24"}]}`, []string{`{"a":"10.0.0.1"}`}, []string{`{"a":"10.0.2.1"}`}},
			{`{"a":[{"cidr":"10.0.0.7"}]}`, []string{`{"a":"10.0.0.7"}`}, []string{`{"a":"10.0.0.8"}`}},
		},
		"exists": {
			{`{"a":[{"exists":true}]}`, []string{`{"a":1}`, `{"a":null}`, `{"a":""}`, `{"a":[1]}`}, []string{`{}`, `{"a":{"b":1}}`, `{"a":[]}`, `{"a":{}}`, `{"a":[{"b":1}]}`}},
			{`{"a":[{"exists":false}]}`, []string{`{}`, `{"a":{"b":1}}`, `{"a":[]}`, `{"a":{}}`, `{"b":1}`}, []string{`{"a":1}`, `{"a":null}`, `{"a":[1]}`}},
			{`{"a":{"b":[{"exists":false}]}}`, []string{`{}`, `{"a":1}`, `{"a":{}}`, `{"a":[{"c":1}]}`}, []string{`{"a":{"b":1}}`, `{"a":[{"c":1},{"b":1}]}`}},
			{`{"a":{"b":[{"exists":false}],"c":[1]}}`, []string{`{"a":[{"b":1},{"c":1}]}`, `{"a":{"c":1}}`}, []string{`{"a":[{"b":1,"c":1}]}`, `{"a":{"b":2,"c":1}}`}},
			{`{"a":["x",{"exists":false}]}`, []string{`{}`, `{"a":"x"}`}, []string{`{"a":"y"}`}},
		},
		"$or": {
			{`{"$or":[{"a":[1]},{"b":[2]}]}`, []string{`{"a":1}`, `{"b":2}`, `{"a":1,"b":3}`}, []string{`{"a":2}`, `{}`}},
			{`{"c":["x"],"$or":[{"a":[1]},{"b":[2],"d":[3]}]}`, []string{`{"c":"x","a":1}`, `{"c":"x","b":2,"d":3}`}, []string{`{"a":1}`, `{"c":"x","b":2}`}},
			{`{"d":{"$or":[{"a":[1]},{"$or":[{"b":[2]},{"c":[3]}]}]}}`, []string{`{"d":{"a":1}}`, `{"d":{"c":3}}`}, []string{`{"a":1}`, `{"d":{"b":3}}`}},
			{`{"d":{"e":[1],"$or":[{"a":[1]},{"b":[2]}]}}`, []string{`{"d":[{"e":0},{"e":1,"b":2}]}`}, []string{`{"d":[{"e":1},{"b":2}]}`}},
			{`{"$or":[{"prefix":"x"},{"suffix":"y"}]}`, []string{`{"$or":"xa"}`, `{"$or":"ay"}`}, []string{`{"$or":"b"}`, `{"prefix":"x"}`}},
			{`{"$or":["x"]}`, []string{`{"$or":"x"}`}, []string{`{"x":1}`}},
			{`{"$or":{"a":[1]}}`, []string{`{"$or":{"a":1}}`}, []string{`{"a":1}`}},
		},
	} {
		for _, c := range cases {
			p, err := Compile([]byte(c.pattern), EventBridge())
			if err != nil {
				t.Errorf("%s: %s: %v", name, c.pattern, err)
				continue
			}
			check := func(event string, want bool) {
				e, err := ParseEvent([]byte(event))
				if err != nil {
					t.Errorf("%s: %v", event, err)
				} else if p.Match(e) != want {
					t.Errorf("%s: %s matches %s: %v, want %v", name, c.pattern, event, !want, want)
				}
			}
			for _, e := range c.yes {
				check(e, true)
			}
			for _, e := range c.no {
				check(e, false)
			}
		}
	}
}

// TestRefusals: what is no pattern is refused, in the words of the service.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		``:                                     "Invalid JSON",
		`{"a":[1]} x`:                          "Invalid JSON",
		`[1]`:                                  "Filter is not an object",
		`"x"`:                                  "Filter is not an object",
		`{}`:                                   "Empty objects are not allowed",
		`{"a":{}}`:                             "Empty objects are not allowed",
		`{"a":[]}`:                             "Empty arrays are not allowed",
		`{"a":"x"}`:                            `"a" must be an object or an array`,
		`{"a":{"b":1}}`:                        `"b" must be an object or an array`,
		`{"a":[["x"]]}`:                        "Match value must be String, number, true, false, or null",
		`{"a":[{}]}`:                           "Match expression name not found",
		`{"a":[{"prefix":"x","suffix":"y"}]}`:  "Only one key allowed in match expression",
		`{"a":[{"Prefix":"x"}]}`:               "Unrecognized match type Prefix",
		`{"a":[{"prefix":1}]}`:                 "prefix match pattern must be a string",
		`{"a":[{"suffix":null}]}`:              "suffix match pattern must be a string",
		`{"a":[{"prefix":{"suffix":"x"}}]}`:    "Unrecognized match type suffix",
		`{"a":[{"equals-ignore-case":["x"]}]}`: "equals-ignore-case match pattern must be a string",
		`{"a":[{"wildcard":"a**"}]}`:           "Consecutive wildcard characters at pos 1",
		`{"a":[{"wildcard":"a\\x"}]}`:          "Invalid escape character at pos 1",
		`{"a":[{"wildcard":["a"]}]}`:           "wildcard match pattern must be a string",
		`{"a":[{"wildcard":"` + strings.Repeat("*a", 101) + `"}]}`:       tooComplex,
		`{"a":[{"anything-but":null}]}`:                                  "Value of anything-but must be an array or single string/number value.",
		`{"a":[{"anything-but":true}]}`:                                  "Value of anything-but must be an array or single string/number value.",
		`{"a":[{"anything-but":[]}]}`:                                    "Empty arrays are not allowed",
		`{"a":[{"anything-but":["x",null]}]}`:                            "Inside anything but list, start|null|boolean is not supported.",
		`{"a":[{"anything-but":["x",1]}]}`:                               "Inside anything but list, either all values are number or string, mixed type is not supported",
		`{"a":[{"anything-but":{"prefix":""}}]}`:                         "Null prefix/suffix not allowed",
		`{"a":[{"anything-but":{"prefix":{"equals-ignore-case":"x"}}}]}`: "prefix match pattern must be a string",
		`{"a":[{"anything-but":{"numeric":["=",1]}}]}`:                   "Unsupported anything-but pattern: numeric",
		`{"a":[{"exists":"true"}]}`:                                      "exists match pattern must be either true or false.",
		`{"a":[{"cidr":"10.0.0.0/33"}]}`:                                 "Malformed CIDR, one '/' required",
		`{"a":[{"numeric":1}]}`:                                          "Value of numeric must be an array.",
		`{"a":[{"numeric":["="]}]}`:                                      "Value of equals must be numeric.",
		`{"a":[{"numeric":["=","1"]}]}`:                                  "Value of = must be numeric.",
		`{"a":[{"numeric":["~",1]}]}`:                                    "Unrecognized numeric range operator: ~",
		`{"a":[{"numeric":["<",1,">",0]}]}`:                              "Too many terms in numeric range expression",
		`{"a":[{"numeric":[">",5,"<",5]}]}`:                              "Bottom must be less than top",
		`{"a":[{"numeric":[">",5000000001]}]}`:                           "Value must be between -5.0E9 and 5.0E9, inclusive",
		`{"a":[{"numeric":[">",1,"<",2,"<",3]}]}`:                        "Too many elements in numeric expression",
		`{"a":[` + strings.Repeat("1,", 200_000) + `1]}`:                 "The pattern has more than 262144 bytes",
		or(10, 4): "The pattern has more than 1000 combinations",
	} {
		_, err := Compile([]byte(pattern), EventBridge())
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != want {
			t.Errorf("%.80s: %v, want %s", pattern, err, want)
		}
	}
	if _, err := Compile([]byte(or(10, 3)), EventBridge()); err != nil {
		t.Errorf("1000 combinations: %v", err)
	}
}

// or makes a pattern of n times n times … combinations.
func or(n, times int) string {
	var all []string
	for i := range times {
		var branches []string
		for j := range n {
			branches = append(branches, fmt.Sprintf(`{"f%d":[%d]}`, i, j))
		}
		all = append(all, fmt.Sprintf(`"o%d":{"$or":[%s]}`, i, strings.Join(branches, ",")))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// TestFilterPolicy: what SNS takes for a filter policy, and what it does not (errata.md A5).
func TestFilterPolicy(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`{"a":[{"wildcard":"x*"}]}`:                           "Unrecognized match type wildcard",
		`{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}`:   "Filter policy can not have more than 5 keys",
		`{"a":[{"anything-but":{"equals-ignore-case":"x"}}]}`: "Unsupported anything-but pattern: equals-ignore-case",
		`{"a":[{"numeric":["=",1000000001]}]}`:                "Value must be between -1.0E9 and 1.0E9, inclusive",
		`{"a":[{"numeric":["=",1.000001]}]}`:                  "Value must be between -1.0E9 and 1.0E9, inclusive",
		`{"a":[` + strings.Repeat("1,", 150) + `1]}`:          "Filter policy is too complex",
		`{"a":{"b":[` + strings.Repeat("1,", 75) + `1]}}`:     "Filter policy is too complex",
	} {
		_, err := Compile([]byte(pattern), FilterPolicy())
		if e, ok := errors.AsType[*Error](err); !ok || e.Reason != want {
			t.Errorf("%.80s: %v, want %s", pattern, err, want)
		}
	}
	if _, err := Compile([]byte(`{"a":{"b":[1]}}`), AttributeFilterPolicy()); err == nil {
		t.Error("attributes are not nested, and a nested policy for them is taken")
	}
	p, err := Compile([]byte(`{"kind":["news",{"prefix":"spo"}],"size":[{"numeric":[">",5]}],"no":[{"exists":false}]}`), AttributeFilterPolicy())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		attributes map[string]Attribute
		want       bool
	}{
		{map[string]Attribute{"kind": {"String", "news"}, "size": {"Number", "6"}}, true},
		{map[string]Attribute{"kind": {"String.Array", `["x","sports"]`}, "size": {"Number.int", "6.5"}}, true},
		{map[string]Attribute{"kind": {"String.Array", `not JSON`}, "size": {"Number", "6"}}, false},
		{map[string]Attribute{"kind": {"String", "news"}, "size": {"String", "6"}}, false},
		{map[string]Attribute{"kind": {"Binary", "news"}, "size": {"Number", "6"}}, false},
		{map[string]Attribute{"kind": {"String", "news"}, "size": {"Number", "six"}}, false},
		{map[string]Attribute{"kind": {"String", "news"}, "size": {"Number", "6"}, "no": {"String", ""}}, false},
		{nil, false},
	} {
		if got := p.Match(Attributes(c.attributes)); got != c.want {
			t.Errorf("%v: %v", c.attributes, got)
		}
	}
}

// TestDecimal: numbers are compared by what they are worth.
func TestDecimal(t *testing.T) {
	t.Parallel()
	rising := []string{"-1e999999999999", "-1e20", "-100", "-99.99", "-1.5", "-1", "-1e-5", "0", "1e-99999999999", "0.001", "0.01", "1", "1.5", "9.99", "10", "1e1", "11", "1e20", "1e999999999999"}
	for i, a := range rising {
		for j, b := range rising {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if a == "10" && b == "1e1" || a == "1e1" && b == "10" {
				want = 0
			}
			if got := parseDecimal(a).compare(parseDecimal(b)); got != want {
				t.Errorf("%s <=> %s is %d, want %d", a, b, got, want)
			}
		}
	}
}
