package mp4_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	stranger "github.com/abema/go-mp4"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/mediatest"
	"github.com/rivus-live/rivus/internal/media/mp4"
)

// box returns the only box at a path, decoded by the stranger.
func box[T any](t *testing.T, file []byte, path ...string) T {
	t.Helper()
	all := boxes[T](t, file, path...)
	if len(all) != 1 {
		t.Fatalf("%d boxes at %v, not 1", len(all), path)
	}
	return all[0]
}

func boxes[T any](t *testing.T, file []byte, path ...string) []T {
	t.Helper()
	want := make(stranger.BoxPath, 0, len(path))
	for _, p := range path {
		want = append(want, stranger.StrToBoxType(p))
	}
	found, err := stranger.ExtractBoxWithPayload(bytes.NewReader(file), nil, want)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]T, 0, len(found))
	for _, f := range found {
		b, ok := f.Payload.(T)
		if !ok {
			t.Fatalf("box at %v is a %T", path, f.Payload)
		}
		all = append(all, b)
	}
	return all
}

// structure lists all boxes with their depth, and fails on sizes that do not add up.
func structure(t *testing.T, file []byte) []string {
	t.Helper()
	var list []string
	_, err := stranger.ReadBoxStructure(bytes.NewReader(file), func(h *stranger.ReadHandle) (any, error) {
		list = append(list, fmt.Sprintf("%*s%s", len(h.Path)-1, "", h.BoxInfo.Type))
		if !h.BoxInfo.IsSupportedType() {
			return nil, errors.New("a box that the stranger does not know: " + h.BoxInfo.Type.String())
		}
		_, read, err := h.ReadPayload()
		if err != nil {
			return nil, err
		}
		if h.BoxInfo.Type.String() == "mdat" {
			return nil, nil
		}
		children, err := h.Expand()
		if err == nil && len(children) == 0 && read != h.BoxInfo.Size-h.BoxInfo.HeaderSize {
			return nil, fmt.Errorf("%s has %d bytes too many", h.BoxInfo.Type, h.BoxInfo.Size-h.BoxInfo.HeaderSize-read)
		}
		return nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestInit(t *testing.T) {
	t.Parallel()
	clip := mediatest.Make(t, mediatest.Options{
		Duration: time.Second, SampleRate: 44100,
		X264: "colorprim=bt709:transfer=smpte170m:colormatrix=bt470bg:fullrange=on:sar=4/3",
	})
	init := mp4.AppendInit([]byte("before"), []*media.Track{clip.Video, clip.Audio})[len("before"):]
	trak := []string{
		" trak", "  tkhd", "  mdia", "   mdhd", "   hdlr", "   minf", "    ?", "    dinf", "     dref", "      url ",
		"    stbl", "     stsd", "     ?", "     stts", "     stsc", "     stco", "     stsz",
	}
	video, audio := slices.Clone(trak), slices.Clone(trak)
	video[6], audio[6] = "    vmhd", "    smhd"
	video = slices.Replace(video, 12, 13, "      avc1", "       avcC", "       colr", "       pasp")
	audio = slices.Replace(audio, 12, 13, "      mp4a", "       esds")
	want := slices.Concat([]string{"ftyp", "moov", " mvhd"}, video, audio, []string{" mvex", "  trex", "  trex"})
	if got := structure(t, init); !slices.Equal(got, want) {
		t.Errorf("boxes are\n%q, want\n%q", got, want)
	}

	stsd := []string{"moov", "trak", "mdia", "minf", "stbl", "stsd"}
	colr := box[*stranger.Colr](t, init, append(stsd, "avc1", "colr")...)
	if colr.ColourPrimaries != 1 || colr.TransferCharacteristics != 6 || colr.MatrixCoefficients != 5 || !colr.FullRangeFlag {
		t.Errorf("colr is %+v", colr)
	}
	avcC := box[*stranger.AVCDecoderConfiguration](t, init, append(stsd, "avc1", "avcC")...)
	if avcC.LengthSizeMinusOne != 3 || !bytes.Equal(avcC.SequenceParameterSets[0].NALUnit, clip.Video.SPS) {
		t.Errorf("avcC is %+v", avcC)
	}
	if mp4a := box[*stranger.AudioSampleEntry](t, init, append(stsd, "mp4a")...); mp4a.ChannelCount != 2 || mp4a.SampleRate != 44100<<16 {
		t.Errorf("mp4a is %+v", mp4a)
	}
	if tkhd := boxes[*stranger.Tkhd](t, init, "moov", "trak", "tkhd"); tkhd[0].Width>>16 != 426 || tkhd[0].Height>>16 != 180 {
		t.Errorf("shown size is %dx%d, not 320x180 with pixels of 4:3", tkhd[0].Width>>16, tkhd[0].Height>>16)
	}
	if mdhd := boxes[*stranger.Mdhd](t, init, "moov", "trak", "mdia", "mdhd"); mdhd[0].Timescale != 90000 || mdhd[1].Timescale != 44100 {
		t.Errorf("time scales are %d and %d", mdhd[0].Timescale, mdhd[1].Timescale)
	}
}

func TestInitOfOneTrack(t *testing.T) {
	t.Parallel()
	clip := mediatest.Make(t, mediatest.Options{Duration: time.Second, SampleRate: 96000})
	for _, track := range []*media.Track{clip.Video, clip.Audio} {
		init := mp4.AppendInit(nil, []*media.Track{track})
		structure(t, init)
		id := box[*stranger.Tkhd](t, init, "moov", "trak", "tkhd").TrackID
		if want := map[bool]uint32{true: 1, false: 2}[track.IsVideo()]; id != want {
			t.Errorf("%v has track id %d, want %d", track.Codec, id, want)
		}
		ftyp := box[*stranger.Ftyp](t, init, "ftyp")
		if !ftyp.HasCompatibleBrand([4]byte{'c', 'm', 'f', 'c'}) {
			t.Error("no CMAF brand")
		}
	}
}

func TestEmsg(t *testing.T) {
	t.Parallel()
	e := mp4.Emsg{
		Scheme: mp4.SchemeID3, TimeScale: 90000, PTS: 1<<40 + 7, Duration: 0xFFFFFFFF, ID: 12, Data: []byte("a tag"),
	}
	out := e.Append([]byte("before"))[len("before"):]
	if len(out) != e.Size() {
		t.Errorf("%d bytes, Size says %d", len(out), e.Size())
	}
	got := box[*stranger.Emsg](t, out, "emsg")
	if got.Version != 1 || got.SchemeIdUri != e.Scheme || got.Value != "" || got.Timescale != 90000 || got.Id != 12 ||
		got.PresentationTime != 1<<40+7 || got.EventDuration != 0xFFFFFFFF || !bytes.Equal(got.MessageData, e.Data) {
		t.Errorf("the stranger reads %+v", got)
	}
}

// TestPlays cuts clips into fragments and compares what ffmpeg makes of them with the clip, picture by picture.
func TestPlays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		clip mediatest.Options
	}{
		{"plain", mediatest.Options{}},
		{"B-frames at 29.97 with 44.1 kHz", mediatest.Options{FrameRate: "30000/1001", BFrames: 3, SampleRate: 44100}},
		{"all keyframes", mediatest.Options{GOP: 1, FrameRate: "25"}},
		{"several slices, long GOP", mediatest.Options{GOP: 300, X264: "slices=4"}},
		{"interlaced", mediatest.Options{FrameRate: "25", X264: "interlaced=1", BFrames: 2}},
		{"video alone", mediatest.Options{NoAudio: true, BFrames: 1}},
		{"audio alone", mediatest.Options{NoVideo: true, SampleRate: 22050}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			clip := mediatest.Make(t, test.clip)
			path := filepath.Join(t.TempDir(), "ours.mp4")
			const start = 1 << 33 // far into a broadcast, beyond 32 bits
			if err := os.WriteFile(path, file(t, clip, start, 200*time.Millisecond), 0o600); err != nil {
				t.Fatal(err)
			}
			packets := mediatest.Probe(t, path)
			if clip.Video != nil {
				checkPackets(t, mediatest.Of(packets, "video"), clip.Of(clip.Video), start)
				if mediatest.Pictures(t, path) != mediatest.Pictures(t, clip.Path) {
					t.Error("decoded pictures differ from the source's")
				}
			}
			if clip.Audio != nil {
				checkPackets(t, mediatest.Of(packets, "audio"), clip.Of(clip.Audio), start)
				if mediatest.Sound(t, path) != mediatest.Sound(t, clip.Path) {
					t.Error("decoded samples differ from the source's")
				}
			}
		})
	}
}

// TestSoundComesLater gives ffmpeg a stream whose sound begins in the middle, with an initialization section of its own. It
// keeps to the first one and plays the pictures on.
func TestSoundComesLater(t *testing.T) {
	t.Parallel()
	clip := mediatest.Make(t, mediatest.Options{})
	parts := fragments(clip, 0, 500*time.Millisecond)
	out := mp4.AppendInit(nil, []*media.Track{clip.Video})
	for i, f := range parts {
		if i < len(parts)/2 {
			f.Audio = mp4.Run{}
		} else if i == len(parts)/2 {
			out = mp4.AppendInit(out, []*media.Track{clip.Video, clip.Audio})
		}
		out = f.Append(out)
	}
	path := filepath.Join(t.TempDir(), "late.mp4")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	decoded := mediatest.Run(t, "ffmpeg", "-hide_banner", "-nostats", "-loglevel", "error", "-xerror", "-threads", "1", "-i", path,
		"-map", "0:v", "-fps_mode", "passthrough", "-f", "md5", "-")
	if string(decoded) != mediatest.Pictures(t, clip.Path) {
		t.Error("decoded pictures differ from the source's")
	}
}

func checkPackets(t *testing.T, got []mediatest.Packet, want []media.Frame, start int64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i, f := range want {
		p := got[i]
		at := f.Track.Ticks(time.Duration(start) * time.Second / media.VideoTimeScale)
		if p.PTS != at+f.PTS() || p.DTS != at+f.DTS || p.Size != len(f.Data) || p.Key != f.Key {
			t.Fatalf("%v packet %d is %+v, want PTS %d, DTS %d, %d bytes, key %v",
				f.Track.Codec, i, p, at+f.PTS(), at+f.DTS, len(f.Data), f.Key)
		}
	}
}

// file writes a clip that starts at a time (in ticks of 90 kHz) as an initialization segment and fragments of about the
// given length.
func file(t *testing.T, clip *mediatest.Clip, start int64, part time.Duration) []byte {
	t.Helper()
	var tracks []*media.Track
	for _, track := range []*media.Track{clip.Video, clip.Audio} {
		if track != nil {
			tracks = append(tracks, track)
		}
	}
	out := mp4.AppendInit(nil, tracks)
	for i, f := range fragments(clip, start, part) {
		size := f.Size()
		next := f.Append(out)
		if len(next)-len(out) != size {
			t.Fatalf("fragment %d has %d bytes, Size says %d", i, len(next)-len(out), size)
		}
		structure(t, next[len(out):])
		out = next
	}
	return out
}

func fragments(clip *mediatest.Clip, start int64, part time.Duration) []*mp4.Fragment {
	var list []*mp4.Fragment
	for i := range clip.Frames {
		f := &clip.Frames[i]
		at := int(f.Time() / part)
		for len(list) <= at {
			list = append(list, &mp4.Fragment{
				Sequence: uint32(len(list) + 1),
				Video:    mp4.Run{Track: clip.Video},
				Audio:    mp4.Run{Track: clip.Audio},
			})
		}
		run := &list[at].Audio
		if f.Track.IsVideo() {
			run = &list[at].Video
		}
		if len(run.Samples) == 0 {
			run.BaseTime = f.DTS + f.Track.Ticks(time.Duration(start)*time.Second/media.VideoTimeScale)
		}
		run.Samples = append(run.Samples, mp4.Sample{
			Data: f.Data, Duration: duration(clip.Frames[i:]), Offset: f.Offset, Key: f.Key,
		})
	}
	return list
}

// duration returns the time from the first frame to the next of its track; some time if there is none.
func duration(frames []media.Frame) uint32 {
	for i := range frames[1:] {
		if next := &frames[i+1]; next.Track == frames[0].Track {
			return uint32(next.DTS - frames[0].DTS)
		}
	}
	return 1024
}
