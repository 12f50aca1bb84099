package hls

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/rivus-live/rivus/internal/media"
)

// follower is what a rendition that does not lead has beside: the decisions that it has not carried out, because its frames
// come later than those by which they were made. An encoder takes its time.
//
// Its frames are cut by presentation time, which is all that encodings of one picture have in common: pictures may be in
// another order here than there.
type follower struct {
	mu        sync.Mutex // guards all of the rendition that the leading one's goroutine needs: everything
	decisions []decision
	planned   int64 // ticks of the parts among them
	target    int64 // target duration, ticks
	joined    bool  // a segment was started
	ended     bool

	cadence cadence // of its own pictures
	seen    int64   // presentation time of its newest picture
	heard   int64   // end of its newest sound
	keyNext bool    // a keyframe that starts a segment is expected behind the newest part
	key     int64   // presentation time of the keyframe for which the open segment has started
	needKey bool    // what came before is missing: nothing can be shown before a keyframe
}

func (w *follower) begin(p plan) {
	w.target = p.target
	w.cadence = newCadence(p.interval, p.target/2, false)
}

// writeBehind takes a frame of a rendition that does not lead.
func (r *Rendition) writeBehind(f *media.Frame) error {
	w := r.follower
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return ErrEnded
	}
	r.frames++
	r.pending += cost(f)
	if f.Track.IsVideo() {
		r.video = append(r.video, *f)
		w.cadence.notePicture(f.DTS)
		w.seen = max(w.seen, f.PTS())
	} else {
		r.held = append(r.held, *f)
		w.heard = place(f) + second*f.Track.FrameTicks()/f.Track.TimeScale
	}
	r.followPlan(false)
	return nil
}

// offerDecision adds a decision to the plan and does what is due.
func (r *Rendition) offerDecision(d decision) {
	w := r.follower
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || !w.joined && d.kind != segmentStarts {
		return
	}
	if !w.joined {
		w.joined = true
		r.playlist.window.next, r.playlist.window.discontinuities = d.head.MSN, d.gone
	}
	w.planned += d.to - d.from
	w.decisions = append(w.decisions, d)
	r.followPlan(false)
}

// end carries out the rest of the plan with what there is, and ends the playlist.
func (r *Rendition) end() {
	w := r.follower
	w.mu.Lock()
	defer w.mu.Unlock()
	r.followPlan(true)
	r.video = r.forget(r.video, len(r.video))
	r.held = r.forget(r.held, len(r.held))
	r.count()
	w.ended = true
	r.playlist.end()
}

// followPlan carries out the decisions whose time has come: that of a part when all of its pictures are there, or when the
// plan is a target duration ahead of it, or when no more will come. A segment starts with its first part, whose pictures
// tell the parameters.
func (r *Rendition) followPlan(all bool) {
	w := r.follower
	done := 0
	for ; done < len(w.decisions); done++ {
		d := &w.decisions[done]
		if d.kind == segmentEnds {
			r.carryOut(d, 0)
			continue
		}
		part := d
		if d.kind == segmentStarts {
			i := slices.IndexFunc(w.decisions[done:], func(d decision) bool { return d.kind == partEnds })
			if i < 0 {
				break
			}
			part = &w.decisions[done+i]
		}
		late := all || w.planned-(part.to-part.from) >= w.target
		if !late && !r.reaches(part) {
			break
		}
		if d.kind == segmentStarts {
			w.key = cmp.Or(d.key, math.MaxInt64)
			r.adoptTracks(d, part)
			r.carryOut(d, 0)
			continue
		}
		pictures := r.choosePictures(d, w.partLimit(done))
		r.carryOut(d, pictures)
		w.planned -= d.to - d.from
		w.keyNext = d.keyNext
		w.needKey = w.needKey || late && pictures == 0
	}
	w.decisions = slices.Delete(w.decisions, 0, done)
	r.count()
	if r.playlist.changed() {
		r.publish(r.hintBehind())
	}
}

// reaches reports whether all that belongs into a part has come.
func (r *Rendition) reaches(d *decision) bool {
	w := r.follower
	if d.hasSound && r.videoTrack == nil && len(r.held) == 0 {
		return false // the initialization section must know it
	}
	if d.silent && w.heard >= d.to {
		return true
	}
	if w.cadence.regular() {
		return w.seen+w.cadence.interval()*3/2 >= d.to+d.offset
	}
	return w.seen >= d.to+d.offset-timeSlack // the next picture is there
}

// partLimit returns the presentation time before which pictures belong to the part that a decision ends: where it ends, or
// that of the keyframe for which the next segment starts, which may have come earlier than was predicted.
func (w *follower) partLimit(i int) int64 {
	d := &w.decisions[i]
	limit := d.to + d.offset
	for _, next := range w.decisions[i+1:] {
		if next.kind == partEnds {
			break
		}
		if next.key > 0 {
			limit = min(limit, next.key)
		}
	}
	return limit
}

// before reports whether a picture is shown before a limit. A keyframe that is hardly earlier than that is what starts there.
func before(f *media.Frame, limit int64) bool {
	if f.Key {
		limit -= timeSlack
	}
	return f.PTS() < limit
}

// choosePictures returns how many of the pictures belong to a part, those before a limit, having dropped the ones that cannot
// be shown.
func (r *Rendition) choosePictures(d *decision, limit int64) int {
	w := r.follower
	n := 0
	for n < len(r.video) && before(&r.video[n], limit) {
		f := &r.video[n]
		if !r.showsPicture(f, d) {
			r.pending -= cost(f)
			r.video = slices.Delete(r.video, n, n+1)
			continue
		}
		w.needKey = false
		r.still.over(f)
		n++
	}
	return n
}

// timeSlack is by how much keyframes may be before the place where they belong: encoders round their times.
const timeSlack = 2 * second / 1000

// showsPicture reports whether a picture can be decoded in the segment that is open.
func (r *Rendition) showsPicture(f *media.Frame, d *decision) bool {
	w := r.follower
	if f.Track != r.videoTrack {
		r.askDiscontinuity(r.videoTrack != nil)
		w.needKey = true
		return false
	}
	if w.needKey && (!f.Key || f.PTS() < min(d.from+d.offset, w.key)-timeSlack) {
		return false
	}
	return !r.still.hides(f)
}

// askDiscontinuity asks the Cutter for a discontinuity at the next keyframe that starts a segment, unless the plan has one already.
func (r *Rendition) askDiscontinuity(really bool) {
	planned := func(d decision) bool { return d.kind == segmentStarts && d.head.Discontinuity }
	if really && !slices.ContainsFunc(r.follower.decisions, planned) {
		r.cutter.asked.Store(true)
	}
}

// adoptTracks takes the parameters of what comes first in a segment: the first ones that there are, or new ones where the
// plan has a discontinuity.
func (r *Rendition) adoptTracks(start, part *decision) {
	video, audio := r.videoTrack, r.audioTrack
	first := video == nil
	if first || start.head.Discontinuity {
		for i := range r.video {
			f := &r.video[i]
			if f.PTS() >= part.to+part.offset-timeSlack {
				break
			}
			if f.Key && f.PTS() >= min(part.from+part.offset, r.follower.key)-timeSlack {
				video = f.Track
				break
			}
		}
	}
	if first && video == nil {
		r.dropSound(part.from)
		return // nothing but gaps so far
	}
	if i := r.otherSound(audio); i >= 0 && (first || start.head.Discontinuity) && place(&r.held[i]) < part.to {
		audio = r.held[i].Track
		r.held = r.forget(r.held, i)
	} else if i >= 0 {
		r.askDiscontinuity(audio != nil)
	}
	if first {
		r.dropSound(part.from)
	}
	if video != r.videoTrack || audio != r.audioTrack {
		r.setTracks(video, audio)
	}
}

// otherSound returns the index of the first held sound of another track, -1 if there is none.
func (r *Rendition) otherSound(track *media.Track) int {
	return slices.IndexFunc(r.held, func(f media.Frame) bool { return f.Track != track })
}

// dropSound drops the sound from before a place.
func (r *Rendition) dropSound(from int64) {
	early := 0
	for early < len(r.held) && place(&r.held[early]) < from {
		early++
	}
	r.held = r.forget(r.held, early)
}

// nextPicture returns the decode time of the picture after a part's last one, or where that will end.
func (r *Rendition) nextPicture(d *decision, pictures int) int64 {
	switch {
	case pictures < len(r.video):
		return r.video[pictures].DTS
	case pictures > 0:
		return r.video[pictures-1].DTS + r.follower.cadence.interval()
	}
	return d.end
}

// hintBehind returns the part that will come next, which the plan may know already.
func (r *Rendition) hintBehind() (msn int64, part int) {
	w, m := r.follower, &r.playlist
	open := m.open.MSN
	if open < m.window.next { // it is complete
		return m.window.next, 0
	}
	if len(w.decisions) > 0 && w.decisions[0].kind == partEnds {
		return open, len(m.parts)
	}
	if w.keyNext && len(m.parts) > 0 {
		return open + 1, 0
	}
	return open, len(m.parts)
}
