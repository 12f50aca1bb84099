// Package rivus_test holds the rules of the house: which package may import which, and that each one says what it is.
package rivus_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rivus-live/rivus"

// layers lists every package below internal/ by layer. A package may import its own layer and those below it:
// words <- state <- {control | media} <- app. Control and media never import each other.
var layers = map[string][]string{ //nolint:gochecknoglobals // a constant table
	"words": {
		"arn", "fault", "publicurl", "quota", "resource", "sigv4", "strangers", "apigen",
		"media", "media/aac", "media/amf0", "media/flv", "media/h264", "media/id3", "media/mediatest", "media/mp4", "media/mpegts", "media/timeline",
	},
	"state":   {"natsd", "natsd/natsdtest", "natsd/streamfile", "store", "cluster", "event", "token"},
	"control": {"awsapi", "awsapi/queryxml", "awsapi/restjson", "tagging", "ivs", "ivsrealtime", "ivschat", "sts"},
	"media":   {"rtmp", "rtmp/chunk", "rtmp/rtmptest", "ingest", "ingest/flv", "ingest/rtmpsource", "hls", "broadcast", "origin", "origin/playhttp", "rtc", "rtc/burst", "rtc/ice", "rtc/reception", "rtc/rtctest", "rtc/transport", "whip", "stage", "stage/bwe", "stage/forward", "stage/packetring", "wsock"},
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
	{"github.com/coder/websocket", []string{"wsock"}, "sockets are run in one place, whatever is said on them"},
	{"github.com/alecthomas/kong", []string{"config"}, "settings stop at the door"},
	{"github.com/prometheus/", []string{"app"}, "parts report plain figures; app exposes them"},
	{module + "/internal/config", []string{"app", "apptest", "demo"}, "every other part receives its own options"},
	{module + "/internal/awsapi", []string{"awsapi", "awsapi/queryxml", "awsapi/restjson", "tagging", "ivs", "ivsrealtime", "ivschat", "sts", "app"}, "wire errors and routes are known to the API front alone"},
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
	ImportPath, Name, Doc string
	Imports               []string
	GoFiles               []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Doc,Imports,GoFiles", "./...")
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
