package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rivus-live/rivus/internal/app"
	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// client calls the channel API of the server with its root key.
type client struct {
	base   string
	signer sigv4.Signer
	http   *http.Client
}

// newClient returns a client of the server in this process. It goes to the listening address: the public URL may lead
// through a proxy that is not there yet.
func newClient(r app.Ready, secure bool) *client {
	c := &client{
		base:   "http://" + config.Reachable(r.HTTP),
		signer: sigv4.Signer{AccessKeyID: r.AccessKeyID, Secret: r.SecretAccessKey, Region: region, Service: "ivs"},
		http:   &http.Client{Timeout: 10 * time.Second},
	}
	if secure {
		c.base = "https://" + config.Reachable(r.HTTP)
		// the server is this very process; its certificate is made for other names
		c.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	return c
}

// channel is what the tour says of one.
type channel struct{ arn, key string }

// channel finds a channel by name, or makes it.
func (c *client) channel(ctx context.Context, name string) (channel, error) {
	var list struct{ Channels []struct{ Arn string } }
	if err := c.call(ctx, "ListChannels", map[string]any{"filterByName": name}, &list); err != nil {
		return channel{}, err
	}
	if len(list.Channels) == 0 {
		var made struct {
			Channel   struct{ Arn string }
			StreamKey struct{ Value string }
		}
		// The source is passed through: a type without a ladder, in the container that needs the least work to play. It
		// comes over plain RTMP, which a server that listens in public takes for such channels only.
		in := map[string]any{"name": name, "type": "BASIC", "containerFormat": "FRAGMENTED_MP4", "insecureIngest": true}
		err := c.call(ctx, "CreateChannel", in, &made)
		return channel{made.Channel.Arn, made.StreamKey.Value}, err
	}
	arn := list.Channels[0].Arn
	var keys struct{ StreamKeys []struct{ Arn string } }
	if err := c.call(ctx, "ListStreamKeys", map[string]any{"channelArn": arn}, &keys); err != nil {
		return channel{}, err
	}
	var key struct{ StreamKey struct{ Value string } }
	var err error
	if len(keys.StreamKeys) == 0 {
		err = c.call(ctx, "CreateStreamKey", map[string]any{"channelArn": arn}, &key)
	} else {
		err = c.call(ctx, "GetStreamKey", map[string]any{"arn": keys.StreamKeys[0].Arn}, &key)
	}
	return channel{arn, key.StreamKey.Value}, err
}

// person is somebody who can join a stage.
type person struct{ name, token string }

// stage finds a stage by name, or makes it, and returns its ARN.
func (c *client) stage(ctx context.Context, name string) (string, error) {
	var list struct{ Stages []struct{ Arn, Name string } }
	if err := c.call(ctx, "ListStages", map[string]any{"maxResults": 100}, &list); err != nil {
		return "", err
	}
	for _, s := range list.Stages {
		if s.Name == name {
			return s.Arn, nil
		}
	}
	var made struct{ Stage struct{ Arn string } }
	err := c.call(ctx, "CreateStage", map[string]any{"name": name}, &made)
	return made.Stage.Arn, err
}

// invite makes a token of a stage for each name.
func (c *client) invite(ctx context.Context, stage string, names ...string) ([]person, error) {
	people := make([]person, 0, len(names))
	for _, name := range names {
		var made struct{ ParticipantToken struct{ Token string } }
		if err := c.call(ctx, "CreateParticipantToken", map[string]any{"stageArn": stage, "userId": name}, &made); err != nil {
			return nil, err
		}
		people = append(people, person{name, made.ParticipantToken.Token})
	}
	return people, nil
}

// call sends one signed request and decodes its answer.
func (c *client) call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/"+operation, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	req.Header.Set("Content-Type", "application/json")
	c.signer.Sign(req, sigv4.HashBody(body), time.Now())
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	defer resp.Body.Close() //nolint:errcheck // the body was read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", operation, resp.Status, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}
