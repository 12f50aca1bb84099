package mp4_test

import (
	"bytes"
	"fmt"
	"testing"

	stranger "github.com/abema/go-mp4"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/mp4"
)

const (
	syncSample  = 0x02000000
	otherSample = 0x01010000
)

func videoTrack() *media.Track {
	return &media.Track{Codec: media.H264, TimeScale: media.VideoTimeScale}
}

func audioTrack() *media.Track { return &media.Track{Codec: media.AAC, TimeScale: 48000} }

// sample returns a sample of n bytes that differ from those of its neighbours.
func sample(n int, duration uint32, offset int32, key bool) mp4.Sample {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i*7 + n)
	}
	return mp4.Sample{Data: data, Duration: duration, Offset: offset, Key: key}
}

// TestFragment gives a reader that follows ISO/IEC 14496-12 runs of every shape, and looks for the samples it must find.
func TestFragment(t *testing.T) {
	t.Parallel()
	key, other := sample(40, 3000, 0, true), sample(30, 3000, 0, false)
	audio := []mp4.Sample{sample(10, 1024, 0, true), sample(11, 1024, 0, true), sample(12, 1024, 0, true)}
	tests := []struct {
		name         string
		video, audio []mp4.Sample
	}{
		{"one keyframe", []mp4.Sample{key}, nil},
		{"one other frame", []mp4.Sample{other}, nil},
		{"keyframe first", []mp4.Sample{key, other, other}, audio},
		{"keyframe inside", []mp4.Sample{other, key, other}, audio},
		{"keyframes only", []mp4.Sample{key, key}, audio},
		{"two keyframes", []mp4.Sample{key, other, key}, audio},
		{"no keyframe", []mp4.Sample{other, other}, audio},
		{"same sizes", []mp4.Sample{other, other}, []mp4.Sample{audio[0], audio[0]}},
		{"varying durations", []mp4.Sample{key, sample(20, 3003, 0, false), sample(20, 2997, 0, false)}, audio},
		{"offsets", []mp4.Sample{sample(5, 3000, 6000, true), sample(6, 3000, 9000, false), sample(7, 3000, -3000, false)}, nil},
		{"empty samples", []mp4.Sample{sample(0, 3000, 0, true), other, sample(0, 3000, 0, false)}, audio},
		{"audio alone", nil, audio},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := mp4.Fragment{
				Sequence: 77,
				Video:    mp4.Run{Track: videoTrack(), BaseTime: 1 << 34, Samples: test.video},
				Audio:    mp4.Run{Track: audioTrack(), BaseTime: 5, Samples: test.audio},
				Emsgs:    []mp4.Emsg{{Scheme: mp4.SchemeID3, Data: []byte("tag")}, {Scheme: "urn:other"}},
			}
			out := f.Append([]byte("before"))[len("before"):]
			if len(out) != f.Size() {
				t.Errorf("%d bytes, Size says %d", len(out), f.Size())
			}
			structure(t, out)
			if n := len(boxes[*stranger.Emsg](t, out, "emsg")); n != 2 {
				t.Errorf("%d event messages, want 2", n)
			}
			if mfhd := box[*stranger.Mfhd](t, out, "moof", "mfhd"); mfhd.SequenceNumber != 77 {
				t.Errorf("sequence number %d", mfhd.SequenceNumber)
			}
			got := readRuns(t, out)
			for id, run := range map[uint32]*mp4.Run{1: &f.Video, 2: &f.Audio} {
				if r, ok := got[id]; ok != (len(run.Samples) > 0) {
					t.Errorf("track %d present: %v", id, ok)
				} else if ok {
					checkRun(t, r, run)
				}
			}
		})
	}
}

func TestFragmentWithoutSamples(t *testing.T) {
	t.Parallel()
	f := mp4.Fragment{Emsgs: []mp4.Emsg{{Scheme: mp4.SchemeID3}}}
	if out := f.Append(nil); len(out) != f.Size() || fmt.Sprint(structure(t, out)) != "[emsg]" {
		t.Errorf("fragment without samples is %q", structure(t, out))
	}
}

func TestRunWithOwnTrackID(t *testing.T) {
	t.Parallel()
	f := mp4.Fragment{Video: mp4.Run{Track: videoTrack(), TrackID: 9, Samples: []mp4.Sample{sample(3, 1, 0, true)}}}
	if _, ok := readRuns(t, f.Append(nil))[9]; !ok {
		t.Error("the run's own track id is not used")
	}
}

type readRun struct {
	base    uint64
	samples []mp4.Sample
	flags   []uint32
}

func checkRun(t *testing.T, got readRun, want *mp4.Run) {
	t.Helper()
	if got.base != uint64(want.BaseTime) || len(got.samples) != len(want.Samples) {
		t.Fatalf("%d samples from %d, want %d from %d", len(got.samples), got.base, len(want.Samples), want.BaseTime)
	}
	for i, s := range want.Samples {
		g := got.samples[i]
		flags := uint32(otherSample)
		if s.Key {
			flags = syncSample
		}
		if !bytes.Equal(g.Data, s.Data) || g.Duration != s.Duration || g.Offset != s.Offset || got.flags[i] != flags {
			t.Errorf("sample %d is %+v with flags %x, want %+v with flags %x", i, g, got.flags[i], s, flags)
		}
	}
}

// readRuns reads the samples of a fragment with all the defaults that may stand in for them; those of trex are the ones
// that an initialization segment of ours has.
func readRuns(t *testing.T, fragment []byte) map[uint32]readRun {
	t.Helper()
	moofs, err := stranger.ExtractBox(bytes.NewReader(fragment), nil, stranger.BoxPath{stranger.StrToBoxType("moof")})
	if err != nil || len(moofs) != 1 {
		t.Fatalf("%d moof boxes, %v", len(moofs), err)
	}
	moof := moofs[0].Offset
	tfhds := boxes[*stranger.Tfhd](t, fragment, "moof", "traf", "tfhd")
	tfdts := boxes[*stranger.Tfdt](t, fragment, "moof", "traf", "tfdt")
	truns := boxes[*stranger.Trun](t, fragment, "moof", "traf", "trun")
	runs := map[uint32]readRun{}
	for i, tfhd := range tfhds {
		trun := truns[i]
		if !tfhd.CheckFlag(0x020000) || tfhd.CheckFlag(1) || trun.Version != 1 || !trun.CheckFlag(1) || tfdts[i].Version != 1 {
			t.Fatalf("headers are %+v, %+v, %+v", tfhd, tfdts[i], trun)
		}
		defaults := uint32(syncSample)
		if tfhd.TrackID == mp4.VideoTrackID {
			defaults = otherSample
		}
		if tfhd.CheckFlag(0x20) {
			defaults = tfhd.DefaultSampleFlags
		}
		r := readRun{base: tfdts[i].BaseMediaDecodeTimeV1}
		at := moof + uint64(trun.DataOffset)
		for j := range int(trun.SampleCount) {
			s := mp4.Sample{Duration: tfhd.DefaultSampleDuration}
			size, flags := tfhd.DefaultSampleSize, defaults
			var e stranger.TrunEntry
			if len(trun.Entries) > 0 {
				e = trun.Entries[j]
			}
			if trun.CheckFlag(0x100) {
				s.Duration = e.SampleDuration
			}
			if trun.CheckFlag(0x200) {
				size = e.SampleSize
			}
			if trun.CheckFlag(0x400) {
				flags = e.SampleFlags
			} else if trun.CheckFlag(4) && j == 0 {
				flags = trun.FirstSampleFlags
			}
			if trun.CheckFlag(0x800) {
				s.Offset = e.SampleCompositionTimeOffsetV1
			}
			s.Data = fragment[at : at+uint64(size)]
			at += uint64(size)
			r.samples, r.flags = append(r.samples, s), append(r.flags, flags)
		}
		runs[tfhd.TrackID] = r
	}
	return runs
}

// part is a fragment as LL-HLS has them: 200 ms of 4 Mbit/s at 30 frames a second, with stereo.
func part() *mp4.Fragment {
	f := &mp4.Fragment{Video: mp4.Run{Track: videoTrack()}, Audio: mp4.Run{Track: audioTrack()}}
	for i := range 6 {
		f.Video.Samples = append(f.Video.Samples, sample(16000+i, 3000, 3000, i == 0))
	}
	for i := range 9 {
		f.Audio.Samples = append(f.Audio.Samples, sample(340+i, 1024, 0, true))
	}
	f.Emsgs = []mp4.Emsg{{Scheme: mp4.SchemeID3, Data: make([]byte, 1100)}}
	return f
}

func TestFragmentAllocates(t *testing.T) {
	f := part()
	buf := make([]byte, 0, f.Size())
	if n := testing.AllocsPerRun(100, func() { f.Append(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations a fragment", n)
	}
}

func BenchmarkFragment(b *testing.B) {
	f := part()
	buf := make([]byte, 0, f.Size())
	b.SetBytes(int64(f.Size()))
	b.ReportAllocs()
	for b.Loop() {
		buf = f.Append(buf[:0])
	}
}
