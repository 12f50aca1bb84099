package h264_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	bitstream "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/h264"
)

// pack writes NAL units behind lengths of the given size.
func pack(size int, units ...[]byte) []byte {
	var out []byte
	for _, u := range units {
		length := binary.BigEndian.AppendUint32(nil, uint32(len(u)))
		out = append(append(out, length[4-size:]...), u...)
	}
	return out
}

// normalize is what becomes of the first payload of an encoder.
func normalize(payload []byte, size int) ([]byte, error) {
	f := h264.Framing{Size: size}
	return f.Normalize(payload)
}

func TestNormalize(t *testing.T) {
	t.Parallel()
	sei, idr, empty := []byte{6, 5, 0x80}, []byte{0x65, 1, 2, 3, 4}, []byte{}
	want := pack(4, sei, idr)
	for _, size := range []int{1, 2, 4} {
		for name, in := range map[string][]byte{
			"plain":            pack(size, sei, idr),
			"empty units":      pack(size, empty, sei, empty, empty, idr, empty),
			"first one empty":  pack(size, empty, sei, idr),
			"two empty before": pack(size, empty, empty, sei, idr),
		} {
			got, err := normalize(in, size)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, lengths of %d: %x, %v", name, size, got, err)
			}
		}
		if got, err := normalize(pack(size, empty, empty), size); err != nil || len(got) != 0 {
			t.Errorf("nothing, lengths of %d: %x, %v", size, got, err)
		}
	}
	if got, err := normalize(want, 4); err != nil || &got[0] != &want[0] {
		t.Error("a good payload is copied")
	}
}

func TestNormalizeRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		size    int
		payload []byte
		want    string
	}{
		{4, []byte{0, 0, 0}, "NAL unit length at byte 0 of 3 is cut off"},
		{4, []byte{0, 0, 0, 2, 0x65, 1, 0, 0}, "NAL unit length at byte 6 of 8 is cut off"},
		{4, []byte{0, 0, 0, 3, 0x65, 0}, "NAL unit of 3 bytes at byte 4 leaves its access unit of 6 bytes"},
		{4, []byte{0xFF, 0xFF, 0xFF, 0xFF, 0x65}, "NAL unit of 4294967295 bytes"},
		{2, []byte{0, 2, 0x65}, "NAL unit of 2 bytes"},
		{1, []byte{9, 0x65}, "NAL unit of 9 bytes"},
		{3, []byte{0, 0, 1, 0x65}, "length size of 3"},
		{0, nil, "length size of 0"},
	}
	for _, test := range tests {
		_, err := normalize(test.payload, test.size)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%x: error is %v, want %q", test.payload, err, test.want)
		}
	}
}

// sei is the unit in front of the start code in what phones and boards send.
func sei() []byte { return []byte{6, 4, 1, 2, 3, 4, 0x80} }

// stream writes NAL units as a byte stream, behind start codes of the given size.
func stream(size int, units ...[]byte) []byte {
	var out []byte
	for _, u := range units {
		out = append(append(out, []byte{0, 0, 0, 1}[4-size:]...), u...)
	}
	return out
}

func TestNormalizeSplitsAtStartCodes(t *testing.T) {
	t.Parallel()
	idr, other, sps, pps := []byte{0x65, 1, 2, 0, 0, 3, 1}, []byte{0x65, 9, 8}, []byte{0x67, 0x42, 0xC0, 0x1F}, []byte{0x68, 0xCE}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	tests := []struct {
		name    string
		payload []byte // with lengths of 4
		want    [][]byte
	}{
		{"SEI and IDR in one unit", pack(4, join(sei(), stream(4, idr))), [][]byte{sei(), idr}},
		{"three bytes of start code", pack(4, join(sei(), stream(3, idr))), [][]byte{sei(), idr}},
		{"sets and slices in one unit", pack(4, join(sps, stream(4, pps, idr), stream(3, other))), [][]byte{sps, pps, idr, other}},
		{"start code at the front of a unit", pack(4, stream(4, idr)), [][]byte{idr}},
		{"a good unit before", pack(4, sei(), join(sps, stream(4, pps))), [][]byte{sei(), sps, pps}},
		{"a byte stream", stream(4, sps, pps, idr), [][]byte{sps, pps, idr}},
		{"a byte stream of short start codes", stream(3, sps, pps, idr, other), [][]byte{sps, pps, idr, other}},
		{"a byte stream behind zeros", join([]byte{0, 0, 0}, stream(4, idr)), [][]byte{idr}},
		{"a byte stream with zeros at its end", join(stream(4, sps, idr), []byte{0, 0}), [][]byte{sps, idr}},
		{"a byte stream of nothing", []byte{0, 0, 0, 1, 0, 0, 1}, nil},
	}
	for _, test := range tests {
		got, err := normalize(bytes.Clone(test.payload), 4)
		if err != nil || !bytes.Equal(got, pack(4, test.want...)) {
			t.Errorf("%s: %x, %v; want %x", test.name, got, err, pack(4, test.want...))
		}
	}
	for _, size := range []int{1, 2} {
		got, err := normalize(pack(size, join(sei(), stream(4, idr))), size)
		if err != nil || !bytes.Equal(got, pack(4, sei(), idr)) {
			t.Errorf("lengths of %d: %x, %v", size, got, err)
		}
	}
	if _, err := normalize(bytes.Repeat([]byte{0, 0, 1, 0x65, 1}, 20_000), 4); !fault.Is(err, fault.Invalid) {
		t.Errorf("20,000 units of a byte stream: %v", err)
	}
	if _, err := normalize(pack(4, bytes.Repeat([]byte{0, 0, 1, 0x65, 1}, 20_000)), 4); !fault.Is(err, fault.Invalid) {
		t.Errorf("20,000 units in one: %v", err)
	}
}

// Slices between keyframes are searched from the first keyframe on that held a start code.
func TestNormalizeLearns(t *testing.T) {
	t.Parallel()
	slice := []byte{0x41, 1, 2}
	two := pack(4, append(bytes.Clone(slice), stream(4, slice)...))
	f := h264.Framing{Size: 4}
	if got, err := f.Normalize(bytes.Clone(two)); err != nil || !bytes.Equal(got, two) {
		t.Errorf("before a keyframe: %x, %v", got, err)
	}
	if _, err := f.Normalize(pack(4, append(sei(), stream(4, []byte{0x65, 1})...))); err != nil {
		t.Error(err)
	}
	if got, err := f.Normalize(two); err != nil || !bytes.Equal(got, pack(4, slice, slice)) {
		t.Errorf("after a keyframe: %x, %v", got, err)
	}
}

// Encoders that send byte streams send their parameter sets so as well, in place of a configuration or with keyframes.
func TestParameterSetsOfAByteStream(t *testing.T) {
	t.Parallel()
	want := track(t, "high with colours")
	for name, config := range map[string][]byte{
		"byte stream":         stream(4, want.SPS, want.PPS),
		"short start codes":   stream(3, want.SPS, want.PPS),
		"with a delimiter":    stream(4, []byte{9, 0xF0}, want.SPS, want.PPS),
		"the other way":       stream(4, want.PPS, want.SPS),
		"the sets came twice": stream(4, want.SPS, want.PPS, want.SPS, want.PPS),
	} {
		got, err := h264.ParseConfig(config)
		if err != nil || !bytes.Equal(got.Config, want.Config) || h264.LengthSize(config) != 4 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := h264.ParseConfig(stream(4, want.SPS)); !fault.Is(err, fault.Invalid) {
		t.Errorf("half of the sets: %v", err)
	}
	idr := []byte{0x65, 1}
	if got, err := h264.Begin(pack(4, want.SPS, want.PPS, idr)); err != nil || got == nil || !bytes.Equal(got.Config, want.Config) {
		t.Errorf("inside the stream: %+v, %v", got, err)
	}
	for _, without := range [][]byte{nil, pack(4, idr), pack(4, want.SPS, idr), pack(4, want.PPS, idr)} {
		if got, err := h264.Begin(without); err != nil || got != nil {
			t.Errorf("%x: %+v, %v", without, got, err)
		}
	}
	if _, err := h264.Begin(pack(4, want.SPS[:9], want.PPS, idr)); !fault.Is(err, fault.Invalid) {
		t.Errorf("broken set: %v", err)
	}
}

func TestIsKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		au   []byte
		want bool
	}{
		{"IDR", pack(4, []byte{9, 0xF0}, []byte{0x67, 1}, []byte{0x65, 1}), true},
		{"IDR of low priority", pack(4, []byte{0x25, 1}), true},
		{"other slice", pack(4, []byte{0x41, 5}), false},
		{"parameter sets alone", pack(4, []byte{0x67, 1}, []byte{0x68, 1}), false},
		{"nothing", nil, false},
		{"damaged", []byte{0, 0, 0, 9, 0x65}, false},
	}
	for _, test := range tests {
		if got := h264.IsKey(test.au); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestAppendAnnexB(t *testing.T) {
	t.Parallel()
	track := track(t, "baseline")
	own := []byte{9, 0x10}
	delimiter, idr, sei := []byte{9, 0xF0}, []byte{0x65, 0, 0, 3, 1}, []byte{6, 1}
	tests := []struct {
		name string
		key  bool
		au   [][]byte
		want [][]byte
	}{
		{"other frame", false, [][]byte{sei, {0x41, 1}}, [][]byte{delimiter, sei, {0x41, 1}}},
		{"key", true, [][]byte{sei, idr}, [][]byte{delimiter, track.SPS, track.PPS, sei, idr}},
		{"own delimiter", true, [][]byte{own, idr}, [][]byte{own, track.SPS, track.PPS, idr}},
		{"own delimiter alone", false, [][]byte{own}, [][]byte{own}},
		{
			"own sets", true,
			[][]byte{own, track.SPS, track.PPS, idr},
			[][]byte{own, track.SPS, track.PPS, idr},
		},
		{
			"half of them", true,
			[][]byte{track.PPS, idr},
			[][]byte{delimiter, track.SPS, track.PPS, track.PPS, idr},
		},
	}
	for _, test := range tests {
		got := h264.AppendAnnexB([]byte("before"), track, pack(4, test.au...), test.key)[len("before"):]
		var want []byte
		for _, u := range test.want {
			want = append(append(want, 0, 0, 0, 1), u...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", test.name, got, want)
		}
		if size := h264.AnnexBSize(track, pack(4, test.au...), test.key); size != len(want) {
			t.Errorf("%s: AnnexBSize says %d, not %d", test.name, size, len(want))
		}
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	base := *track(t, "high with colours")
	base.Bitrate, base.FrameRate = 5000, 24
	same, other := &base, track(t, "baseline")
	third := track(t, "cropped, id 3")
	idr := []byte{0x65, 1}

	for name, units := range map[string][][]byte{
		"no sets":           {idr},
		"its own":           {same.SPS, same.PPS, idr},
		"changed and back":  {other.SPS, same.SPS, same.PPS},
		"nothing":           {},
		"own picture's set": {same.PPS, idr},
	} {
		if got, err := h264.Refresh(same, pack(4, units...)); err != nil || got != same {
			t.Errorf("%s: another track, or %v", name, err)
		}
	}

	got, err := h264.Refresh(same, pack(4, other.SPS, other.PPS, idr))
	if err != nil || !bytes.Equal(got.Config, other.Config) || got.Width != 1920 || got.Bitrate != 5000 || got.FrameRate != 60 {
		t.Errorf("sets of the same ids: %+v, %v", got, err)
	}
	got, err = h264.Refresh(same, pack(4, third.SPS, third.PPS, idr))
	if err != nil || got == same || got.Width != same.Width || got.Config[5] != 0xE2 ||
		!bytes.Contains(got.Config, same.SPS) || !bytes.Contains(got.Config, third.PPS) {
		t.Errorf("sets of other ids: %+v, %v", got, err)
	}
	if before := track(t, "high with colours"); !bytes.Equal(same.Config, before.Config) {
		t.Error("the old track was written to")
	}
	for name, unit := range map[string][]byte{
		"SPS of nothing": {0x67},
		"broken SPS":     other.SPS[:9],
		"PPS of nothing": {0x68},
	} {
		if _, err := h264.Refresh(same, pack(4, unit, idr)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An encoder that adds a large set with every picture, or packs a picture in dust, costs little.
func TestHostileAccessUnits(t *testing.T) {
	t.Parallel()
	now := track(t, "baseline")
	for id := range byte(8) {
		pps := append([]byte{0x68, 0x08 | id}, bytes.Repeat([]byte{id + 1}, 40_000)...) // ue(v) 00001xxx: ids from 7 on
		next, err := h264.Refresh(now, pack(4, pps, []byte{0x65, 1}))
		switch {
		case err == nil:
			now = next
		case !fault.Is(err, fault.Invalid):
			t.Error(err)
		}
		if len(now.Config) > 100_000 {
			t.Fatalf("a configuration of %d bytes", len(now.Config))
		}
	}
	if _, err := normalize(bytes.Repeat([]byte{0, 0, 0, 1, 0x09}, 1_000_000), 4); !fault.Is(err, fault.Invalid) {
		t.Errorf("a million units: %v", err)
	}
}

// FuzzAccessUnit: a payload that is accepted keeps its NAL units, in order and byte for byte, on its way through
// Normalize and AppendAnnexB; sizes are exact; whatever Refresh makes of it is a track that parses.
func FuzzAccessUnit(f *testing.F) {
	t := track(f, "high with colours")
	for _, size := range []int{1, 2, 4} {
		f.Add(pack(size, []byte{9, 0xF0}, t.SPS, t.PPS, []byte{0x65, 1, 2, 3}), size, true)
		f.Add(pack(size, []byte{0x41, 1, 2, 3}, nil, []byte{6}), size, false)
		f.Add(pack(size, track(f, "baseline").SPS, []byte{0x65}), size, true)
		f.Add(pack(size, append(sei(), stream(4, []byte{0x65, 1}, []byte{0x65, 2})...)), size, true)
		f.Add(stream(3, t.SPS, t.PPS, []byte{0x65, 1}), size, true)
	}
	f.Fuzz(func(t *testing.T, payload []byte, size int, key bool) {
		track := track(t, "high with colours")
		units, valid := unpack(payload, size)
		au, err := normalize(bytes.Clone(payload), size)
		if (err == nil) != valid {
			t.Fatalf("valid %v, error %v", valid, err)
		}
		if err != nil {
			au = payload // damaged: must not panic
		} else if !bytes.Equal(au, pack(4, units...)) || 2*len(au) > 5*len(payload) {
			t.Fatalf("normalized to %x", au)
		}
		if next, err := h264.Refresh(track, au); err == nil && next != track {
			if again, err := h264.ParseConfig(next.Config); err != nil || !bytes.Equal(again.Config, next.Config) {
				t.Fatalf("refreshed track does not parse: %v", err)
			}
			track = next
		}
		stream := h264.AppendAnnexB(nil, track, au, key)
		if len(stream) != h264.AnnexBSize(track, au, key) {
			t.Fatalf("%d bytes, AnnexBSize says %d", len(stream), h264.AnnexBSize(track, au, key))
		}
		if err == nil {
			checkUnits(t, stream, units, key)
		}
		if h264.IsKey(au) && err == nil && !bytes.ContainsFunc(heads(units), func(r rune) bool { return r&0x1F == 5 }) {
			t.Fatal("a key frame without an IDR slice")
		}
	})
}

// heads returns the types of NAL units.
func heads(units [][]byte) []byte {
	var b []byte
	for _, u := range units {
		b = append(b, u[0]&0x1F)
	}
	return b
}

// unpack splits a payload the plain way: at its lengths and then at start codes, or, when the lengths make no sense, at
// start codes alone.
func unpack(payload []byte, size int) (units [][]byte, valid bool) {
	if size != 1 && size != 2 && size != 4 {
		return nil, false
	}
	long, valid := unpackLengths(payload, size)
	if !valid {
		if zeros := bytes.TrimLeft(payload, "\x00"); len(payload)-len(zeros) < 2 || len(zeros) == 0 || zeros[0] != 1 {
			return nil, false
		}
		long = [][]byte{payload}
	}
	glued := !valid
	for _, u := range long {
		glued = glued || u[0]&0x1F != 1 && bytes.Contains(u, []byte{0, 0, 1})
	}
	if !glued {
		return long, true
	}
	for _, u := range long {
		for _, part := range bytes.Split(u, []byte{0, 0, 1}) {
			if part = bytes.TrimRight(part, "\x00"); len(part) > 0 {
				units = append(units, part)
			}
		}
	}
	return units, true
}

func unpackLengths(payload []byte, size int) (units [][]byte, valid bool) {
	for len(payload) > 0 {
		if len(payload) < size {
			return nil, false
		}
		n := 0
		for _, b := range payload[:size] {
			n = n<<8 | int(b)
		}
		if payload = payload[size:]; n > len(payload) {
			return nil, false
		}
		if n > 0 {
			units = append(units, payload[:n])
		}
		payload = payload[n:]
	}
	return units, true
}

// checkUnits looks for the units at the end of a byte stream, behind a delimiter and perhaps parameter sets.
func checkUnits(t *testing.T, stream []byte, units [][]byte, key bool) {
	t.Helper()
	if stream[4]&0x1F != 9 {
		t.Fatalf("byte stream begins with %x", stream[:5])
	}
	if len(units) > 0 && units[0][0]&0x1F == 9 {
		first := append([]byte{0, 0, 0, 1}, units[0]...)
		if !bytes.HasPrefix(stream, first) {
			t.Fatal("own delimiter is lost")
		}
		stream, units = stream[len(first):], units[1:]
	}
	var want []byte
	for _, u := range units {
		want = append(append(want, 0, 0, 0, 1), u...)
	}
	if !bytes.HasSuffix(stream, want) || !key && len(stream) > len(want)+6 {
		t.Fatalf("%x does not end with %x", stream, want)
	}
}

// TestStrangerReadsAnnexB has another parser split the byte stream.
func TestStrangerReadsAnnexB(t *testing.T) {
	t.Parallel()
	track := track(t, "10 bits 4:2:2")
	idr, sei := []byte{0x65, 1, 2, 3}, []byte{6, 5, 4}
	var units bitstream.AnnexB
	if err := units.Unmarshal(h264.AppendAnnexB(nil, track, pack(4, sei, idr, idr), true)); err != nil {
		t.Fatal(err)
	}
	want := [][]byte{{9, 0xF0}, track.SPS, track.PPS, sei, idr, idr}
	if len(units) != len(want) {
		t.Fatalf("%d units, want %d", len(units), len(want))
	}
	for i, u := range want {
		if !bytes.Equal(units[i], u) {
			t.Errorf("unit %d is %x, want %x", i, units[i], u)
		}
	}
}

// keyFrame is an access unit of 60 kB in four slices, with its parameter sets.
func keyFrame(tb testing.TB) (*media.Track, []byte) {
	tb.Helper()
	track := track(tb, "main at 29.97")
	slice := append([]byte{0x65}, make([]byte, 15000)...)
	return track, pack(4, track.SPS, track.PPS, slice, slice, slice, slice)
}

func TestAccessUnitAllocates(t *testing.T) {
	track, au := keyFrame(t)
	bare := pack(4, append([]byte{0x65}, make([]byte, 15000)...))
	buf := make([]byte, 0, h264.AnnexBSize(track, au, true)+100)
	n := testing.AllocsPerRun(100, func() {
		if a, err := normalize(au, 4); err != nil || !h264.IsKey(a) {
			t.Error("the access unit is refused")
		}
		if next, err := h264.Refresh(track, au); err != nil || next != track {
			t.Error("the track changes")
		}
		h264.AnnexBSize(track, bare, true)
		h264.AppendAnnexB(buf, track, bare, true)
		h264.AppendAnnexB(buf, track, au, true)
	})
	if n != 0 {
		t.Errorf("%v allocations an access unit", n)
	}
}

func BenchmarkAccessUnit(b *testing.B) {
	track, au := keyFrame(b)
	b.ReportAllocs()
	for b.Loop() {
		a, err := normalize(au, 4)
		if err != nil || !h264.IsKey(a) {
			b.Fatal(err)
		}
		if _, err := h264.Refresh(track, a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendAnnexB(b *testing.B) {
	track, au := keyFrame(b)
	buf := make([]byte, 0, h264.AnnexBSize(track, au, true))
	b.SetBytes(int64(len(au)))
	b.ReportAllocs()
	for b.Loop() {
		buf = h264.AppendAnnexB(buf[:0], track, au, true)
	}
}
