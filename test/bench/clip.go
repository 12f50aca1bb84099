package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/media/flv"
)

// The clip: what the peers of the budgets were measured with. In 8 s both tracks have a whole number of frames (240
// pictures, 375 AAC frames at 48 kHz), so that it can be repeated without a seam.
const (
	clipLength = 8 * time.Second
	clipName   = "1080p30 H.264 (x264 ultrafast, 2 B-frames, GOP 2 s) at 4 Mbit/s, AAC 48 kHz at 128 kbit/s"
)

// makeClip has ffmpeg make the clip, once a run.
func (b *bench) makeClip(ctx context.Context) error {
	if b.clip != "" {
		return nil
	}
	b.progress("making the clip")
	path := filepath.Join(b.dir, "clip.flv")
	seconds := fmt.Sprint(clipLength.Seconds())
	cmd := exec.CommandContext(ctx, "ffmpeg", "-hide_banner", "-nostats", "-loglevel", "error", "-y",
		"-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p", "-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M",
		"-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-t", seconds, "-f", "flv", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the clip: %w\n%s", err, out)
	}
	b.clip = path
	return nil
}

// clip is a recording that publishers repeat. They share it and do not change it.
type clip struct {
	video, audio []byte // sequence headers, as message bodies
	messages     []message
}

// message is the body of an audio or video message.
type message struct {
	at    time.Duration // decode time since the clip's beginning
	audio bool
	body  []byte
	stamp int // video: where the time goes in body
}

// loadClip reads a clip from an FLV file.
func loadClip(path string) (*clip, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseClip(file, clipLength)
}

var errTruncated = errors.New("clip: FLV file is cut short")

// parseClip reads the first length of an FLV file (FLV 10.1, E.2 to E.4) with AVC and AAC. Each track's first frame is
// at 0.
func parseClip(file []byte, length time.Duration) (*clip, error) {
	const header, tagHeader, trailer = 9, 11, 4
	if len(file) < header || !bytes.HasPrefix(file, []byte("FLV\x01")) {
		return nil, errors.New("clip: not an FLV file")
	}
	c := &clip{}
	var first [2]time.Duration // of video and audio
	var seen [2]bool
	rest := file[header:]
	for len(rest) > trailer {
		rest = rest[trailer:] // size of the tag before
		if len(rest) < tagHeader {
			return nil, errTruncated
		}
		size := int(binary.BigEndian.Uint32(rest) & 0xFFFFFF)
		stamp := binary.BigEndian.Uint32(rest[4:])>>8 | uint32(rest[7])<<24
		kind, body := rest[0], rest[tagHeader:]
		if len(body) < size {
			return nil, errTruncated
		}
		body, rest = body[:size], body[size:]
		m, err := c.read(kind, body)
		if err != nil {
			return nil, err
		}
		if m.body == nil {
			continue
		}
		track := 0
		if m.audio {
			track = 1
		}
		at := time.Duration(stamp) * time.Millisecond
		if !seen[track] {
			seen[track], first[track] = true, at
		}
		if m.at = at - first[track]; m.at < length {
			c.messages = append(c.messages, m)
		}
	}
	if !seen[0] || !seen[1] || c.video == nil || c.audio == nil {
		return nil, errors.New("clip: not both H.264 and AAC")
	}
	slices.SortStableFunc(c.messages, func(a, b message) int { return cmp.Compare(a.at, b.at) })
	return c, nil
}

// read takes one tag. It returns a message without a body for what publishers do not repeat.
func (c *clip) read(kind byte, body []byte) (message, error) {
	switch kind {
	case 8:
		t, err := flv.ParseAudio(body)
		switch {
		case err != nil:
			return message{}, fmt.Errorf("clip: %w", err)
		case t.Kind == flv.SequenceHeader:
			c.audio = body
		case t.Kind == flv.Raw:
			return message{audio: true, body: body}, nil
		}
	case 9:
		t, err := flv.ParseVideo(body)
		switch {
		case err != nil:
			return message{}, fmt.Errorf("clip: %w", err)
		case t.Kind == flv.SequenceHeader:
			c.video = body
		case t.Kind == flv.NALUs:
			stamped, at := withStamp(body, len(body)-len(t.Payload))
			return message{body: stamped, stamp: at}, nil
		}
	}
	return message{}, nil
}
