package apigen

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func TestCommittedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	if err := Check(root); err != nil {
		t.Error(err)
	}
}

func TestGenerateIsDeterministic(t *testing.T) {
	t.Parallel()
	first, err := Generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		again, err := Generate(root)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range first {
			if !bytes.Equal(again[name], text) {
				t.Fatalf("%s differs", name)
			}
		}
	}
	if len(first) != 4 {
		t.Errorf("%d files", len(first))
	}
}

// TestCheckFindsStaleFiles copies the contract, writes the files there and spoils one.
func TestCheckFindsStaleFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "api"), os.DirFS(filepath.Join(root, "api"))); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir); err == nil || !strings.Contains(err.Error(), "internal/ivs/wire_gen.go") {
		t.Errorf("nothing written yet: %v", err)
	}
	if err := Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir); err != nil {
		t.Error(err)
	}
	spoiled := filepath.Join(dir, "internal", "ivschat", "wire_gen.go")
	if err := os.WriteFile(spoiled, []byte("package ivschat\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir); err == nil || strings.Contains(err.Error(), "ivsrealtime") || !strings.Contains(err.Error(), "internal/ivschat/wire_gen.go") {
		t.Errorf("one file spoiled: %v", err)
	}
}

// TestCorrections holds what the corrected patterns are for.
func TestCorrections(t *testing.T) {
	t.Parallel()
	models, err := Load(filepath.Join(root, "api"))
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string]map[string]*Shape{}
	for _, m := range models {
		shapes[m.Service] = m.Shapes
	}
	for _, c := range []struct{ service, shape, text string }{
		{"ivs", "ResourceArn", "arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc"},
		{"ivs", "ResourceArn", "arn:aws:ivs:us-west-2:111122223333:stream-key/hT4kPz81QmXc"},
		{"ivs-realtime", "ResourceArn", "arn:aws:ivs:us-west-2:111122223333:stage/hT4kPz81QmXc"},
		{"ivschat", "ResourceArn", "arn:aws:ivschat:us-west-2:111122223333:logging-configuration/hT4kPz81QmXc"},
		{"ivs-realtime", "ParticipantId", "Zz11_Yy-22Xx"},
		{"ivs-realtime", "ParticipantRecordingS3Prefix", "st-abc/participant/2024-01-01"},
	} {
		s := shapes[c.service][c.shape]
		if !regexp.MustCompile(`\A(?:` + s.Pattern + `)\z`).MatchString(c.text) {
			t.Errorf("%s %s: %s does not match %s", c.service, c.shape, c.text, s.Pattern)
		}
	}
	for service, of := range shapes {
		s := of["ResourceArn"]
		for _, text := range []string{"", "x", "arn:aws:s3:us-west-2:1:channel/a", "arn:aws:ivs:us-west-2:1:channel", "arn:aws:ivs:us-west-2:1:channel/a/b"} {
			if regexp.MustCompile(`\A(?:` + s.Pattern + `)\z`).MatchString(text) {
				t.Errorf("%s: %q is no ARN", service, text)
			}
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const model = `{"service":"ivs","operations":{"Get":{"method":"POST","path":"/Get","status":200,"input":"GetRequest","errors":["E"]}},
		"errors":{"E":{"status":400}},"shapes":{"GetRequest":{"type":"structure","required":["a"],"members":{"a":{"shape":"A"}}},"A":{"type":"string","pattern":"x"}}}`
	for name, c := range map[string]struct{ model, corrections, want string }{
		"fine":                 {model, `[]`, ""},
		"no JSON":              {`x`, `[]`, "read contract"},
		"unknown type":         {strings.Replace(model, `"string"`, `"blob"`, 1), `[]`, "unknown type"},
		"bad pattern":          {strings.Replace(model, `"x"`, `"("`, 1), `[]`, "pattern"},
		"missing shape":        {strings.Replace(model, `"shape":"A"`, `"shape":"B"`, 1), `[]`, "unknown shape"},
		"missing member":       {strings.Replace(model, `["a"]`, `["b"]`, 1), `[]`, "required member b"},
		"undeclared error":     {strings.Replace(model, `["E"]`, `["F"]`, 1), `[]`, "unknown error F"},
		"odd input":            {strings.Replace(model, `"input":"GetRequest"`, `"input":"A"`, 1), `[]`, "unusual"},
		"name of a method":     {strings.ReplaceAll(model, `"a"`, `"check"`), `[]`, "name of a method"},
		"header member":        {strings.Replace(model, `{"shape":"A"}`, `{"shape":"A","in":"header"}`, 1), `[]`, "header"},
		"needless correction":  {model, `[{"models":["ivs"],"shape":"A","set":{"pattern":"x"},"reason":"r"}]`, "changes nothing"},
		"unreasoned":           {model, `[{"models":["ivs"],"shape":"A","set":{"pattern":"y"}}]`, "no reason"},
		"correction of nobody": {model, `[{"models":["ivs"],"shape":"B","set":{"pattern":"y"},"reason":"r"}]`, "no such shape"},
		"no corrections":       {model, ``, "corrections.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "model"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "model", "ivs.json"), c.model)
			if c.corrections != "" {
				write(t, filepath.Join(dir, "corrections.json"), c.corrections)
			}
			_, err := Load(dir)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
