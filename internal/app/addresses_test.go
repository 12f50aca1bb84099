package app_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/coder/websocket"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// TestAddressesAreServed dials every address that an answer names, with what an application would send there: none names
// what does not exist. An address of a kind that is not known here fails the test, so that a new one gets its proof.
func TestAddressesAreServed(t *testing.T) {
	t.Parallel()
	all := []string{"channel.ingestEndpoint", "channel.playbackUrl", "stage.endpoints.events", "stage.endpoints.whip", "token.events_url", "token.whip_url"}
	without := func(left ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(left, s) })
	}
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   []string
	}{
		"as it comes":    {func(*config.Config) {}, all},
		"TLS":            {func(c *config.Config) { c.TLSSelfSigned = true }, all},
		"TLS, one port":  {func(c *config.Config) { c.TLSSelfSigned, c.RTMPSAddr, c.RTMPAddr = true, "", "" }, all},
		"without RTMPS":  {func(c *config.Config) { c.RTMPSAddr = "" }, without("channel.ingestEndpoint")},
		"without stages": {func(c *config.Config) { c.MediaAddr = config.Off }, without(all[2:]...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apptest.Start(t, c.change)
			d := newDialer(t, s)
			found, dialled := map[string]bool{}, map[string]bool{}
			for _, a := range d.answers(t) {
				for kind, address := range addresses("", a.doc) {
					found[kind] = true
					if dialled[kind+address] {
						continue
					}
					dialled[kind+address] = true
					if err := d.dial(t, a, kind, address); err != nil {
						t.Errorf("%s %s: %v", kind, address, err)
					}
				}
			}
			if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, c.want) {
				t.Errorf("answers name %q, want %q", got, c.want)
			}
		})
	}
}

// answer is one body of the API, with what its resource is dialled with.
type answer struct {
	doc              any
	key, stage, user string // stream key; id of the stage and a token for it
}

// dialer asks the API and dials what it names.
type dialer struct {
	*apptest.Server
	http *http.Client

	mu     sync.Mutex
	bodies [][]byte
}

func newDialer(t *testing.T, s *apptest.Server) *dialer {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the server signs for itself
	t.Cleanup(transport.CloseIdleConnections)
	return &dialer{Server: s, http: &http.Client{Transport: transport}}
}

// Do sends a request of the SDK and keeps the body of the answer.
func (d *dialer) Do(r *http.Request) (*http.Response, error) {
	resp, err := d.http.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bodies = append(d.bodies, body)
	return resp, err
}

// take returns the answers since the last call.
func (d *dialer) take(t *testing.T, about answer) []answer {
	t.Helper()
	var out []answer
	for _, body := range d.bodies {
		if err := json.Unmarshal(body, &about.doc); err != nil {
			t.Fatal(err)
		}
		out = append(out, about)
		about.doc = nil
	}
	d.bodies = nil
	return out
}

// answers calls every operation that answers with a channel, a stage or a token. GetStream, which needs a picture on air,
// names the playback URL of its channel.
func (d *dialer) answers(t *testing.T) []answer {
	t.Helper()
	ctx := t.Context()
	channels := d.IVS(t)
	with := func(o *ivs.Options) { o.HTTPClient = d }
	made, err := channels.CreateChannel(ctx, &ivs.CreateChannelInput{}, with)
	must(t, err)
	_, err = channels.GetChannel(ctx, &ivs.GetChannelInput{Arn: made.Channel.Arn}, with)
	must(t, err)
	_, err = channels.BatchGetChannel(ctx, &ivs.BatchGetChannelInput{Arns: []string{*made.Channel.Arn}}, with)
	must(t, err)
	_, err = channels.UpdateChannel(ctx, &ivs.UpdateChannelInput{Arn: made.Channel.Arn, Name: aws.String("x")}, with)
	must(t, err)
	_, err = channels.ListChannels(ctx, &ivs.ListChannelsInput{}, with)
	must(t, err)
	out := d.take(t, answer{key: *made.StreamKey.Value})

	stages := d.IVSRealTime(t)
	rt := func(o *ivsrealtime.Options) { o.HTTPClient = d }
	stage, err := stages.CreateStage(ctx, &ivsrealtime.CreateStageInput{}, rt)
	must(t, err)
	arn := stage.Stage.Arn
	_, err = stages.GetStage(ctx, &ivsrealtime.GetStageInput{Arn: arn}, rt)
	must(t, err)
	_, err = stages.UpdateStage(ctx, &ivsrealtime.UpdateStageInput{Arn: arn, Name: aws.String("x")}, rt)
	must(t, err)
	_, err = stages.ListStages(ctx, &ivsrealtime.ListStagesInput{}, rt)
	must(t, err)
	token, err := stages.CreateParticipantToken(ctx, &ivsrealtime.CreateParticipantTokenInput{StageArn: arn}, rt)
	must(t, err)
	text := *token.ParticipantToken.Token
	about := answer{stage: (*arn)[strings.LastIndexByte(*arn, '/')+1:], user: text}
	out = append(out, d.take(t, about)...)
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	must(t, err)
	var doc any
	must(t, json.Unmarshal(claims, &doc))
	about.doc = map[string]any{"token": doc}
	return append(out, about)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// looksLikeAddress tells a URL or host:port.
var looksLikeAddress = regexp.MustCompile(`://|^\S+:\d+$`)

// namesAddress tells the members whose values are addresses, whatever they look like.
var namesAddress = regexp.MustCompile(`(?i)(url|endpoint)$|\.endpoints\.\w+$`)

// addresses returns the addresses in a document by the place where they stand; what is in a list stands where the same
// in a single answer does.
func addresses(place string, v any) map[string]string {
	out := map[string]string{}
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			maps.Copy(out, addresses(strings.TrimPrefix(place+"."+name, "."), member))
		}
	case []any:
		for _, member := range v {
			maps.Copy(out, addresses(strings.TrimSuffix(place, "s"), member))
		}
	case string:
		if looksLikeAddress.MatchString(v) && !strings.HasPrefix(v, "arn:") || v != "" && namesAddress.MatchString(place) {
			out[place] = v
		}
	}
	return out
}

// dial uses an address as an application does.
func (d *dialer) dial(t *testing.T, a answer, kind, address string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	switch kind {
	case "channel.ingestEndpoint":
		c, err := rtmptest.Dial(ctx, "rtmps://"+address+"/app/"+a.key, rtmptest.Options{TLS: d.http.Transport.(*http.Transport).TLSClientConfig})
		if err == nil {
			err = c.Close()
		}
		return err
	case "channel.playbackUrl":
		return d.request(ctx, http.MethodGet, address+"?status", "", "", http.StatusOK)
	case "stage.endpoints.whip", "token.whip_url":
		offer := rtctest.NewPublisher(t, rtctest.Options{}).Offer(t)
		return d.request(ctx, http.MethodPost, address, a.user, offer, http.StatusCreated)
	case "stage.endpoints.events", "token.events_url":
		c, resp, err := websocket.Dial(ctx, address+"/"+a.stage, &websocket.DialOptions{HTTPClient: d.http, Subprotocols: []string{a.user}})
		if err != nil {
			return err
		}
		if resp.Body != nil {
			_ = resp.Body.Close()
		}
		defer func() { _ = c.CloseNow() }()
		_, _, err = c.Read(ctx) // the state of the stage: the token was good
		return err
	}
	return errors.New("nobody knows how to dial that")
}

func (d *dialer) request(ctx context.Context, method, url, token, sdp string, want int) error {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(sdp))
	if err != nil {
		return err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/sdp")
	}
	resp, err := d.http.Do(r)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != want {
		return errors.New(resp.Status)
	}
	return nil
}
