package broadcast

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/ingest/flv"
)

func quietIntake(o hls.Options) (*flvIntake, *counters) {
	return newFLVIntake(o, nil, slog.New(slog.DiscardHandler))
}

// Whatever an encoder sends: the intake survives, refuses with words, or counts every message as a frame, a drop or
// neither; and what was playable stays playable.
func FuzzIntake(f *testing.F) {
	pack := func(messages []flv.Tag) []byte {
		var b []byte
		for _, m := range messages {
			b = append(b, m.Type)
			b = binary.BigEndian.AppendUint32(b, m.Timestamp)
			b = binary.BigEndian.AppendUint16(b, uint16(len(m.Payload)))
			b = append(b, m.Payload...)
		}
		return b
	}
	f.Add(pack(append(headers(), av(0, 3000, 25)...)))
	f.Add(pack(join(headers(), av(0, 1000, 25), []flv.Tag{videoHeader(1000, 640, 352)}, av(1000, 3000, 25))))
	f.Add(pack(join([]flv.Tag{foreignSound(0)}, headers(), []flv.Tag{foreignPicture(0)}, av(0, 1000, 25))))
	f.Add(pack(byteStream(av(0, 1000, 25))))
	f.Add(pack([]flv.Tag{script(0, "onMetaData"), script(0, "onTextData", "x"), audioHeader(0), sound(0)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, c := quietIntake(hls.Options{LowLatency: true})
		taken := int64(0)
		for len(data) >= 7 {
			n := min(int(binary.BigEndian.Uint16(data[5:])), len(data)-7)
			m := flv.Tag{Type: data[0], Timestamp: binary.BigEndian.Uint32(data[1:]), Payload: data[7 : 7+n : 7+n], Arrived: time.Unix(0, taken)}
			data = data[7+n:]
			taken++
			before := in.packager.Snapshot().Ready()
			if err := in.take(m); err != nil {
				var r *ingest.Refusal
				if !errors.As(err, &r) || r.Text == "" {
					t.Fatalf("refused without words: %v", err)
				}
				break
			}
			if in.playable(time.Now, m.Arrived); before && !in.packager.Snapshot().Ready() {
				t.Fatal("not playable any more")
			}
		}
		in.packager.End()
		if f, d := c.frames.Load(), c.drops.Load()+c.foreignAudio.Load()+c.foreignVideo.Load(); f+d > taken {
			t.Fatalf("%d messages became %d frames and %d drops", taken, f, d)
		}
	})
}

// One message of a 1080p30 stream at 4 Mbit/s from socket to part, 30 pictures and 47 audio frames a second.
func BenchmarkMessage(b *testing.B) {
	for name, o := range map[string]hls.Options{
		"fmp4": {Container: "FRAGMENTED_MP4", LowLatency: true}, "ts": {Container: "TS", LowLatency: true},
	} {
		b.Run(name, func(b *testing.B) {
			in, _ := quietIntake(o)
			body := make([]byte, 16_000)
			for _, m := range headers() {
				if err := in.take(m); err != nil {
					b.Fatal(err)
				}
			}
			media := av(0, 2000, 50)
			for i, m := range media {
				if m.Type == flv.TypeVideo {
					m.Payload = append(m.Payload[:10:10], body...)
					binary.BigEndian.PutUint32(m.Payload[5:], uint32(len(body)+1))
					media[i] = m
				}
			}
			now := time.Now()
			b.ReportAllocs()
			i := uint32(0)
			for b.Loop() {
				m := media[int(i)%len(media)]
				m.Timestamp += i / uint32(len(media)) * 2000
				m.Arrived = now.Add(time.Duration(m.Timestamp) * time.Millisecond)
				if err := in.take(m); err != nil {
					b.Fatal(err)
				}
				in.playable(time.Now, m.Arrived)
				i++
			}
		})
	}
}

// An encoder whose time jumps with every message costs a few lines of log, not one for each.
func TestJumpsDoNotFloodTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	in, _ := newFLVIntake(hls.Options{LowLatency: true}, nil, slog.New(slog.NewTextHandler(&log, nil)))
	now := epoch()
	for _, m := range headers() {
		if err := in.take(m); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint32(1000) {
		m := picture(i%2*10_000_000, 0, i%10 == 0)
		now = now.Add(33 * time.Millisecond)
		m.Arrived = now
		if err := in.take(m); err != nil {
			t.Fatal(err)
		}
	}
	if lines := bytes.Count(log.Bytes(), []byte("\n")); lines == 0 || lines > 8 {
		t.Errorf("%d lines in 33 s", lines)
	}
}

// An encoder that stops the time is told so before it has filled the memory.
func TestTimeThatStandsStill(t *testing.T) {
	t.Parallel()
	in, _ := quietIntake(hls.Options{LowLatency: true, MaxBytes: 4 << 20})
	for _, m := range headers() {
		if err := in.take(m); err != nil {
			t.Fatal(err)
		}
	}
	for range 100_000 {
		err := in.take(picture(5, 0, true))
		var r *ingest.Refusal
		if errors.As(err, &r) && r.Kind == ingest.TooMuch {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("taken for ever")
}
