package hls

import (
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

const (
	audioFrame = 1024 // samples in an AAC-LC access unit

	// maxAudioStep is the longest step between two audio frames that still counts as time passing; more is a hole.
	maxAudioStep = second / 5
)

// assembler cuts frames into parts and segments. Its clock is the video: a part closes on the frame that fills it, going
// by the predicted duration of that frame, and the audio that has arrived for this time goes along; audio that is ahead
// is held, audio that is late goes into a later part with its own time.
//
// Parts lie on the timeline without holes, [from, from+duration), and never last longer than the part target:
//
//   - While the frame rate is regular, a part ends where its last frame will end. Where nobody can tell whether the next
//     picture starts a segment, the part waits for it, so that the hint for the part behind it comes true.
//   - When it is not, predictions are not trusted: a part ends on time, at from plus the part target, once a frame
//     beyond that has come, so durations are exact, and frames belong to the part in which they begin.
//   - When no picture comes while sound goes on, the sound is the clock, and the last keyframe is repeated.
//   - Time for which nothing came at all is a part with GAP=YES; more than half a target duration of it ends the
//     segment, and the next one starts after the hole with a discontinuity.
type assembler struct {
	plan
	container container
	log       *slog.Logger
	quiet     time.Time // nothing is logged before
	grace     int64     // sound without pictures that makes the sound the clock
	deepest   int64     // window: least duration of the listed segments, ticks

	videoTrack, audioTrack *media.Track
	init                   *initSegment
	inits                  int

	cadence cadence
	bounds  boundaries
	clock   wallclock
	still   still

	dateSteps int64

	// The open part.
	from  int64         // where it starts
	video []media.Frame // its pictures
	held  []media.Frame // sound that is not in a part yet
	tags  []tag
	full  bool // has all its pictures, and waits for the next one to tell where it belongs

	shown   int64 // place of the newest picture
	end     int64 // where the newest picture is predicted to end
	next    int64 // decode time of the frame that is just being taken; -1: none
	pts     int64 // presentation end of the newest picture
	silence int64 // ticks of sound that came since the newest picture
	heard   int64 // place of the newest sound

	// Sound with parameters that the present initialization section does not have, until a segment can start with them.
	coming  *media.Track
	waiting []media.Frame

	open     head
	parts    []part
	partTags []byte
	filled   int64    // bytes in parts
	filling  contents // scratch of close

	window  window
	pending int64 // bytes of frames and tags that are in no part yet, with itemCost
	dirty   dirtiness
}

// dirtiness says what changed since the last snapshot.
type dirtiness uint8

const (
	dirtyPart dirtiness = 1 << iota
	dirtySegment
)

// newAssembler starts at the first picture.
func newAssembler(p plan, c container, clock wallclock, deepest int64, video, audio *media.Track, first *media.Frame, log *slog.Logger) *assembler {
	a := &assembler{plan: p, container: c, clock: clock, log: log, deepest: deepest, next: -1}
	a.grace = max(p.part, p.interval*3/2)
	a.cadence = newCadence(p.interval, p.target/2, p.regular)
	a.bounds.target, a.window.target = p.target, p.target
	a.end, a.pts, a.shown = first.DTS, first.PTS(), first.DTS
	a.setTracks(video, audio)
	a.open.msn = -1
	a.start(first.DTS, false)
	return a
}

// setTracks changes the parameters for the segments to come.
func (a *assembler) setTracks(video, audio *media.Track) {
	a.videoTrack, a.audioTrack = video, audio
	a.init = nil
	if data := a.container.tracks(video, audio); data != nil {
		a.inits++
		a.init = &initSegment{number: a.inits, data: data}
		a.window.bytes += int64(len(data))
	}
}

// picture takes the next video frame.
func (a *assembler) picture(f *media.Frame) {
	if f.Track != a.videoTrack && !f.Key || a.still.hides(f) {
		return // it cannot be decoded: its parameters start at a keyframe
	}
	a.clock.arrived(f.Time(), f.Arrived)
	a.next = f.DTS
	if a.lost(f.DTS) {
		a.next = -1
		a.skip(f)
	} else {
		a.release(f.DTS)
		a.advance(f.DTS)
		a.keyframe(f)
	}
	a.next = -1
	a.still.over(f)
	a.video = append(a.video, *f)
	a.pending += cost(f)
	a.cadence.frame(f.DTS)
	interval := a.cadence.interval()
	a.end = f.DTS + interval
	a.pts = max(a.pts, f.PTS()+interval)
	a.shown, a.silence = max(f.DTS, a.from), 0
	if a.cadence.regular() {
		a.fill(interval)
	}
}

// lost reports whether nothing at all covers more than half a target duration before a picture.
func (a *assembler) lost(dts int64) bool {
	hole := a.target / 2
	covered := max(a.end, a.from)
	for i := 0; i < len(a.held) && dts-covered > hole; i++ {
		if at := place(&a.held[i]); at-covered <= hole {
			covered = max(covered, at)
		}
	}
	return dts-covered > hole
}

// skip ends the segment before a hole and starts the next one behind it.
func (a *assembler) skip(f *media.Frame) {
	a.note("a hole", "seconds", float64(f.DTS-a.end)/second)
	a.finish(max(a.end, a.from))
	a.cadence.skip(f.DTS)
	a.bounds.skip(f.DTS, f.Key)
	a.changeTracks(f)
	a.start(f.DTS, true)
}

// keyframe starts a segment at a picture if there is reason to.
func (a *assembler) keyframe(f *media.Frame) {
	if !f.Key {
		return
	}
	wanted := a.bounds.keyframe(f.DTS)
	astray := wanted && a.clock.lost()
	changed := f.Track != a.videoTrack || a.comingDue(f.DTS) || astray
	if !changed && (!wanted || !a.hasMedia()) {
		return
	}
	at := max(f.DTS, a.from)
	if at == a.from && len(a.video) > 0 { // pictures that came late need a part, and a part needs time
		at += min(a.cadence.interval(), a.part)
	}
	a.finish(at)
	if astray {
		a.note("dates take a step", "segment", a.open.msn+1, "seconds", time.Duration(a.clock.off()).Seconds())
		a.clock.step()
		a.dateSteps++
	}
	if changed {
		a.changeTracks(f)
	}
	a.start(a.from, changed)
}

// hasMedia reports whether the open segment has anything in it.
func (a *assembler) hasMedia() bool { return a.filled > 0 || len(a.video) > 0 }

// fill closes the open part if the newest picture fills it: when it reaches beyond the part target, or when another
// one like it would and the part is long enough for one that need not be its segment's last (RFC 8216bis 4.4.4.9).
func (a *assembler) fill(interval int64) {
	room := a.from + a.part
	to := min(a.end, room)
	if a.end <= room && (a.end+interval <= room || !a.longEnough(to)) {
		return
	}
	if a.bounds.undecided(to) {
		a.full = true
		return
	}
	a.close(to)
	a.split()
}

// release closes a part that has waited for the picture which comes now.
func (a *assembler) release(at int64) {
	if a.full && at-a.from <= a.part && a.longEnough(at) {
		a.close(at)
		a.split()
	}
}

// longEnough reports whether the open part may end at a place without being its segment's last one.
func (a *assembler) longEnough(to int64) bool { return 100*(to-a.from) >= 85*a.part }

// advance closes the parts that end at or before a place on the timeline.
func (a *assembler) advance(to int64) {
	for to-a.from >= a.part {
		a.close(a.from + a.part)
		a.split()
	}
}

// split ends the segment after a part if it has no room for another.
func (a *assembler) split() {
	if a.bounds.full(a.from, a.part) {
		a.finish(a.from)
		a.start(a.from, false)
	}
}

// sound takes the next audio frame. It may be far ahead of the pictures or behind them, so it says nothing about dates.
func (a *assembler) sound(f *media.Frame) {
	at := place(f)
	a.pending += cost(f)
	if f.Track == a.audioTrack {
		a.held = append(a.held, *f)
	} else {
		a.await(f)
	}
	step := at - a.heard
	if step <= 0 || step > maxAudioStep {
		step = second * audioFrame / f.Track.TimeScale
	}
	a.heard = at
	a.silence += step
	if a.silence < a.grace || !a.cadence.started {
		return
	}
	a.advance(a.shown + a.silence)
	if a.comingDue(a.from) && len(a.video) == 0 {
		a.finish(a.from)
		a.changeTracks(nil)
		a.start(a.from, true)
	}
}

// maxWaiting bounds the sound that waits for a segment: no GOP is that long and still watchable.
const maxWaiting = 512

// await keeps sound for which there is no initialization section yet.
func (a *assembler) await(f *media.Frame) {
	if f.Track != a.coming {
		a.coming = f.Track
		a.waiting = a.forget(a.waiting, len(a.waiting))
	}
	if len(a.waiting) == maxWaiting {
		a.waiting = a.forget(a.waiting, maxWaiting/2)
	}
	a.waiting = append(a.waiting, *f)
}

// comingDue reports whether sound with new parameters is due at a place on the timeline.
func (a *assembler) comingDue(at int64) bool {
	return a.coming != nil && place(&a.waiting[0]) <= at+a.part
}

// changeTracks takes over what a picture (nil: none) and waiting sound bring, after a segment has been finished.
func (a *assembler) changeTracks(f *media.Frame) {
	video, audio := a.videoTrack, a.audioTrack
	at := a.from
	if f != nil {
		video, at = f.Track, f.DTS
	}
	if a.comingDue(at) {
		audio = a.coming
		early := 0
		for early < len(a.waiting) && place(&a.waiting[early]) < at {
			early++
		}
		a.waiting = a.forget(a.waiting, early)
		a.held = append(a.forget(a.held, len(a.held)), a.waiting...)
		clear(a.waiting)
		a.coming, a.waiting = nil, a.waiting[:0]
	}
	if video == a.videoTrack && audio == a.audioTrack {
		return
	}
	a.note("new parameters", "segment", a.open.msn+1, "video", video.CodecName, "audio", audio != nil)
	a.setTracks(video, audio)
}

// noteInterval is how often a packager writes to the log: an encoder can break its stream with every frame.
const noteInterval = 10 * time.Second

// note logs what the encoder did to the stream, unless something was logged a moment ago.
func (a *assembler) note(what string, args ...any) {
	if at := time.Unix(0, a.clock.newest); !at.Before(a.quiet) {
		a.quiet = at.Add(noteInterval)
		a.log.Info("hls: the encoder changed its stream", append(args, "what", what)...)
	}
}

// forget removes the first n frames of a list.
func (a *assembler) forget(list []media.Frame, n int) []media.Frame {
	for i := range list[:n] {
		a.pending -= cost(&list[i])
	}
	rest := copy(list, list[n:])
	clear(list[rest:])
	return list[:rest]
}

// cost is what a frame costs as long as it waits.
func cost(f *media.Frame) int64 { return int64(len(f.Data)) + itemCost }

// maxTags bounds the tags that wait for a part; more of them are dropped.
const maxTags = 256

// tag puts an ID3 tag at the end of what has been shown.
func (a *assembler) tag(data []byte) {
	if len(a.tags) == maxTags {
		return
	}
	a.pending += int64(len(data)) + itemCost
	a.tags = append(a.tags, tag{pts: max(a.pts, a.from), data: data})
}

// place returns where a frame lies in ticks of media.VideoTimeScale.
func place(f *media.Frame) int64 {
	if f.Track.TimeScale == second {
		return f.DTS
	}
	s, r := f.DTS/f.Track.TimeScale, f.DTS%f.Track.TimeScale
	return s*second + r*second/f.Track.TimeScale
}

// stop closes everything.
func (a *assembler) stop() {
	to := max(a.end, a.from)
	if a.silence >= a.grace {
		to = max(to, a.shown+a.silence)
	}
	a.finish(to)
}

// arrivals returns when the first and the last frame of the open part came; due tells how many of the held belong to it.
func (a *assembler) arrivals(due int) (first, last time.Time) {
	if n := len(a.video); n > 0 {
		first, last = a.video[0].Arrived, a.video[n-1].Arrived
	}
	if due > 0 {
		if first.IsZero() {
			first = a.held[0].Arrived
		}
		if at := a.held[due-1].Arrived; at.After(last) {
			last = at
		}
	}
	return first, last
}

// hint returns the part that will come next: the first of another segment when a keyframe is due right behind the last
// part. It is wrong only when an encoder breaks its own rhythm; then requests for it are answered after a wait or with
// "not found", as RFC 8216bis 6.2.6 has it.
func (a *assembler) hint() (msn int64, index int) {
	const ms = second / 1000
	if len(a.parts) > 0 && len(a.video) == 0 && a.bounds.keyExpected(a.from, max(a.cadence.interval()/2, 2*ms)) {
		return a.open.msn + 1, 0
	}
	return a.open.msn, len(a.parts)
}
