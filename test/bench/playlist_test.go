package main

import (
	"slices"
	"testing"
	"time"
)

const testPlaylist = `#EXTM3U
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES
#EXTINF:2.000,
seg6.m4s
#EXT-X-PART:DURATION=0.20000,URI="seg7.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.20000,URI="seg7.1.m4s"
#EXTINF:1.500,
seg7.m4s
#EXT-X-PART:DURATION=0.16667,URI="seg8.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="seg8.1.m4s"
`

func TestReadUpdate(t *testing.T) {
	t.Parallel()
	sixth := 166670 * time.Microsecond
	all := []listedPart{{"seg7.1.m4s", 200 * time.Millisecond}, {"seg8.0.m4s", sixth}}
	for _, c := range []struct {
		name, list, after string
		parts             []listedPart
		lost, ended       bool
		hint              string
	}{
		{"newest only", testPlaylist, "", all[1:], false, false, "seg8.1.m4s"},
		{"two new ones", testPlaylist, "seg7.0.m4s", all, false, false, "seg8.1.m4s"},
		{"one new one", testPlaylist, "seg7.1.m4s", all[1:], false, false, "seg8.1.m4s"},
		{"nothing new", testPlaylist, "seg8.0.m4s", nil, false, false, "seg8.1.m4s"},
		{"fell behind", testPlaylist, "seg5.9.m4s", all[1:], true, false, "seg8.1.m4s"},
		{"the end", "#EXTM3U\n#EXT-X-ENDLIST\n", "seg8.0.m4s", nil, true, true, ""},
	} {
		u := readUpdate([]byte(c.list), c.after)
		if !slices.Equal(u.parts, c.parts) || u.lost != c.lost || u.ended != c.ended || u.hint != c.hint {
			t.Errorf("%s: %+v", c.name, u)
		}
	}
}

func TestPartNumbers(t *testing.T) {
	t.Parallel()
	if msn, part, err := partNumbers("seg42.3.m4s"); msn != 42 || part != 3 || err != nil {
		t.Errorf("%d, %d, %v", msn, part, err)
	}
	for _, bad := range []string{"", "seg42.m4s", "segx.3.m4s", "seg1.y.ts", "init1.mp4"} {
		if _, _, err := partNumbers(bad); err == nil {
			t.Errorf("%q is a part", bad)
		}
	}
}

func TestPlaylistLines(t *testing.T) {
	t.Parallel()
	if got := firstURI([]byte(testPlaylist)); got != "seg6.m4s" {
		t.Errorf("firstURI = %q", got)
	}
	if got := listedTime([]byte(testPlaylist)); got != 3500*time.Millisecond {
		t.Errorf("listedTime = %v", got)
	}
}
