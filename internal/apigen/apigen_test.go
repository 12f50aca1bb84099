package apigen

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	if len(first) != 8 {
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
		{"sts", "arnType", "arn:aws:iam::111122223333:role/encoder\U0001F3A5"},
		{"events", "PathParameter", " a path"},
		{"events", "ResourceAssociationArn", "arn:aws:vpc-lattice:us-west-2:111122223333:servicenetworkresourceassociation/snra-0123456789abcdefg"},
		{"iam", "pathType", "/team/video/"},
	} {
		s := shapes[c.service][c.shape]
		if !regexp.MustCompile(`\A(?:` + s.Pattern + `)\z`).MatchString(c.text) {
			t.Errorf("%s %s: %s does not match %s", c.service, c.shape, c.text, s.Pattern)
		}
	}
	for _, service := range []string{"ivs", "ivs-realtime", "ivschat"} {
		s := shapes[service]["ResourceArn"]
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
	neighbour := strings.Replace(model, `"service":"ivs"`, `"service":"ivs","protocol":"query","apiVersion":"2000-01-01","xmlNamespace":"x"`, 1)
	for name, c := range map[string]struct{ model, corrections, want string }{
		"fine":                 {model, `[]`, ""},
		"fine query":           {neighbour, `[]`, ""},
		"no namespace":         {strings.Replace(neighbour, `"xmlNamespace":"x"`, `"xmlNamespace":""`, 1), `[]`, "protocol"},
		"unknown protocol":     {strings.Replace(model, `"service":"ivs"`, `"service":"ivs","protocol":"cbor"`, 1), `[]`, "protocol"},
		"no prefix":            {strings.Replace(model, `"service":"ivs"`, `"service":"ivs","protocol":"json","jsonVersion":"1.1"`, 1), `[]`, "protocol"},
		"a flattened list":     {strings.Replace(neighbour, `{"type":"string"`, `{"flattened":true,"type":"string"`, 1), `[]`, "flattened"},
		"a member elsewhere":   {strings.Replace(neighbour, `{"shape":"A"}`, `{"shape":"A","in":"uri"}`, 1), `[]`, "uri"},
		"a blob in JSON":       {strings.Replace(model, `"string"`, `"blob"`, 1), `[]`, "blob"},
		"a float in a form":    {strings.Replace(neighbour, `"string","pattern":"x"`, `"float"`, 1), `[]`, "float"},
		"a time of its own":    {strings.Replace(neighbour, `"string","pattern":"x"`, `"timestamp","timestampFormat":"unixTimestamp"`, 1), `[]`, "timestamp"},
		"odd result":           {strings.Replace(neighbour, `"input":"GetRequest"`, `"input":"GetRequest","output":"GetRequest","resultWrapper":"R"`, 1), `[]`, "around its output"},
		"no JSON":              {`x`, `[]`, "read contract"},
		"unknown type":         {strings.Replace(model, `"string"`, `"union"`, 1), `[]`, "unknown type"},
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
			write(t, filepath.Join(dir, "additions.json"), `[]`)
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

// TestAdditions: an addition is one until the published model has it.
func TestAdditions(t *testing.T) {
	t.Parallel()
	models, err := Load(filepath.Join(root, "api"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(models, func(m *Model) bool { return m.Service == "iam" })
	iam := models[i]
	// What Terraform calls to make, change and destroy users, roles and policies (spec errata.md A3).
	for _, name := range []string{
		"UpdateUser", "UpdateRole", "UpdateRoleDescription", "UpdateGroup", "UpdateAssumeRolePolicy", "ListSSHPublicKeys", "ListVirtualMFADevices",
		"ListMFADevices", "DeleteLoginProfile", "ListSigningCertificates", "ListServiceSpecificCredentials", "ListInstanceProfilesForRole",
		"ListGroupsForUser", "TagPolicy", "UntagPolicy", "ListPolicyTags",
	} {
		if iam.Operations[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	for _, c := range []struct {
		of   Addition
		want string
	}{
		{Addition{Model: "iam", Operations: map[string]*Operation{"GetUser": {}}, Reason: "r"}, "GetUser"},
		{Addition{Model: "iam", Shapes: map[string]*Shape{"User": {}}, Reason: "r"}, "User"},
		{Addition{Model: "iam"}, "no reason"},
		{Addition{Model: "s3", Reason: "r"}, "no such model"},
	} {
		if err := add(models, []Addition{c.of}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
