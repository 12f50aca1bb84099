package rtctest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// TestLinkCarriesBothDirections joins two peer connections through a link and cuts it.
func TestLinkCarriesBothDirections(t *testing.T) {
	t.Parallel()
	link := NewLink(t, 1, Shape{Delay: 5 * ms}, Shape{Delay: 5 * ms})
	pub := NewPublisher(t, Options{})
	sub := NewSubscriber(t, Options{Settings: link.Apply(t)})
	connect(t, pub, sub)
	pub.Run(30, 3)
	g := sub.Wait(t, "video", IsVideo)
	link.Cut()
	lost := link.Down().Lost
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for link.Down().Lost < lost+50 || link.Up().Lost == 0 { // reports leave once a second
		select {
		case <-sub.Packets():
		case <-time.After(5 * ms):
		}
		if ctx.Err() != nil {
			t.Fatalf("nothing is lost: %+v, %+v", link.Down(), link.Up())
		}
	}
	link.SetDown(Shape{})
	link.SetUp(Shape{})
	sub.Wait(t, "video again", func(n Got) bool { return IsVideo(n) && n.Frame > g.Frame })
	if up := link.Up(); up.Delivered == 0 {
		t.Errorf("up: %+v", up)
	}
}

// connect lets the subscriber offer and the publisher, which has its tracks already, answer.
func connect(t *testing.T, pub *Publisher, sub *Subscriber) {
	t.Helper()
	offer := sub.Offer(t)
	if err := pub.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		t.Fatal(err)
	}
	answer, err := pub.PC.CreateAnswer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(pub.PC)
	if err := pub.PC.SetLocalDescription(answer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	sub.Answer(t, pub.PC.LocalDescription().SDP)
}

// TestRelayStalls sends more through a relay that does not read than all buffers hold, and lets it go on.
func TestRelayStalls(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := NewRelay(t, l.Addr().String())
	client, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	r.Stall(true)
	const size = 64 << 20
	_ = server.SetWriteDeadline(time.Now().Add(300 * ms))
	before, err := server.Write(make([]byte, size))
	if err == nil {
		t.Fatalf("%d bytes went into a relay that does not read", before)
	}
	if _, err := client.Write([]byte("up goes on")); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Read(make([]byte, 100)); err != nil || n != 10 {
		t.Fatalf("the other direction: %d, %v", n, err)
	}
	r.Stall(false)
	_ = server.SetWriteDeadline(time.Time{})
	var rest sync.WaitGroup
	rest.Go(func() {
		_, _ = server.Write(make([]byte, size-before))
		_ = server.Close()
	})
	if total, err := io.Copy(io.Discard, client); err != nil || total != size {
		t.Errorf("%d of %d bytes came: %v", total, size, err)
	}
	rest.Wait()
}
