package hlscheck

import (
	"testing"
)

// FuzzMedia: whatever the bytes are, the readers of media neither panic nor report a track that ends before it starts.
func FuzzMedia(f *testing.F) {
	good, goodTS := newMedia(f, false, shape{}), newMedia(f, true, shape{})
	init, err := parseInit(good["init.mp4"])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good["init.mp4"])
	f.Add(good[partName(3, 0)])
	f.Add(good[segmentName(3)])
	f.Add(goodTS[partName(3, 0)])
	f.Add(goodTS[partName(3, 1)])
	f.Fuzz(func(t *testing.T, data []byte) {
		if format, err := parseInit(data); err == nil && len(format.tracks) == 0 {
			t.Error("an initialization section without tracks is taken")
		}
		if u, err := init.parseFragments(data); err == nil {
			checkUnit(t, u, len(data))
		}
		if u, _, err := parseTS(data); err == nil {
			checkUnit(t, u, len(data))
		}
	})
}

func checkUnit(t *testing.T, u *unit, size int) {
	t.Helper()
	if len(u.tracks) > size {
		t.Errorf("%d tracks in %d bytes", len(u.tracks), size)
	}
	for _, s := range u.tracks {
		if s.scale <= 0 || s.firstKey && !s.anyKey {
			t.Errorf("%+v", s)
		}
	}
	var l timeline
	l.reset()
	l.advance(u, "unit")
	l.advance(u, "unit")
}

// TestReadMedia reads what the good server serves.
func TestReadMedia(t *testing.T) {
	t.Parallel()
	good := newMedia(t, false, shape{})
	format, err := parseInit(good["init.mp4"])
	if err != nil {
		t.Fatal(err)
	}
	if format.width != 320 || format.height != 180 || len(format.codecs) != 2 || format.codecs[0] != "avc1.42C00D" || format.codecs[1] != "mp4a.40.2" {
		t.Errorf("format %+v", format)
	}
	whole, err := format.parseFragments(good[segmentName(3)])
	if err != nil {
		t.Fatal(err)
	}
	v := whole.clock()
	if !v.video || v.start != 270000 || v.end != 360000 || v.last != 357000 || !v.firstKey {
		t.Errorf("video %+v", v)
	}
	second, err := format.parseFragments(good[partName(3, 1)])
	if err != nil || second.clock().anyKey {
		t.Errorf("second part %+v, %v", second, err)
	}
	ts, tsFormat, err := parseTS(newMedia(t, true, shape{})[segmentName(3)])
	if err != nil {
		t.Fatal(err)
	}
	if tsFormat.width != 320 || tsFormat.height != 180 || len(tsFormat.codecs) != 2 {
		t.Errorf("format %+v", tsFormat)
	}
	v = ts.clock()
	if !v.video || v.last-v.start != 87000 || !v.firstKey || len(ts.tracks) != 2 {
		t.Errorf("video %+v of %d tracks", v, len(ts.tracks))
	}
}

// TestDifference: a Transport Stream's clock wraps.
func TestDifference(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ a, b, want int64 }{
		{5, 3, 2}, {3, 5, -2}, {10, timestamp - 10, 20}, {timestamp - 10, 10, -20}, {timestamp + 10, timestamp, 10},
	} {
		if got := difference(test.a, test.b, tsClock); got != test.want {
			t.Errorf("%d - %d = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
