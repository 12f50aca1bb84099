package broadcast

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/ingest/flv"
	"github.com/rivus-live/rivus/internal/resource"
)

// wantUnfit checks that the publisher was ended for its media, and that everybody was told the same: the encoder, the
// operator in the session's record, and the world by the events. It returns what they were told.
func (r *rig) wantUnfit(t *testing.T, code string) string {
	t.Helper()
	r.owner.Wait()
	var told *ingest.Refusal
	if err := <-r.left; !errors.As(err, &told) || !told.Kind.IsMedia() || told.Text == "" {
		t.Fatalf("the encoder was told %v", err)
	}
	if want := Refused.String() + ": " + told.Text; r.ledger.final.session.EndReason != want {
		t.Errorf("the session says %q, want %q", r.ledger.final.session.EndReason, want)
	}
	want := []string{"Stream Failure " + told.Text, "Session Ended"}
	if code != "" {
		want = []string{"Session Ended " + code}
	}
	_, events := r.ledger.see()
	wantEvents(t, slices.DeleteFunc(events, func(name string) bool { return name == "Stream Start" || name == "Stream End" }), want...)
	if got := r.counters.unfit.Load(); got != 1 {
		t.Errorf("%d refusals counted", got)
	}
	return told.Text
}

// keyless leaves the keyframes out.
func keyless(messages []flv.Tag) []flv.Tag {
	return slices.DeleteFunc(messages, func(m flv.Tag) bool {
		return m.Type == flv.TypeVideo && m.Payload[0] == 0x17 && m.Payload[1] == 1
	})
}

// An encoder of whose media nothing can be shown is told what is missing and what came, after ten seconds of it.
func TestNothingToShow(t *testing.T) {
	t.Parallel()
	const silent, video = 25, 60_000
	tests := []struct {
		name     string
		messages []flv.Tag
		want     []string
		after    time.Duration
	}{
		{
			"audio alone", append([]flv.Tag{audioHeader(0)}, sounds(av(0, video, silent))...),
			[]string{"no video came", "In 10s came 0 video and 47", "audio (AAC)"},
			startPatience,
		},
		{
			"foreign audio alone",
			[]flv.Tag{foreignSound(0), foreignSound(5000), foreignSound(10_000)},
			[]string{"no video came", "3 audio (device-specific sound)"},
			startPatience,
		},
		{
			"no parameter sets", append([]flv.Tag{audioHeader(0)}, av(0, video, silent)...),
			[]string{"no H.264 parameter sets", "of no use; the last: media before its configuration"},
			startPatience,
		},
		{
			"no keyframe", append(headers(), keyless(av(0, video, silent))...),
			[]string{"no keyframe", "video (H.264 1280x720)"},
			startPatience,
		},
		{
			"nothing but headers",
			[]flv.Tag{videoHeader(0, 1280, 720), videoHeader(5000, 1280, 720), videoHeader(10_000, 1280, 720)},
			[]string{"no picture came"},
			startPatience,
		},
		{
			"time that stands still", append(headers(), still(90_000)...),
			[]string{"time in the stream hardly moves", "span 32ms"},
			playPatience,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, ingest.Priority{})
				start := time.Now()
				r.stream(t.Context(), tt.messages)
				text := r.wantUnfit(t, "")
				t.Log(text)
				for _, want := range tt.want {
					if !strings.Contains(text, want) {
						t.Errorf("told %q, want %q in it", text, want)
					}
				}
				if took := time.Since(start); took < tt.after || took > tt.after+time.Second {
					t.Errorf("told after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

// still makes pictures that come in time, all with one timestamp.
func still(length uint32) []flv.Tag {
	var out []flv.Tag
	for ms := uint32(0); ms < length; ms += 1000 {
		m := picture(0, 0, ms == 0)
		m.Arrived = time.Time{}
		out = append(out, m, message(flv.TypeData, ms, []byte{2, 0, 1, 'x'}))
	}
	return out
}

// A slow start is no failure: a keyframe that comes late but in time, and encoders that are slow to begin.
func TestSlowStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ingest.Priority{})
		time.Sleep(15 * time.Second) //nolint:forbidigo // synctest
		r.stream(t.Context(), append([]flv.Tag{audioHeader(0)}, sounds(av(0, 9000, 25))...))
		r.stream(t.Context(), append([]flv.Tag{videoHeader(0, 1280, 720)}, av(0, 9000, 225)...))
		if s, _ := r.ledger.see(); s.State != resource.Live {
			t.Errorf("state %s", s.State)
		}
		close(r.source.messages)
		r.owner.Wait()
	})
}

// A channel that asks for multitrack video takes no other, and one that does not takes no multitrack; events tell which.
func TestMultitrackPolicy(t *testing.T) {
	t.Parallel()
	second := message(flv.TypeVideo, 0, []byte("\x96\x00avc1\x01cfg"))
	plain := append(headers(), av(0, 4000, 50)...)
	several := append([]flv.Tag{videoHeader(0, 1280, 720), second}, av(0, 4000, 50)...)
	require, allow := resource.Multitrack{Enabled: true, Policy: "REQUIRE"}, resource.Multitrack{Enabled: true, Policy: "ALLOW"}
	tests := []struct {
		name     string
		channel  resource.Multitrack
		messages []flv.Tag
		code     string
		refused  bool
	}{
		{"required, one track", require, plain, "MultitrackInputRequired", true},
		{"required but disabled", resource.Multitrack{Policy: "REQUIRE"}, plain, "", false},
		{"allowed, one track", allow, plain, "", false},
		{"disabled, several tracks", resource.Multitrack{}, several, "MultitrackInputNotAllowed", true},
		{"allowed, several tracks", allow, several, "", true}, // not built yet, and said so
		{"required, several tracks", require, several, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newMultitrackRig(t, tt.channel)
				r.stream(t.Context(), tt.messages)
				if tt.refused {
					r.wantUnfit(t, tt.code)
					return
				}
				if s, _ := r.ledger.see(); s.State != resource.Live {
					t.Errorf("state %s", s.State)
				}
				close(r.source.messages)
				r.owner.Wait()
			})
		})
	}
}

// Tags of codecs that are not carried get a line in the log for each medium, however many come.
func TestForeignTagsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	in, c := newFLVIntake(hls.Options{LowLatency: true}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	messages := headers()
	for at := range uint32(100) {
		messages = append(messages, foreignSound(at*1000), foreignPicture(at*1000), picture(at*1000, 0, true),
			message(flv.TypeAudio, at*1000, []byte{0x90, 'O', 'p', 'u', 's', 0}))
	}
	for _, m := range messages {
		m.Arrived = epoch().Add(time.Duration(m.Timestamp) * time.Millisecond)
		if err := in.take(m); err != nil {
			t.Fatal(err)
		}
	}
	if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); len(lines) != 2 ||
		!strings.Contains(lines[0], "device-specific sound") || !strings.Contains(lines[1], "Sorenson H.263") {
		t.Errorf("log:\n%s", &log)
	}
	if a, v, d := c.foreignAudio.Load(), c.foreignVideo.Load(), c.drops.Load(); a != 200 || v != 100 || d != 0 {
		t.Errorf("counted %d audio, %d video, %d damaged; want 200, 100, 0", a, v, d)
	}
}

// Audio that turns into what is not carried is silent until it is carried again; a damaged configuration changes nothing.
func TestAudioThatChangesItsKind(t *testing.T) {
	t.Parallel()
	in, c := quietIntake(hls.Options{LowLatency: true})
	take := func(messages []flv.Tag, frames, drops, foreign int64) {
		t.Helper()
		before := [3]int64{c.frames.Load(), c.drops.Load(), c.foreignAudio.Load()}
		for _, m := range messages {
			if err := in.take(m); err != nil {
				t.Fatal(err)
			}
		}
		if f, d, x := c.frames.Load()-before[0], c.drops.Load()-before[1], c.foreignAudio.Load()-before[2]; f != frames || d != drops || x != foreign {
			t.Errorf("%d frames, %d dropped, %d foreign; want %d, %d, %d", f, d, x, frames, drops, foreign)
		}
	}
	heAAC, cut := []byte{0xAF, 0, 0x2B, 0x11, 0x88}, []byte{0xAF, 0, 0x11}
	take(append(headers(), picture(0, 0, true), sound(0)), 2, 0, 0)
	take([]flv.Tag{message(flv.TypeAudio, 21, heAAC), sound(21), picture(40, 0, false)}, 1, 1, 1)
	take([]flv.Tag{audioHeader(43), sound(43)}, 1, 0, 0)
	take([]flv.Tag{message(flv.TypeAudio, 64, cut), sound(64)}, 1, 1, 0)
}
