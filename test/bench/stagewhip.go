package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rivus-live/rivus/test/bench/peer"
)

// whipSession is a member whose server speaks WHIP and WHEP: it has one connection to publish, and one to each
// participant that it receives.
type whipSession struct {
	load   *stageLoad
	member member

	mu        sync.Mutex
	resources []whipResource
}

// whipResource is the URL of a connection.
type whipResource struct{ url, token string }

func (s *whipSession) publish(ctx context.Context) (*peer.Peer, error) {
	p := s.load.newPublisher(s.member)
	return p, s.connect(ctx, p, s.member.Ticket.URL)
}

func (s *whipSession) watch(ctx context.Context) ([]*peer.Peer, error) {
	var peers []*peer.Peer
	for _, id := range s.member.Watch {
		p := s.load.newReceiver()
		if err := s.connect(ctx, p, s.member.Ticket.URL+"/subscribe/"+id); err != nil {
			return peers, err
		}
		peers = append(peers, p)
	}
	return peers, nil
}

func (s *whipSession) connect(ctx context.Context, p *peer.Peer, endpoint string) error {
	r, err := offerWHIP(ctx, p, endpoint, s.member.Ticket.Token)
	if err != nil {
		p.Close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resources = append(s.resources, r)
	return nil
}

// leave ends all connections.
func (s *whipSession) leave() {
	for _, r := range s.resources {
		r.leave()
	}
}

// offerWHIP posts the peer's offer and connects it.
func offerWHIP(ctx context.Context, p *peer.Peer, endpoint, token string) (whipResource, error) {
	s, answer, err := postWHIP(ctx, endpoint, token, p.Offer())
	if err != nil {
		return s, err
	}
	if err := p.Accept(answer); err != nil {
		return s, err
	}
	return s, p.Connect(ctx)
}

// postWHIP posts an offer and returns the answer.
func postWHIP(ctx context.Context, endpoint, token, offer string) (whipResource, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(offer))
	if err != nil {
		return whipResource{}, "", err
	}
	req.Header.Set("Content-Type", "application/sdp")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return whipResource{}, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %s: %.200s", req.URL.Path, resp.Status, body)
	}
	if err != nil {
		return whipResource{}, "", err
	}
	base, err := url.Parse(endpoint)
	if err != nil {
		return whipResource{}, "", err
	}
	at, err := base.Parse(resp.Header.Get("Location"))
	if err != nil {
		return whipResource{}, "", err
	}
	return whipResource{at.String(), token}, string(body), nil
}

// leave ends the connection. That it is gone already is no error.
func (s whipResource) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.url, nil)
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}
