package origin

import (
	"strings"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/hls"
)

// Bounds of what a URL may hold. A playback token has at most 2 KB (spec ivs.md 10.1), percent-encoded at worst.
const (
	maxQuery = 8 << 10
	maxPath  = 512 // without a session's pass
)

// playlistFile is the name of every media playlist.
const playlistFile = hls.PlaylistName

// passPrefix begins what is below a channel when the path names the playback session.
const passPrefix = "v/"

// target is a playback path taken apart.
type target struct {
	name      string // "<region>.<account>.channel.<id>", as in the path
	scope     arn.Scope
	channelID string
	pass      string // of the playback session, sealed; "" when the path names none
	streamID  string // this and the rest are empty for the multivariant playlist
	rendition string
	file      string
}

// kind tells what sort of request the path makes, for the counters.
func (t *target) kind() Kind {
	switch {
	case t.file == "":
		return Multivariant
	case t.file == playlistFile:
		return Playlist
	case strings.HasPrefix(t.file, "init"):
		return Init
	case strings.Count(t.file, ".") > 1:
		return Part
	}
	return Segment
}

// parsePath takes a playback path apart:
//
//	/api/video/v1/<region>.<account>.channel.<id>.m3u8
//	/api/video/v1/<region>.<account>.channel.<id>/<streamId>/<rendition>/<file>
//	/api/video/v1/<region>.<account>.channel.<id>/v/<pass>/<streamId>/<rendition>/<file>
//
// It is strict: nothing in these paths ever needs a dot segment or a double slash, so a path with one names nothing.
func parsePath(path string) (target, bool) {
	rest, ok := strings.CutPrefix(path, Prefix)
	if !ok || len(path) > maxPath+admission.MaxSealed {
		return target{}, false
	}
	name, below, deep := strings.Cut(rest, "/")
	if !deep {
		if name, ok = strings.CutSuffix(name, ".m3u8"); !ok {
			return target{}, false
		}
	}
	t := target{name: name}
	if !t.readName() {
		return target{}, false
	}
	if !deep {
		return t, true
	}
	if named, ok := strings.CutPrefix(below, passPrefix); ok {
		t.pass, below, _ = strings.Cut(named, "/")
		if !within(t.pass, admission.MaxSealed, isWord) {
			return target{}, false
		}
	}
	t.streamID, below, _ = strings.Cut(below, "/")
	t.rendition, t.file, _ = strings.Cut(below, "/")
	id, isStream := strings.CutPrefix(t.streamID, "st-")
	ok = len(path) <= maxPath+len(t.pass) && isStream && within(id, 64, isAlnum) && within(t.rendition, 32, isWord) && within(t.file, 64, isFile)
	return t, ok
}

// channel returns the ARN of the channel.
func (t *target) channel() arn.ARN { return arn.Channel(t.scope, t.channelID) }

// readName splits the channel's name. Region and account are those of its ARN (spec ivs.md 1.1).
func (t *target) readName() bool {
	region, rest, _ := strings.Cut(t.name, ".")
	account, rest, _ := strings.Cut(rest, ".")
	id, ok := strings.CutPrefix(rest, "channel.")
	t.scope, t.channelID = arn.Scope{Region: region, Account: account}, id
	return ok && within(region, 32, isRegion) && within(account, 20, isDigit) && within(id, 64, isID)
}

// within reports whether s has 1 to limit bytes and all of them belong to the set.
func within(s string, limit int, set func(byte) bool) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if !set(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isAlnum(c byte) bool  { return isDigit(c) || isLower(c) || c >= 'A' && c <= 'Z' }
func isRegion(c byte) bool { return isDigit(c) || isLower(c) || c == '-' }
func isID(c byte) bool     { return isAlnum(c) || c == '-' }
func isWord(c byte) bool   { return isAlnum(c) || c == '-' || c == '_' }
func isFile(c byte) bool   { return isWord(c) || c == '.' }
