package rtmp_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/rivus-live/rivus/internal/media/flv"
	"github.com/rivus-live/rivus/internal/rtmp"
)

// ffmpeg publishes a second of a test picture and a tone, and returns what it said.
func ffmpeg(t *testing.T, target string, more ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args := []string{
		"-hide_banner", "-loglevel", "error",
		"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=1",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "15", "-c:a", "aac", "-ac", "2",
	}
	args = append(append(args, more...), "-f", "flv", target)
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return string(out), err
}

// checkMedia holds that a publication carries what FFmpeg made: headers first, 30 pictures and a second of sound.
func checkMedia(t *testing.T, got *received) {
	t.Helper()
	var headers, pictures, keys, sounds, scripts int
	for _, m := range got.messages {
		switch m.Type {
		case rtmp.TypeVideo:
			v, err := flv.ParseVideo(m.Payload)
			if err != nil {
				t.Fatal(err)
			}
			switch v.Kind {
			case flv.SequenceHeader:
				headers++
			case flv.NALUs:
				pictures++
				if v.FrameType == flv.KeyFrame {
					keys++
				}
			case flv.Other, flv.Raw, flv.EndOfSequence:
			}
		case rtmp.TypeAudio:
			a, err := flv.ParseAudio(m.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if a.Kind == flv.SequenceHeader {
				headers++
			} else {
				sounds++
			}
		case rtmp.TypeData:
			s, err := flv.ParseScript(m.Payload)
			if err != nil {
				t.Fatal(err)
			}
			if w, _ := s.Properties().Get("width"); s.Name == "onMetaData" && w == 320.0 {
				scripts++
			}
		}
	}
	if headers != 2 || pictures != 30 || keys != 2 || sounds < 46 || sounds > 49 || scripts != 1 {
		t.Errorf("%d headers, %d pictures, %d key frames, %d sounds, %d scripts", headers, pictures, keys, sounds, scripts)
	}
	if !errors.Is(got.err, io.EOF) {
		t.Errorf("ended with %v", got.err)
	}
}

func TestFFmpeg(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: h}, nil)
	if out, err := ffmpeg(t, s.url("app/"+goodKey)); err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
	got := h.wait(t)
	checkMedia(t, got)
	if got.App != "app" || got.FlashVersion == "" {
		t.Errorf("published %+v", got)
	}
}

// TestFFmpegLateTimestamps sends times that need the extended form from the first message on.
func TestFFmpegLateTimestamps(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: h}, nil)
	out, err := ffmpeg(t, s.url("app/"+goodKey), "-output_ts_offset", "16776.9") // crosses 0xFFFFFF ms = 16777.215 s
	if err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
	got := h.wait(t)
	checkMedia(t, got)
	if last := got.messages[len(got.messages)-1].Timestamp; last <= 0xFFFFFF {
		t.Errorf("last time is %d", last)
	}
}

func TestFFmpegSecure(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: h}, selfSigned(t))
	if out, err := ffmpeg(t, "rtmps://"+s.addr+"/app/"+goodKey); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := h.wait(t)
	checkMedia(t, got)
	if !got.Secure {
		t.Error("is not marked secure")
	}
}

func TestFFmpegIsToldWhy(t *testing.T) {
	t.Parallel()
	s := start(t, rtmp.Options{Handler: newRecorder()}, nil)
	if out, err := ffmpeg(t, s.url("app/sk_wrong")); err == nil || !strings.Contains(out, "no such stream key") {
		t.Errorf("wrong key: %v\n%s", err, out)
	}
	h := newRecorder()
	h.took = refuseUnsupported
	s = start(t, rtmp.Options{Handler: h}, nil)
	// It has so little to send that it may be done before it hears.
	if out, err := ffmpeg(t, s.url("app/"+goodKey), "-c:a", "libmp3lame", "-ar", "44100"); err != nil && !strings.Contains(out, "MP3") {
		t.Errorf("%v\n%s", err, out)
	}
	if got := h.wait(t); !strings.Contains(got.err.Error(), "MP3") {
		t.Errorf("ended with %v", got.err)
	}
}

// refuseUnsupported ends a publication at the first message that flv does not carry.
func refuseUnsupported(_ *rtmp.Publication, m rtmp.Message) error {
	var err error
	switch m.Type {
	case rtmp.TypeVideo:
		_, err = flv.ParseVideo(m.Payload)
	case rtmp.TypeAudio:
		_, err = flv.ParseAudio(m.Payload)
	}
	if err != nil {
		return &rtmp.Rejection{Code: rtmp.CodeRejected, Description: err.Error()}
	}
	return nil
}

// stranger publishes with a client that shares no code with the server.
func stranger(t *testing.T, s *running, tracks ...*gortmplib.Track) (*gortmplib.Client, *gortmplib.Writer, error) {
	t.Helper()
	u, err := url.Parse(s.url("app") + "#" + goodKey)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := &gortmplib.Client{URL: u, Publish: true}
	if err := c.Initialize(ctx); err != nil {
		return nil, nil, err
	}
	t.Cleanup(c.Close)
	w := &gortmplib.Writer{Conn: c, Tracks: tracks}
	return c, w, w.Initialize()
}

func h264Track() *gortmplib.Track {
	return &gortmplib.Track{Codec: &codecs.H264{
		SPS: []byte{
			0x67, 0x64, 0x00, 0x0c, 0xac, 0x3b, 0x50, 0xb0, 0x4b, 0x42, 0x00, 0x00, 0x03, 0x00, 0x02, 0x00,
			0x00, 0x03, 0x00, 0x3d, 0x08,
		},
		PPS: []byte{0x68, 0xee, 0x3c, 0x80},
	}}
}

func aacTrack() *gortmplib.Track {
	return &gortmplib.Track{Codec: &codecs.MPEG4Audio{Config: &mpeg4audio.AudioSpecificConfig{
		Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48000, ChannelConfig: 2, ChannelCount: 2,
	}}}
}

func TestStranger(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	arrived := make(chan struct{}, 100)
	h.took = func(_ *rtmp.Publication, m rtmp.Message) error {
		if m.Type == rtmp.TypeVideo {
			arrived <- struct{}{}
		}
		return nil
	}
	s := start(t, rtmp.Options{Handler: h}, nil)
	video, audio := h264Track(), aacTrack()
	c, w, err := stranger(t, s, video, audio)
	if err != nil {
		t.Fatal(err)
	}
	idr := append([]byte{byte(h264.NALUTypeIDR)}, bytes.Repeat([]byte{7}, 300_000)...)
	send(t,
		w.WriteH264(video, 0, 0, [][]byte{idr}),
		w.WriteMPEG4Audio(audio, 0, []byte("sound")),
		w.WriteH264(video, 99*time.Millisecond, 33*time.Millisecond, [][]byte{{1, 2, 3}}),
	)
	for range 30 { // more than a window without an acknowledgement is an error for this client
		send(t, w.WriteH264(video, 200*time.Millisecond, 200*time.Millisecond, [][]byte{idr}))
	}
	for range 33 { // it closes with our acknowledgements unread, which takes back what is still on its way
		select {
		case <-arrived:
		case <-time.After(patience):
			t.Fatal("pictures are missing")
		}
	}
	c.Close()
	got := h.wait(t)
	var units, offset int
	for _, m := range got.messages {
		if m.Type != rtmp.TypeVideo {
			continue
		}
		v, err := flv.ParseVideo(m.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if v.Kind == flv.NALUs {
			units++
			offset = max(offset, int(v.CompositionTime))
		}
	}
	if units != 32 || offset != 66 {
		t.Errorf("%d access units, largest offset %d ms, then %v", units, offset, got.err)
	}
}

// TestStrangerUnsupported holds that what is not carried is refused with its name, in both header forms.
func TestStrangerUnsupported(t *testing.T) {
	t.Parallel()
	for name, tracks := range map[string][]*gortmplib.Track{
		"HEVC":       {{Codec: &codecs.H265{}}},
		"VP9":        {{Codec: &codecs.VP9{}}, aacTrack()},
		"multitrack": {h264Track(), h264Track(), aacTrack()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRecorder()
			h.took = refuseUnsupported
			s := start(t, rtmp.Options{Handler: h}, nil)
			c, _, err := stranger(t, s, tracks...)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.NetConn().SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			told := ""
			for {
				m, err := c.Read()
				if err != nil {
					break
				}
				told += describe(m)
			}
			got := h.wait(t)
			if !strings.Contains(got.err.Error(), name) || !strings.Contains(told, name) {
				t.Errorf("ended with %v; the encoder was told %q", got.err, told)
			}
		})
	}
}
