package ivsrealtime_test

import (
	"crypto/ecdsa"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/token"
)

// selfSigned signs a token as the guide for it says.
func (e *env) selfSigned(
	tb testing.TB, stage, key *string, private *ecdsa.PrivateKey, participant, events, whip string,
) string {
	tb.Helper()
	t := jwt.NewWithClaims(jwt.SigningMethodES384, jwt.MapClaims{
		"exp": e.time().Add(time.Hour).Unix(), "iat": e.time().Unix(), "jti": participant, "version": "1.0",
		"resource": *stage, "topic": parse(tb, stage).ID, "events_url": events, "whip_url": whip,
		"capabilities": map[string]bool{"allow_publish": true, "allow_subscribe": true},
	})
	t.Header["kid"] = *key
	text, err := t.SignedString(private)
	check(tb, err)
	return text
}

// TestTokens makes tokens in both ways and reads them back.
func TestTokens(t *testing.T) {
	t.Parallel()
	type config = types.ParticipantTokenConfiguration
	e := start(t)
	tests := []struct {
		config             config
		publish, subscribe bool
		minutes            int32
	}{
		{config{}, true, true, 720},
		{config{Capabilities: []types.ParticipantTokenCapability{}}, true, true, 720},
		{config{Capabilities: []types.ParticipantTokenCapability{"SUBSCRIBE"}, Duration: aws.Int32(1)}, false, true, 1},
		{config{Capabilities: []types.ParticipantTokenCapability{"PUBLISH"}, Duration: aws.Int32(20160)}, true, false, 20160},
		{config{Capabilities: []types.ParticipantTokenCapability{"SUBSCRIBE", "PUBLISH"}}, true, true, 720},
		{config{Capabilities: []types.ParticipantTokenCapability{"PUBLISH", "PUBLISH"}}, true, false, 720},
		{config{UserId: aws.String("alice"), Attributes: map[string]string{"color": "<blue>", "é": strings.Repeat("x", 1009)}}, true, true, 720},
		{config{UserId: aws.String(strings.Repeat("\x01é", 64)), Attributes: map[string]string{"x": strings.Repeat("\x01", 1023)}}, true, true, 720},
	}
	in := &sdk.CreateStageInput{}
	for _, test := range tests {
		in.ParticipantTokenConfigurations = append(in.ParticipantTokenConfigurations, test.config)
	}
	out, err := e.api().CreateStage(t.Context(), in)
	check(t, err)
	if len(out.ParticipantTokens) != len(tests) {
		t.Fatalf("%d tokens, want %d", len(out.ParticipantTokens), len(tests))
	}
	for i, test := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			alone, err := e.api().CreateParticipantToken(t.Context(), &sdk.CreateParticipantTokenInput{
				StageArn: out.Stage.Arn, Attributes: test.config.Attributes, Capabilities: test.config.Capabilities,
				Duration: test.config.Duration, UserId: test.config.UserId,
			})
			check(t, err)
			if *alone.ParticipantToken.ParticipantId == *out.ParticipantTokens[i].ParticipantId {
				t.Error("two tokens of one participant")
			}
			for _, tok := range []types.ParticipantToken{out.ParticipantTokens[i], *alone.ParticipantToken} {
				want := token.Claims{
					ParticipantID: *tok.ParticipantId, StageARN: parse(t, out.Stage.Arn), Topic: parse(t, out.Stage.Arn).ID,
					UserID: aws.ToString(test.config.UserId), Attributes: test.config.Attributes,
					Publish: test.publish, Subscribe: test.subscribe, IssuedAt: e.time(),
					Expires:   e.time().Add(time.Duration(test.minutes) * time.Minute),
					EventsURL: *out.Stage.Endpoints.Events, WHIPURL: *out.Stage.Endpoints.Whip, OurOwn: true,
				}
				got, err := e.authority.Verify(t.Context(), *tok.Token)
				check(t, err)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("claims\n%+v, want\n%+v", got, want)
				}
				if *tok.Duration != test.minutes || !tok.ExpirationTime.Equal(want.Expires) ||
					slices.Contains(tok.Capabilities, "PUBLISH") != test.publish ||
					slices.Contains(tok.Capabilities, "SUBSCRIBE") != test.subscribe ||
					!reflect.DeepEqual(tok.UserId, test.config.UserId) || !reflect.DeepEqual(tok.Attributes, test.config.Attributes) {
					t.Errorf("answer %+v", tok)
				}
			}
		})
	}
}

// TestDisconnectParticipant checks that a participant is burnt before its connections are dropped, and that neither its
// tokens of before nor those of later are good, in the next life of the server either.
func TestDisconnectParticipant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := startIn(t, dir)
	ctx := t.Context()
	out, err := e.api().CreateStage(ctx, &sdk.CreateStageInput{
		ParticipantTokenConfigurations: make([]types.ParticipantTokenConfiguration, 2),
	})
	check(t, err)
	stage, kicked, stays := out.Stage, out.ParticipantTokens[0], out.ParticipantTokens[1]
	key, private := e.importKey(t)
	signed := func(id string) string {
		return e.selfSigned(t, stage.Arn, key.Arn, private, id, *stage.Endpoints.Events, *stage.Endpoints.Whip)
	}
	var told atomic.Pointer[string]
	e.media.disconnect = func(a arn.ARN, id, reason string) error {
		told.Store(aws.String(a.String() + " " + id + " " + reason))
		_, err := e.authority.Verify(ctx, *kicked.Token)
		wantRefusal(t, err, token.WasDisconnected)
		return nil
	}
	_, err = e.authority.Verify(ctx, *kicked.Token)
	check(t, err)
	_, err = e.api().DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{
		StageArn: stage.Arn, ParticipantId: kicked.ParticipantId, Reason: aws.String("because"),
	})
	check(t, err)
	if got := *told.Load(); got != *stage.Arn+" "+*kicked.ParticipantId+" because" {
		t.Errorf("asked to disconnect %s", got)
	}
	// One that was never seen is burnt as well, and so is one whose node does not answer.
	e.media.disconnect = func(stage arn.ARN, _, _ string) error { return nobodyThere(stage) }
	_, err = e.api().DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{StageArn: stage.Arn, ParticipantId: aws.String("un_seen")})
	check(t, err)
	e.media.disconnect = func(arn.ARN, string, string) error { return fault.New(fault.Unavailable, "away") }
	for range 2 {
		_, err = e.api().DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{StageArn: stage.Arn, ParticipantId: aws.String("away")})
		wantCode(t, err, "InternalServerException")
	}
	e.state.Close()
	e.conn.Close()

	e = startIn(t, dir)
	for name, text := range map[string]string{
		"minted": *kicked.Token, "signed later": signed(*kicked.ParticipantId), "unseen": signed("un_seen"), "away": signed("away"),
	} {
		if _, err := e.authority.Verify(ctx, text); err == nil {
			t.Errorf("%s: the token is good", name)
		} else {
			wantRefusal(t, err, token.WasDisconnected)
		}
	}
	for _, text := range []string{*stays.Token, signed("Away")} {
		_, err := e.authority.Verify(ctx, text)
		check(t, err)
	}
}

// TestSweep checks that burnt participants are forgotten when no token can name them any more, and not before.
func TestSweep(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx := t.Context()
	stage, gone := e.create(t, "stays"), e.create(t, "goes")
	burn := func(stage *string, id string) {
		_, err := e.api().DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{StageArn: stage, ParticipantId: &id})
		check(t, err)
	}
	burn(stage.Arn, "early")
	burn(stage.Arn, "again")
	burn(gone.Arn, "early")
	want := func(n int) {
		t.Helper()
		check(t, e.service.Sweep(ctx))
		if got := len(e.opts.Records.Disconnected.All()); got != n {
			t.Errorf("%d are burnt, want %d", got, n)
		}
	}
	want(3)
	_, err := e.api().DeleteStage(ctx, &sdk.DeleteStageInput{Arn: gone.Arn})
	check(t, err)
	want(2)
	e.advance(20 * 24 * time.Hour)
	burn(stage.Arn, "again")
	want(2)
	e.advance(8 * 24 * time.Hour)
	want(1)
	e.advance(20 * 24 * time.Hour)
	want(0)
}

// TestRun checks that sweeping begins at once and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	e := start(t)
	stage := e.create(t, "demo")
	_, err := e.api().DisconnectParticipant(t.Context(), &sdk.DisconnectParticipantInput{StageArn: stage.Arn, ParticipantId: aws.String("a")})
	check(t, err)
	e.advance(28 * 24 * time.Hour)
	ctx, stop := contextWithCancel(t)
	ended := make(chan error)
	go func() { ended <- e.service.Run(ctx) }()
	eventually(t, func() bool { return len(e.opts.Records.Disconnected.All()) == 0 })
	stop()
	check(t, <-ended)
}
