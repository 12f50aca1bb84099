package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/rivus-live/rivus/internal/sigv4"
)

// request makes a signed API request.
func (s *server) request(ctx context.Context, operation string, in any) (*http.Request, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.HTTP+"/"+operation, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	s.signer.Sign(req, sigv4.HashBody(body), time.Now())
	return req, nil
}

// wire returns a signed request as the bytes of a keep-alive connection. It may be sent for five minutes, any number
// of times: a signature does not know how often it was used.
func (s *server) wire(ctx context.Context, operation string, in any) ([]byte, error) {
	req, err := s.request(ctx, operation, in)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = req.Write(&b)
	return b.Bytes(), err
}

// call makes an API request and decodes its answer.
func (s *server) call(ctx context.Context, operation string, in, out any) error {
	req, err := s.request(ctx, operation, in)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	body, err := s.do(req)
	if err == nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

// channel is a channel and how to reach it.
type channel struct {
	PublishURL  string
	PlaybackURL string
}

// createChannels makes n channels that keep the source as it is, in a container of the API's name: with low latency, which
// transport streams are not served with.
func (s *server) createChannels(ctx context.Context, n int, container string) ([]channel, error) {
	latency := "LOW"
	if container == "TS" {
		latency = "NORMAL"
	}
	in := map[string]any{"type": "BASIC", "latencyMode": latency, "containerFormat": container}
	list := make([]channel, 0, n)
	for range n {
		var made struct {
			Channel   struct{ PlaybackURL string }
			StreamKey struct{ Value string }
		}
		if err := s.call(ctx, "CreateChannel", in, &made); err != nil {
			return nil, err
		}
		list = append(list, channel{
			PublishURL:  "rtmp://" + s.RTMP + "/app/" + made.StreamKey.Value,
			PlaybackURL: made.Channel.PlaybackURL,
		})
	}
	return list, nil
}
