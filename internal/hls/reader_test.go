package hls

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// onDemand serves a packager whose encoder is as fast as its only viewer: a request for what is not there yet writes
// frames until it is.
type onDemand struct {
	mu     sync.Mutex
	p      *Packager
	frames []media.Frame
}

// until writes frames until a condition holds.
func (o *onDemand) until(ok func(ctx context.Context) bool) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // ask, do not wait
	for !ok(ctx) {
		if len(o.frames) == 0 || o.p.Write(o.frames[0]) != nil {
			return false
		}
		o.frames = o.frames[1:]
	}
	return true
}

func (o *onDemand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch name := strings.TrimPrefix(r.URL.Path, "/"); name {
	case "multivariant.m3u8":
		o.until(func(context.Context) bool { return o.p.Snapshot().LastMSN() > 3 })
		v := Presentation{}
		v.AddVariant("source", o.p.Live)
		w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
		_, _ = w.Write(v.Multivariant(func(Variant) string { return "index.m3u8" }, SessionData{}))
	case "index.m3u8":
		o.playlist(w, r)
	default:
		var file Resource
		var err error
		if !o.until(func(ctx context.Context) bool {
			file, err = o.p.Resource(ctx, name)
			return err == nil
		}) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", file.ContentType)
		for _, b := range file.Data {
			_, _ = w.Write(b)
		}
	}
}

func (o *onDemand) playlist(w http.ResponseWriter, r *http.Request) {
	reload, err := ParseReload(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if reload.MSN < 0 { // a viewer that polls comes again after a while
		reload.MSN, reload.Part = o.p.Snapshot().lastComplete()+1, -1
	}
	var s *Snapshot
	o.until(func(ctx context.Context) bool {
		s, err = o.p.Await(ctx, reload.MSN, reload.Part)
		return err == nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
	_, _ = w.Write(s.Playlist(reload.Skip).Plain())
}

// TestForeignReader plays with somebody else's client.
func TestForeignReader(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]Options{
		"fmp4 low":    {Container: resource.ContainerFMP4, LowLatency: true},
		"fmp4 normal": {Container: resource.ContainerFMP4},
		"ts low":      {Container: resource.ContainerTS, LowLatency: true},
		"ts normal":   {Container: resource.ContainerTS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frames := pattern{length: 60 * time.Second, fps: 30, gop: 2 * time.Second, reorder: 2, audio: audioTrack(t)}.build(t)
			server := httptest.NewServer(&onDemand{p: NewPackager(opts), frames: frames})
			t.Cleanup(server.Close)
			parts := play30(t, server.URL+"/multivariant.m3u8")
			if (parts > 0) != opts.LowLatency {
				t.Errorf("%d parts were loaded", parts)
			}
		})
	}
}

// play30 plays until thirty pictures and thirty sounds have come and returns how many parts were loaded.
func play30(t *testing.T, url string) int {
	t.Helper()
	var mu sync.Mutex
	var parts, pictures, sounds int
	var last int64
	enough := make(chan struct{})
	count := func(n *int) {
		mu.Lock()
		defer mu.Unlock()
		if *n++; pictures >= 30 && sounds >= 30 && *n == 30 {
			close(enough)
		}
	}
	var c *gohlslib.Client
	c = &gohlslib.Client{
		URI:                       url,
		HTTPClient:                &http.Client{},
		OnDownloadPart:            func(string) { mu.Lock(); parts++; mu.Unlock() },
		OnRequest:                 func(*http.Request) {},
		OnDownloadPrimaryPlaylist: func(string) {},
		OnDownloadStreamPlaylist:  func(string) {},
		OnDownloadSegment:         func(string) {},
		OnDecodeError:             func(err error) { t.Errorf("decoding: %v", err) },
		OnTracks: func(tracks []*gohlslib.Track) error {
			if len(tracks) != 2 {
				t.Errorf("%d tracks", len(tracks))
			}
			for _, track := range tracks {
				switch track.Codec.(type) {
				case *codecs.H264:
					c.OnDataH26x(track, func(_, dts int64, au [][]byte) {
						if len(au) == 0 || dts <= last && last != 0 {
							t.Errorf("%d units at %d after %d", len(au), dts, last)
						}
						last = dts
						count(&pictures)
					})
				case *codecs.MPEG4Audio:
					c.OnDataMPEG4Audio(track, func(_ int64, aus [][]byte) {
						for range aus {
							count(&sounds)
						}
					})
				default:
					t.Errorf("a track of %T", track.Codec)
				}
			}
			return nil
		},
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait2() }()
	select {
	case <-enough:
		c.Close()
		<-ended
	case err := <-ended:
		t.Errorf("the client gave up: %v", err)
	case <-time.After(time.Minute):
		t.Error("the client does not play")
		c.Close()
		<-ended
	}
	mu.Lock()
	defer mu.Unlock()
	return parts
}
