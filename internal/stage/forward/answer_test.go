package forward

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// TestAnswersAreBounded asks for one packet every 10 ms for a second.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	s.feed(t, e.frame(t, 0, 300, true)...)
	lost := s.got[100].header.SequenceNumber
	var at []time.Duration
	for now := time.Second; now < 2*time.Second; now += 10 * ms {
		if ref, ok := s.video.Answer(lost, now); ok {
			at = append(at, now-time.Second)
			if ref != s.got[100].source {
				t.Fatalf("answered with %+v, want %+v", ref, s.got[100].source)
			}
		}
	}
	want := []time.Duration{0, 30 * ms, 90 * ms, 210 * ms}
	if len(at) != len(want) {
		t.Fatalf("answered at %v, want %v", at, want)
	}
	for i := range want {
		if at[i] != want[i] {
			t.Fatalf("answered at %v, want %v", at, want)
		}
	}
	if _, ok := s.video.Answer(lost+1, 2*time.Second); !ok {
		t.Error("the next packet is not answered")
	}
	if _, ok := s.video.Answer(lost-3000, 2*time.Second); ok {
		t.Error("answered for a packet from long ago")
	}
}

// TestAnswersAreAShareOfTheMedia has a receiver that loses everything: the answers must not become more than the media.
func TestAnswersAreAShareOfTheMedia(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	first := e.frame(t, 0, 1, true)
	s.feed(t, first...)
	size := len(first[0].bytes)
	now, answered, sent := time.Second, 0, 0
	for range 20_000 {
		s.feed(t, e.frame(t, now, 1, false)...)
		sent += size
		last := s.got[len(s.got)-1].header.SequenceNumber
		for back := range uint16(20) {
			if _, ok := s.video.Answer(last-back, now); ok {
				answered++
			}
		}
		now += 10 * ms
	}
	if most := (answerCredit + sent/answerShare*2) / answerSize; answered > most || answered < answerCredit/answerSize {
		t.Errorf("%d answers to %d bytes, want at most %d", answered, sent, most)
	}
}

// TestRepetitionsLeaveRoomForFirstAnswers loses one packet in 20 and has a receiver that asks for each ten times.
func TestRepetitionsLeaveRoomForFirstAnswers(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	var out Out
	now := time.Second
	for i := range 4000 {
		u := e.frame(t, now, 1, i == 0)[0]
		u.packet.End = u.packet.Start + 1000 // as large as packets are
		if s.video.Forward(0, &u.packet, &out) != Send {
			t.Fatal("not sent")
		}
		for back := uint16(i % 20); back < 200 && int(back) <= i; back += 20 {
			if _, ok := s.video.Answer(out.Seq-back, now); !ok && back == 0 {
				t.Fatalf("the first answer to packet %d is refused", i)
			}
		}
		now += 8 * ms
	}
}

func TestNothingIsAnsweredThatNobodyNeeds(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	s.feed(t, e.frame(t, 0, 3, true)...)
	seq := s.got[1].header.SequenceNumber
	s.video.Pause(true)
	if _, ok := s.video.Answer(seq, time.Second); ok {
		t.Error("answered while the video is paused")
	}
	s.video.Pause(false)
	if _, ok := s.video.Answer(seq, time.Second); !ok {
		t.Error("not answered after the pause")
	}
	plain := testStream(VP8)
	plain.RTXSSRC = 0
	s = subscriber{video: NewVideo(plain)}
	s.feed(t, e.frame(t, 0, 3, true)...)
	if _, ok := s.video.Answer(s.got[1].header.SequenceNumber, time.Second); ok {
		t.Error("answered without a stream to answer on")
	}
}
