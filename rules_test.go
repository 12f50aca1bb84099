// Package rivus_test holds the rules of the house: which package may import which, and that each one says what it is.
package rivus_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rivus-live/rivus"

// layers lists every package below internal/ by layer. A package may import its own layer and those below it:
// words <- state <- {control | media} <- app. Control and media never import each other.
var layers = map[string][]string{ //nolint:gochecknoglobals // a constant table
	"words": {
		"arn", "eventinput", "eventpattern", "fault", "policy", "publicurl", "quota", "resource", "seal", "sigv4", "strangers", "weborigin", "apigen",
		"media", "media/aac", "media/amf0", "media/flv", "media/h264", "media/id3", "media/mediatest", "media/mp4", "media/mpegts", "media/timeline",
	},
	"state":   {"natsd", "natsd/natsdtest", "natsd/streamfile", "store", "cluster", "records", "event", "egress", "delivery", "notification", "token"},
	"control": {"access", "audit", "awsapi", "awsapi/queryxml", "awsapi/restjson", "tagging", "accesskey", "ivs", "ivsrealtime", "ivschat", "sts", "iam", "eventbridge", "sns"},
	"media":   {"rtmp", "rtmp/chunk", "rtmp/rtmptest", "ingest", "ingest/flv", "ingest/rtmpsource", "hls", "broadcast", "geoip", "admission", "origin", "origin/playhttp", "rtc", "rtc/burst", "rtc/ice", "rtc/reception", "rtc/rtctest", "rtc/transport", "whip", "stage", "stage/bwe", "stage/forward", "stage/packetring", "wsock"},
	"app":     {"app", "apptest", "config", "console", "demo", "hlscheck", "whipcheck"},
}

var below = map[string][]string{ //nolint:gochecknoglobals // a constant table
	"words":   {"words"},
	"state":   {"words", "state"},
	"control": {"words", "state", "control"},
	"media":   {"words", "state", "media"},
	"app":     {"words", "state", "control", "media", "app"},
}

// only says who may import what, each with its reason. A key is an import path or the beginning of one.
var only = []struct { //nolint:gochecknoglobals // a constant table
	prefix string
	users  []string
	reason string
}{
	{"github.com/nats-io/", []string{"natsd", "natsd/natsdtest", "store", "cluster", "event"}, "state is the only layer that touches NATS"},
	{"github.com/bluenviron/mediacommon", []string{"media/h264", "media/aac", "media/mediatest", "hlscheck"}, "codec knowledge sits in one place; the checker shares none of it"},
	{"github.com/minio/highwayhash", []string{"natsd/streamfile"}, "the engine's file format is known in one place"},
	{"github.com/aws/", []string{"apptest"}, "the server signs and verifies by itself; SDK clients are for tests"},
	{"github.com/pion/webrtc", []string{"rtc/rtctest", "whipcheck"}, "the server's transport is its own; stock WebRTC is what clients are made of, in tests and in the checker"},
	{"github.com/pion/ice", []string{"rtc/rtctest"}, "the server answers checks by itself"},
	{"github.com/pion/interceptor", []string{"rtc/rtctest"}, "the server reports and retransmits by itself"},
	{"github.com/pion/", []string{"rtc", "rtc/rtctest", "rtc/transport", "whipcheck", "stage"}, "DTLS, SRTP and SDP stay where connections are made; the stage writes reports"},
	{"github.com/golang-jwt/", []string{"token"}, "tokens are minted and verified in one place"},
	{"github.com/oschwald/maxminddb-golang", []string{"geoip"}, "whoever asks for a country does not know where it comes from"},
	{"github.com/coder/websocket", []string{"wsock"}, "sockets are run in one place, whatever is said on them"},
	{"github.com/alecthomas/kong", []string{"config"}, "settings stop at the door"},
	{"github.com/prometheus/", []string{"app"}, "parts report plain figures; app exposes them"},
	{module + "/internal/config", []string{"app", "apptest", "demo"}, "every other part receives its own options"},
	{module + "/internal/awsapi", []string{"access", "awsapi", "awsapi/queryxml", "awsapi/restjson", "tagging", "accesskey", "ivs", "ivsrealtime", "ivschat", "sts", "iam", "eventbridge", "sns", "audit", "app"}, "wire errors and routes are known to the API front alone"},
	{module + "/internal/rtmp", []string{"rtmp", "rtmp/chunk", "rtmp/rtmptest", "ingest/rtmpsource", "app", "apptest"}, "who carries media does not know where it comes from: RTMP is one of many sources"},
	{module + "/internal/ingest/", []string{"ingest/rtmpsource", "app"}, "a source of one protocol is known to its adapter and to the wiring alone"},
	{module + "/internal/media/flv", []string{"ingest/flv"}, "the headers of FLV end where an encoder's messages become frames"},
	{module + "/internal/media/amf0", []string{"media/flv", "ingest/flv", "rtmp", "rtmp/rtmptest"}, "as do the values of script data"},
	{module + "/internal/broadcast", []string{"broadcast", "app"}, "delivery does not know who packages"},
	{module + "/internal/app", []string{"app", "apptest", "demo"}, "wiring is the top"},
	{"os/exec", []string{"apptest", "demo", "media/mediatest"}, "the server starts no process of its own yet"},
	{"unsafe", []string{"rtc/burst"}, "system calls for many datagrams at once take addresses of memory; nothing else needs it"},
}

type listed struct {
	ImportPath, Name, Doc, Dir string
	Imports                    []string
	GoFiles                    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Doc,Dir,Imports,GoFiles", "./...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []listed
	for dec := json.NewDecoder(out); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 { // test-only packages obey no layer
			all = append(all, p)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

func layerOf(name string) string {
	for layer, names := range layers {
		if slices.Contains(names, name) {
			return layer
		}
	}
	return ""
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name, internal := strings.CutPrefix(p.ImportPath, module+"/internal/")
		if !internal {
			continue
		}
		layer := layerOf(name)
		if layer == "" {
			t.Errorf("%s is in no layer: add it to the table", name)
			continue
		}
		for _, imp := range p.Imports {
			if dep, ok := strings.CutPrefix(imp, module+"/internal/"); ok && !slices.Contains(below[layer], layerOf(dep)) {
				t.Errorf("%s (%s) imports %s (%s)", name, layer, dep, layerOf(dep))
			}
			for _, rule := range only {
				under := imp == rule.prefix || strings.HasPrefix(imp, strings.TrimSuffix(rule.prefix, "/")+"/")
				if under && !slices.Contains(rule.users, name) {
					t.Errorf("%s imports %s, but %s", name, imp, rule.reason)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		want := "Package " + path.Base(p.ImportPath) + " "
		if p.Name == "main" {
			want = "Command " + path.Base(p.ImportPath) + " "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: its doc comment starts with %q, want %q", p.ImportPath, p.Doc, want)
		}
	}
}

// everything is what the wiring says of its imports: the list would be that of the packages.
const everything = "everything below it"

// TestImportsAreTold: the last line of a package's doc comment names what it imports of Rivus, in order, and behind a
// semicolon what else a reader should know of.
func TestImportsAreTold(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		var want []string
		for _, imp := range p.Imports {
			if dep, ok := strings.CutPrefix(imp, module+"/"); ok {
				want = append(want, strings.TrimPrefix(dep, "internal/"))
			}
		}
		slices.Sort(want)
		told := toldImports(t, p)
		if strings.HasPrefix(p.ImportPath, module+"/test/") && told == "" && len(want) == 0 {
			continue // there are tests only
		}
		text := "nothing of Rivus"
		if len(want) > 0 {
			text = strings.Join(want, ", ")
		}
		if told != text && (told != everything || layerOf(strings.TrimPrefix(p.ImportPath, module+"/internal/")) != "app") {
			t.Errorf("%s says that it imports %q, and it imports %s", p.ImportPath, told, text)
		}
	}
}

// toldImports returns what a package says that it imports of Rivus, "" when it says nothing.
func toldImports(t *testing.T, p listed) string {
	t.Helper()
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if _, line, ok := strings.Cut(file.Doc.Text(), "\nImports: "); ok {
			line, _, _ = strings.Cut(strings.Join(strings.Fields(line), " "), ";")
			return strings.TrimSuffix(line, ".")
		}
	}
	return ""
}

// TestWordsDoNothing: the lowest layer computes. What it says about addresses, requests and files it is told by others.
func TestWordsDoNothing(t *testing.T) {
	t.Parallel()
	forbidden := []string{"os", "os/exec", "os/signal", "syscall", "database/sql", "golang.org/x/sys/unix", "golang.org/x/net/ipv4"}
	for _, p := range packages(t) {
		name, internal := strings.CutPrefix(p.ImportPath, module+"/internal/")
		if !internal || layerOf(name) != "words" || slices.Contains(doers, name) {
			continue
		}
		for _, imp := range p.Imports {
			if slices.Contains(forbidden, imp) {
				t.Errorf("%s imports %s, and it is of the layer that does no I/O", name, imp)
			}
		}
	}
}

// doers are of the lowest layer for their imports, and do I/O: a generator, and what makes media for tests.
var doers = []string{"apigen", "media/mediatest"} //nolint:gochecknoglobals // a constant table

// TestDependenciesAreExplained: DEPENDENCIES.md has a row for every module that is required directly, and none for another.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("DEPENDENCIES.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	words := strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune(" |,()\n", r) })
	var direct []string
	for _, r := range mod.Require {
		if r.Indirect {
			continue
		}
		direct = append(direct, r.Path)
		if !slices.ContainsFunc(words, func(w string) bool { return w == r.Path || strings.HasSuffix(r.Path, "/"+w) }) {
			t.Errorf("%s has no row", r.Path)
		}
	}
	for _, w := range words {
		if (strings.HasPrefix(w, "github.com/") || strings.HasPrefix(w, "golang.org/")) && !slices.Contains(direct, w) {
			t.Errorf("%s has a row and is not required directly", w)
		}
	}
}
