package restjson_test

import (
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
)

// element is a structure with one string under a rule.
type element struct {
	rule *restjson.StringRule
	text string
}

func (e *element) Check(c *restjson.Checks) { e.rule.Check(c, "text", e.text) }

func TestChecks(t *testing.T) {
	t.Parallel()
	name := &restjson.StringRule{Max: 3, Pattern: restjson.NewPattern(`[a-z]*`)}
	for _, c := range []struct {
		name  string
		check func(*restjson.Checks)
		want  string
	}{
		{"nothing", func(c *restjson.Checks) { name.Check(c, "name", "abc") }, ""},
		{"characters, not bytes", func(c *restjson.Checks) { (&restjson.StringRule{Min: 3, Max: 3}).Check(c, "name", "äöü") }, ""},
		{
			"missing", func(c *restjson.Checks) { c.Required("arn", false) },
			"1 validation error detected: Value null at 'arn' failed to satisfy constraint: Member must not be null",
		},
		{
			"too long and odd", func(c *restjson.Checks) { name.Check(c, "name", "ABCD") },
			"2 validation errors detected: Value 'ABCD' at 'name' failed to satisfy constraint: Member must have length less than or equal to 3; " +
				"Value 'ABCD' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*",
		},
		{
			"a pattern must match the whole", func(c *restjson.Checks) { name.Check(c, "name", "a\n") },
			"1 validation error detected: Value 'a\n' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*",
		},
		{
			"too short", func(c *restjson.Checks) { (&restjson.StringRule{Min: 1}).Check(c, "name", "") },
			"1 validation error detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1",
		},
		{
			"secret", func(c *restjson.Checks) {
				(&restjson.StringRule{Max: 1, Sensitive: true}).Check(c, "metadata", "s3cret")
			},
			"1 validation error detected: Value at 'metadata' failed to satisfy constraint: Member must have length less than or equal to 1",
		},
		{
			"enum", func(c *restjson.Checks) {
				(&restjson.StringRule{Enum: []string{"LOW", "NORMAL"}}).Check(c, "mode", "low")
			},
			"1 validation error detected: Value 'low' at 'mode' failed to satisfy constraint: Member must satisfy enum value set: [LOW, NORMAL]",
		},
		{"number", func(c *restjson.Checks) {
			r := &restjson.NumberRule{Min: 1, Max: 100}
			restjson.CheckNumber(c, r, "maxResults", int32(0))
			restjson.CheckNumber(c, r, "maxResults", int64(101))
			restjson.CheckNumber(c, &restjson.NumberRule{Min: 0}, "gap", 1e9)
		}, "2 validation errors detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1; " +
			"Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{
			"size", func(c *restjson.Checks) { c.Size("arns", 0, 1, 50); c.Size("arns", 51, 1, 50); c.Size("arns", 7, 0, 0) },
			"2 validation errors detected: Value at 'arns' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
				"Value at 'arns' failed to satisfy constraint: Member must have length less than or equal to 50",
		},
		{"nested", func(c *restjson.Checks) {
			restjson.CheckStrings(c, "names", []string{"a", "B"}, name)
			c.Enter("outer")
			restjson.CheckList(c, "list", []element{{name, "a"}, {name, "b"}, {name, "C"}})
			restjson.CheckStruct[element](c, "none", nil)
			restjson.CheckStruct(c, "one", &element{name, "D"})
			c.Leave()
			c.Required("last", false)
		}, "4 validation errors detected: Value 'B' at 'names.2.member' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*; " +
			"Value 'C' at 'outer.list.3.member.text' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*; " +
			"Value 'D' at 'outer.one.text' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*; " +
			"Value null at 'last' failed to satisfy constraint: Member must not be null"},
		{"map", func(c *restjson.Checks) {
			restjson.CheckMap(c, "tags", map[string]string{"b": "x", "C": "D", "A": "E"}, name, name)
			restjson.CheckMap(c, "free", map[string]string{"B": "C"}, nil, nil)
		}, "2 validation errors detected: Value '{A=E}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: " +
			"[Member must have length less than or equal to 3, Member must satisfy regular expression pattern: [a-z]*]; " +
			"Value '{A=E}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: " +
			"[Member must have length less than or equal to 3, Member must satisfy regular expression pattern: [a-z]*]"},
		{"secret map", func(c *restjson.Checks) {
			restjson.CheckMap(c, "map", map[string]string{"k": "s3cret"}, nil, &restjson.StringRule{Max: 1, Sensitive: true})
		}, "1 validation error detected: Value at 'map' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var checks restjson.Checks
			c.check(&checks)
			got := ""
			if err := checks.Err(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestChecksAreBounded shows that an answer stays small whatever is wrong.
func TestChecksAreBounded(t *testing.T) {
	t.Parallel()
	var c restjson.Checks
	rule := &restjson.StringRule{Max: 1}
	restjson.CheckStrings(&c, "list", strings.Split(strings.Repeat(strings.Repeat("ä", 1000)+",", 1000), ","), rule)
	if text := c.Err().Error(); len(text) > 20*(600+100) || !strings.HasPrefix(text, "20 validation errors") || !strings.Contains(text, "…") {
		t.Errorf("%d bytes: %.200s", len(text), text)
	}
}
