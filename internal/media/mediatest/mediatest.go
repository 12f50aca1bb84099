// Package mediatest makes small synthetic broadcasts for tests: real H.264 and AAC from ffmpeg's generators, taken
// apart into tracks and frames.
//
// Imports: media, media/aac, media/h264; ffmpeg as a process, mediacommon's MP4 reader.
package mediatest

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/h264"
)

// Options describes a clip. Zero values: 2 seconds of 320x180 at 30 frames a second with a keyframe a second and no
// B-frames, and 48 kHz stereo.
type Options struct {
	Duration   time.Duration
	Size       string // "320x180"
	FrameRate  string // a number or a fraction, "30000/1001"
	GOP        int    // frames from one IDR to the next
	BFrames    int
	SampleRate int
	NoVideo    bool
	NoAudio    bool
	X264       string // more parameters for x264, "key=value:key=value"
}

// Clip is a broadcast of known content.
type Clip struct {
	Path         string // the MP4 file it comes from, for comparison
	Video, Audio *media.Track
	Frames       []media.Frame // of both tracks, by decode time
}

// Make generates a clip. It fails the test when ffmpeg does.
func Make(tb testing.TB, o Options) *Clip {
	tb.Helper()
	o.setDefaults()
	path := filepath.Join(tb.TempDir(), "clip.mp4")
	Run(tb, "ffmpeg", o.arguments(path)...)
	file, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	c := &Clip{Path: path}
	if c.Video, c.Audio, err = tracks(file); err != nil {
		tb.Fatal(err)
	}
	if c.Frames, err = frames(file, c.Video, c.Audio); err != nil {
		tb.Fatal(err)
	}
	return c
}

func (o *Options) setDefaults() {
	if o.Duration == 0 {
		o.Duration = 2 * time.Second
	}
	if o.Size == "" {
		o.Size = "320x180"
	}
	if o.FrameRate == "" {
		o.FrameRate = "30"
	}
	if o.GOP == 0 {
		o.GOP = 30
	}
	if o.SampleRate == 0 {
		o.SampleRate = 48000
	}
}

// arguments returns what makes ffmpeg write the clip.
func (o *Options) arguments(path string) []string {
	length := formatSeconds(o.Duration)
	args := []string{"-hide_banner", "-loglevel", "error", "-y", "-threads", "1"}
	if !o.NoVideo {
		args = append(args, "-f", "lavfi", "-t", length, "-i", "testsrc2=size="+o.Size+":rate="+o.FrameRate)
	}
	if !o.NoAudio {
		args = append(args, "-f", "lavfi", "-t", length, "-i", "sine=frequency=440:sample_rate="+itoa(o.SampleRate))
	}
	if !o.NoVideo {
		x264 := "keyint=" + itoa(o.GOP) + ":min-keyint=" + itoa(o.GOP) + ":scenecut=0:threads=1"
		if o.X264 != "" {
			x264 += ":" + o.X264
		}
		args = append(args, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", itoa(o.BFrames),
			"-x264-params", x264)
	}
	if !o.NoAudio {
		args = append(args, "-c:a", "aac", "-ac", "2")
	}
	return append(args, "-video_track_timescale", itoa(media.VideoTimeScale), "-f", "mp4",
		"-movflags", "empty_moov+default_base_moof+frag_keyframe", path)
}

// Run runs a program and returns what it printed. It fails the test when the program fails or complains.
func Run(tb testing.TB, name string, args ...string) []byte {
	tb.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(tb.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	// ffprobe says this of every stream of timed ID3, which has no decoder.
	complaints := regexp.MustCompile(`Unsupported codec with id 98313 for input stream \d+\n`).ReplaceAll(stderr.Bytes(), nil)
	if err != nil || len(complaints) > 0 {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, complaints)
	}
	return stdout.Bytes()
}

// tracks reads the codec configurations of an MP4 file.
func tracks(file []byte) (video, audio *media.Track, err error) {
	if at := bytes.Index(file, []byte("avcC")); at >= 0 {
		size := int(binary.BigEndian.Uint32(file[at-4:]))
		if video, err = h264.ParseConfig(file[at+4 : at-4+size]); err != nil {
			return nil, nil, err
		}
	}
	var moov fmp4.Init
	if err = moov.Unmarshal(bytes.NewReader(file)); err != nil {
		return nil, nil, err
	}
	for _, t := range moov.Tracks {
		c, ok := t.Codec.(*codecs.MPEG4Audio)
		if !ok {
			continue
		}
		asc, err := c.Config.Marshal()
		if err != nil {
			return nil, nil, err
		}
		if audio, err = aac.ParseConfig(asc); err != nil {
			return nil, nil, err
		}
	}
	return video, audio, nil
}

// frames reads the access units of an MP4 file in decode order.
func frames(file []byte, video, audio *media.Track) ([]media.Frame, error) {
	first := bytes.Index(file, []byte("moof")) - 4
	last := bytes.LastIndex(file, []byte("mfra")) - 4
	var parts fmp4.Parts
	if err := parts.Unmarshal(file[first:last]); err != nil {
		return nil, err
	}
	var all []media.Frame
	for _, part := range parts {
		for _, t := range part.Tracks {
			track := video
			if video == nil || audio != nil && t.ID == 2 {
				track = audio
			}
			dts := int64(t.BaseTime)
			for _, s := range t.Samples {
				f := media.Frame{Track: track, DTS: dts, Offset: s.PTSOffset, Data: s.Payload, Key: true}
				if track.IsVideo() {
					f.Key = h264.IsKey(f.Data)
				}
				all = append(all, f)
				dts += int64(s.Duration)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b media.Frame) int { return int(a.Time() - b.Time()) })
	return all, nil
}
