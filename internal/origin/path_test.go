package origin

import (
	"net/url"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
)

func TestParsePath(t *testing.T) {
	t.Parallel()
	name := "us-west-2.111122223333.channel.hT4kPz81QmXc"
	scope := arn.Scope{Region: "us-west-2", Account: "111122223333"}
	want := map[string]struct {
		target
		kind Kind
	}{
		Prefix + name + ".m3u8":                        {target{name: name, scope: scope, channelID: "hT4kPz81QmXc"}, Multivariant},
		Prefix + name + "/st-1/1080p60/index.m3u8":     {target{name, scope, "hT4kPz81QmXc", "", "st-1", "1080p60", "index.m3u8"}, Playlist},
		Prefix + name + "/st-1/1080p60/init1.mp4":      {target{name, scope, "hT4kPz81QmXc", "", "st-1", "1080p60", "init1.mp4"}, Init},
		Prefix + name + "/st-1/1080p60/seg4.m4s":       {target{name, scope, "hT4kPz81QmXc", "", "st-1", "1080p60", "seg4.m4s"}, Segment},
		Prefix + name + "/v/a_-9/st-1/1080p60/seg4.ts": {target{name, scope, "hT4kPz81QmXc", "a_-9", "st-1", "1080p60", "seg4.ts"}, Segment},
		Prefix + name + "/st-1/1080p60/seg4.0.ts":      {target{name, scope, "hT4kPz81QmXc", "", "st-1", "1080p60", "seg4.0.ts"}, Part},
	}
	for path, w := range want {
		got, ok := parsePath(path)
		if !ok || got != w.target || got.kind() != w.kind {
			t.Errorf("%s: %+v %v, %v", path, got, ok, got.kind())
		}
	}
}

// badPaths name nothing.
func badPaths() []string {
	name := Prefix + "us-west-2.111122223333.channel.hT4kPz81QmXc"
	return []string{
		"", "/", Prefix, "/api/video/v2/us-west-2.111122223333.channel.hT4kPz81QmXc.m3u8",
		name, name + "/", name + ".m3u8/", name + ".ts", name + ".M3U8",
		Prefix + "us-west-2.111122223333.stage.hT4kPz81QmXc.m3u8",
		Prefix + "US.111122223333.channel.hT4kPz81QmXc.m3u8",
		Prefix + ".111122223333.channel.hT4kPz81QmXc.m3u8",
		Prefix + "us-west-2.1111x.channel.hT4kPz81QmXc.m3u8",
		Prefix + "us-west-2.111122223333.channel..m3u8",
		Prefix + "us-west-2.111122223333.channel.a_b.m3u8",
		Prefix + "us-west-2.111122223333.channel." + strings.Repeat("a", 65) + ".m3u8",
		name + "/st-1", name + "/st-1/", name + "/st-1/1080p60", name + "/st-1/1080p60/",
		name + "/1/1080p60/index.m3u8", name + "/st-/1080p60/index.m3u8", name + "/st-1/../index.m3u8",
		name + "/st-1/1080p60/a/b", name + "/st-1/1080p60/a b", name + "/st-1/10%2F/x",
		name + "/st-1/1080p60/" + strings.Repeat("a", 600),
	}
}

func TestParsePathRefuses(t *testing.T) {
	t.Parallel()
	for _, path := range badPaths() {
		if got, ok := parsePath(path); ok {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// FuzzRequest sends any path and query to a channel on air: the path that is taken apart can be put together again, the
// answer is one that the counters know, and no answer repeats the query.
func FuzzRequest(f *testing.F) {
	for _, path := range badPaths() {
		f.Add(path, "")
	}
	f.Add(testMain, "token=a.b.c&player_version=1&allow_audio_only=true")
	f.Add(testIndex, "v=0123456789abcdef01234567&_HLS_skip=YES")
	f.Add(testIndex, "_HLS_msn=2&_HLS_part=1")
	f.Add(testIndex, "_HLS_msn=-1;_HLS_part=99999999999999999999&%zz")
	f.Add(testBelow+"seg1.3.m4s", "x")
	f.Add(strings.Replace(testIndex, "/st-", "/v/AAAA/st-", 1), "x")
	f.Add(testMain, "status&token=a.b.c")
	e := newEncoder(f, "FRAGMENTED_MP4", true)
	e.feed(f, 5e9)
	e.End() // so that nothing waits
	h := newHandler(onAir(e))
	f.Fuzz(func(t *testing.T, path, query string) {
		u := &url.URL{Path: path, RawQuery: query}
		if got, ok := parsePath(path); ok {
			again := Prefix + got.name
			if got.file == "" {
				again += ".m3u8"
			} else {
				if got.pass != "" {
					again += "/v/" + got.pass
				}
				again += "/" + got.streamID + "/" + got.rendition + "/" + got.file
			}
			if again != path {
				t.Fatalf("%q is taken for %q", path, again)
			}
		}
		w := ask(t, h, u)
		for _, c := range h.Stats().Requests {
			if c.Status == 0 {
				t.Fatalf("%q %q: status %d is not known", path, query, w.Code)
			}
		}
	})
}
