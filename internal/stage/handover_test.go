package stage

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// offer posts an offer whose answer leads to nothing, unless the test goes on with it.
func (e *env) offer(tb testing.TB, path, tok, sdp string, header map[string]string) joined {
	tb.Helper()
	resp, body := e.request(tb, http.MethodPost, e.url+path, tok, sdpType, sdp, header)
	if resp.StatusCode != http.StatusCreated {
		tb.Fatalf("%s: %d %s", path, resp.StatusCode, body)
	}
	return joined{url: resp.Header.Get("Location"), tok: tok}
}

// heard returns the types of the messages up to the answer to a PING, but for the state.
func (c *events) heard() (list []string) {
	c.tb.Helper()
	c.say(typePing, nil)
	return c.untilPong()
}

func (c *events) untilPong() (list []string) {
	c.tb.Helper()
	for {
		g, err := c.next()
		if err != nil {
			c.tb.Fatal(err)
		}
		switch g.Type {
		case typePong:
			return list
		case typeState, typeSelected:
		default:
			list = append(list, g.Type)
		}
	}
}

// TestOfferOfAPublisherThatNeverConnects: a second offer that leads to nothing costs the first nothing, and is forgotten.
func TestOfferOfAPublisherThatNeverConnects(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	watcher := e.connect(t, e.token("carol", nil))
	tok := e.token("alice", nil)
	alice := e.republish(t, tok, rtctest.Options{})
	sub, _ := e.subscribe(t, "bob", rtctest.Options{})
	sub.Wait(t, "video", isFrame)
	watcher.heard()

	vain := rtctest.NewPublisher(t, rtctest.Options{NoAudio: true}).Offer(t)
	sessions := e.whip.Sessions()
	e.offer(t, "/rt/whip", tok, vain, nil)
	e.offer(t, "/rt/whip", tok, vain, nil)
	var told []string
	var listening sync.WaitGroup
	listening.Go(func() { told = watcher.untilPong() })
	eventually(t, "the offers are forgotten", func() bool { return e.whip.Sessions() == sessions })
	select {
	case <-alice.Ended():
		t.Error("the publication has ended")
	case <-sub.Ended():
		t.Error("the subscription has ended")
	default:
	}
	for range len(sub.Packets()) {
		<-sub.Packets()
	}
	sub.Wait(t, "video after all", isFrame)
	watcher.say(typePing, nil)
	if listening.Wait(); len(told) > 0 {
		t.Errorf("the others were told %q", told)
	}
	e.wantHistory(t, "alice", "JOINED", "PUBLISH_STARTED")
}

// TestOfferOfASubscriberThatNeverConnects is the same for a subscription.
func TestOfferOfASubscriberThatNeverConnects(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	e.republish(t, e.token("alice", nil), rtctest.Options{})
	tok := e.token("bob", nil)
	sub := rtctest.NewSubscriber(t, rtctest.Options{})
	e.join(t, "/rt/whip/subscribe/alice", tok, sub)
	sub.Wait(t, "video", isFrame)
	eventually(t, "it is known to be connected", func() bool { return e.connected(t, "bob", "alice") })

	offer := rtctest.NewSubscriber(t, rtctest.Options{}).Offer(t)
	sessions := e.whip.Sessions()
	e.offer(t, "/rt/whip/subscribe/alice", tok, offer, nil)
	second := e.offer(t, "/rt/whip/subscribe/alice", tok, offer, nil)
	if s := e.Stats(); s.Subscriptions != 2 {
		t.Errorf("%+v: the second offer takes the place of the first", s)
	}
	if resp, body := e.request(t, http.MethodDelete, second.url, tok, "", "", nil); resp.StatusCode != http.StatusOK {
		t.Error(resp.StatusCode, body)
	}
	e.offer(t, "/rt/whip/subscribe/alice", tok, offer, nil)
	eventually(t, "the offers are forgotten", func() bool { return e.whip.Sessions() == sessions })
	select {
	case <-sub.Ended():
		t.Error("the subscription has ended")
	default:
	}
	e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED")
	again := rtctest.NewSubscriber(t, rtctest.Options{})
	e.join(t, "/rt/whip/subscribe/alice", tok, again)
	again.Wait(t, "video", isFrame)
	rtctest.WaitClosed(t, "the older subscription ends", sub.Ended())
	e.wantHistory(t, "bob", "JOINED", "SUBSCRIBE_STARTED", "SUBSCRIBE_STOPPED", "SUBSCRIBE_STARTED")
}

// connected reports whether media can flow from a publisher to a participant.
func (e *env) connected(t *testing.T, id, publisher string) (told bool) {
	t.Helper()
	_, err := e.in(t.Context(), e.stage, false, func(r *room) error {
		told = r.participants[id].subs[publisher].told
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// TestCameraThenMicrophone is a page that publishes its camera and, before that is connected, camera and microphone, and
// gives up the first.
func TestCameraThenMicrophone(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	watcher := e.connect(t, e.token("carol", nil))
	watcher.heard()
	tok := e.token("alice", nil)
	camera := rtctest.NewPublisher(t, rtctest.Options{NoAudio: true}).Offer(t)
	first := e.offer(t, "/rt/whip", tok, camera, map[string]string{"Rivus-Publication": "page.1"})
	video := rtctest.NewSubscriber(t, rtctest.Options{NoAudio: true})
	e.join(t, "/rt/whip/subscribe/alice", e.token("bob", nil), video)
	both := rtctest.NewSubscriber(t, rtctest.Options{})
	e.join(t, "/rt/whip/subscribe/alice", e.token("dave", nil), both)

	all := rtctest.NewPublisher(t, rtctest.Options{})
	resp, answer := e.request(t, http.MethodPost, e.url+"/rt/whip", tok, sdpType, all.Offer(t), map[string]string{"Rivus-Publication": "page.2"})
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.StatusCode, answer)
	}
	if resp, body := e.request(t, http.MethodDelete, first.url, tok, "", "", nil); resp.StatusCode != http.StatusOK {
		t.Error(resp.StatusCode, body)
	}
	later, _ := e.subscribe(t, "erin", rtctest.Options{}) // finds the publication that is to come
	if resp, body := e.request(t, http.MethodPost, e.url+"/rt/whip", tok, sdpType, camera, map[string]string{"Rivus-Publication": "page.1"}); resp.StatusCode != http.StatusConflict {
		t.Errorf("an older publication that comes late: %d %s", resp.StatusCode, body)
	}
	all.Answer(t, answer)
	all.Run(30, 3)
	later.Wait(t, "audio", rtctest.IsAudio)
	video.Wait(t, "video, on the connection that was made for the first", isFrame)
	rtctest.WaitClosed(t, "who wants audio too makes a subscription anew", both.Ended())
	told := slices.DeleteFunc(watcher.heard(), func(kind string) bool { return kind == typeJoined || kind == typeLeft })
	if !slices.Equal(told, []string{typePublished, typePublished}) {
		t.Errorf("the others were told %q", told)
	}
	e.wantHistory(t, "alice", "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "PUBLISH_STARTED")
}

// TestSubscribeWhileReplaced: a subscriber is answered, whatever its publisher replaces meanwhile.
func TestSubscribeWhileReplaced(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	tok, viewer := e.token("alice", nil), e.token("bob", nil)
	offers := []string{rtctest.NewPublisher(t, rtctest.Options{NoAudio: true}).Offer(t), rtctest.NewPublisher(t, rtctest.Options{}).Offer(t)}
	live := e.offer(t, "/rt/whip", tok, offers[0], nil)
	recv := rtctest.NewSubscriber(t, rtctest.Options{}).Offer(t)
	done := make(chan struct{})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if resp, body := e.request(t, http.MethodPost, e.url+"/rt/whip/subscribe/alice", viewer, sdpType, recv, nil); resp.StatusCode != http.StatusCreated {
					t.Errorf("%d %s", resp.StatusCode, body)
					return
				}
			}
		})
	}
	for i := range 50 {
		next := e.offer(t, "/rt/whip", tok, offers[(i+1)%2], nil)
		e.request(t, http.MethodDelete, live.url, tok, "", "", nil)
		live = next
	}
	close(done)
	group.Wait()
}

// TestFollows: which subscriptions go on with which publication.
func TestFollows(t *testing.T) {
	t.Parallel()
	opus, h264, vp8 := &Format{Name: "opus"}, &Format{Name: "H264"}, &Format{Name: "VP8"}
	type formats = [kinds]*Format
	for name, c := range map[string]struct {
		old, next    formats
		takes, lacks [kinds]bool
		want         bool
	}{
		"the same":                     {formats{opus, h264}, formats{opus, h264}, [kinds]bool{true, true}, [kinds]bool{}, true},
		"another codec":                {formats{opus, h264}, formats{opus, vp8}, [kinds]bool{true, true}, [kinds]bool{}, false},
		"another codec, audio only":    {formats{opus, h264}, formats{opus, vp8}, [kinds]bool{true, false}, [kinds]bool{}, true},
		"no video any more":            {formats{opus, h264}, formats{opus, nil}, [kinds]bool{true, true}, [kinds]bool{}, false},
		"no video, which is not taken": {formats{opus, h264}, formats{opus, nil}, [kinds]bool{true, false}, [kinds]bool{}, true},
		"audio that was asked for":     {formats{nil, h264}, formats{opus, h264}, [kinds]bool{false, true}, [kinds]bool{true, false}, false},
		"audio that was not":           {formats{nil, h264}, formats{opus, h264}, [kinds]bool{false, true}, [kinds]bool{}, true},
	} {
		env := testEnvironment()
		s := newSubscription(1, "alice", newPublication(env, newFakeSource(), c.old, nil, nil), nil, c.takes, nil)
		s.lacks = c.lacks
		if got := s.follows(newPublication(env, newFakeSource(), c.next, nil, nil)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestLayersOfASuccessor: the others are told of what is published now.
func TestLayersOfASuccessor(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	watcher := e.connect(t, e.token("carol", nil))
	tok := e.token("alice", nil)
	e.republish(t, tok, rtctest.Options{NoAudio: true})
	e.republish(t, tok, rtctest.Options{})
	for _, audio := range []bool{false, true} {
		watcher.wait(typePublished, func(b json.RawMessage) bool {
			var v participantView
			if err := json.Unmarshal(b, &v); err != nil || v.HasAudio != audio || !v.HasVideo {
				t.Errorf("%s %v", b, err)
			}
			return true
		})
	}
}
