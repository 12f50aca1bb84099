package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

func TestJavaScriptSDKRealTime(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) { c.AcceptUnbuilt = true }) // recording
	limited := apptest.Start(t, func(c *config.Config) { c.Quotas = "aws" })
	made, err := s.IVSRealTime(t).CreateStage(t.Context(), &sdk.CreateStageInput{
		ParticipantTokenConfigurations: []types.ParticipantTokenConfiguration{{UserId: aws.String("live")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	on := made.ParticipantTokens[0]
	attend(t, made.Stage, *on.Token)
	apptest.Eventually(t, "the participant is listed", func() error {
		st, err := s.IVSRealTime(t).GetStage(t.Context(), &sdk.GetStageInput{Arn: made.Stage.Arn})
		if err != nil {
			return err
		}
		_, err = s.IVSRealTime(t).GetParticipant(t.Context(), &sdk.GetParticipantInput{
			StageArn: made.Stage.Arn, SessionId: st.Stage.ActiveSessionId, ParticipantId: on.ParticipantId,
		})
		return err
	})
	cmd := node(t, "--test", "sdk-realtime.test.mjs")
	cmd.Env = append(append(cmd.Env, awsEnv(s)...),
		"RIVUS_LIVE_STAGE="+*made.Stage.Arn, "RIVUS_LIVE_PARTICIPANT="+*on.ParticipantId,
		"RIVUS_QUOTAS_URL="+limited.PublicURL, "RIVUS_QUOTAS_KEY="+limited.AccessKeyID+":"+limited.SecretAccessKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestDisconnectLasts burns two participants, one with a token of the server and one with a token that it was shown the
// public key of, and checks after a restart that neither comes back, with the old token or with a new one, and that
// everybody else does: what was signed and advertised before counts.
func TestDisconnectLasts(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	api, ctx := s.IVSRealTime(t), t.Context()
	made, err := api.CreateStage(ctx, &sdk.CreateStageInput{ParticipantTokenConfigurations: make([]types.ParticipantTokenConfiguration, 2)})
	if err != nil {
		t.Fatal(err)
	}
	own := newSigner(t, api, made.Stage)
	welcome := []string{*made.ParticipantTokens[0].Token, own.token(t, "welcome", time.Now())}
	burnt := []string{*made.ParticipantTokens[1].Token, own.token(t, "burnt", time.Now())}
	for _, token := range append(welcome, burnt...) {
		attend(t, made.Stage, token)
	}
	for _, id := range []string{*made.ParticipantTokens[1].ParticipantId, "burnt"} {
		if _, err := api.DisconnectParticipant(ctx, &sdk.DisconnectParticipantInput{StageArn: made.Stage.Arn, ParticipantId: &id}); err != nil {
			t.Fatal(err)
		}
	}
	burnt = append(burnt, own.token(t, "burnt", time.Now().Add(time.Second)))
	check := func(s *apptest.Server) {
		t.Helper()
		st := *made.Stage
		st.Endpoints = &types.StageEndpoints{Events: aws.String("ws" + strings.TrimPrefix(s.PublicURL, "http") + "/rt/events")}
		for i, token := range burnt {
			if _, err := knock(t, &st, token); websocket.CloseStatus(err) != 4403 {
				t.Errorf("burnt token %d: %v, want close code 4403", i, err)
			}
		}
		for i, token := range welcome {
			c, err := knock(t, &st, token)
			if err != nil {
				t.Fatalf("good token %d: %v", i, err)
			}
			_ = c.CloseNow()
		}
	}
	check(s)
	s.Stop()
	s = s.Restart(t)
	check(s)
	if _, err := s.IVSRealTime(t).DeletePublicKey(ctx, &sdk.DeletePublicKeyInput{Arn: &own.key}); err != nil {
		t.Fatal(err)
	}
	st := *made.Stage
	st.Endpoints = &types.StageEndpoints{Events: aws.String("ws" + strings.TrimPrefix(s.PublicURL, "http") + "/rt/events")}
	if _, err := knock(t, &st, welcome[1]); websocket.CloseStatus(err) != 4401 {
		t.Errorf("token of a deleted key: %v, want close code 4401", err)
	}
}

// signer signs tokens of a stage with a key that was imported.
type signer struct {
	stage   *types.Stage
	private *ecdsa.PrivateKey
	key     string // ARN of the public half
}

func newSigner(t *testing.T, api *sdk.Client, st *types.Stage) signer {
	t.Helper()
	private, err1 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	der, err2 := x509.MarshalPKIXPublicKey(private.Public())
	out, err3 := api.ImportPublicKey(t.Context(), &sdk.ImportPublicKeyInput{
		PublicKeyMaterial: aws.String(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))),
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return signer{stage: st, private: private, key: *out.PublicKey.Arn}
}

func (s signer) token(t *testing.T, participant string, issued time.Time) string {
	t.Helper()
	_, id, _ := strings.Cut(*s.stage.Arn, "/")
	draft := jwt.NewWithClaims(jwt.SigningMethodES384, jwt.MapClaims{
		"iat": issued.Unix(), "exp": issued.Add(time.Hour).Unix(), "jti": participant, "version": "1.0",
		"resource": *s.stage.Arn, "topic": id, "events_url": *s.stage.Endpoints.Events, "whip_url": *s.stage.Endpoints.Whip,
		"capabilities": map[string]bool{"allow_subscribe": true},
	})
	draft.Header["kid"] = s.key
	text, err := draft.SignedString(s.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// attend connects a participant to the events socket of a stage until the test ends.
func attend(t *testing.T, st *types.Stage, token string) {
	t.Helper()
	c, err := knock(t, st, token)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for { // whoever reads answers the server's pings
			if _, _, err := c.Read(context.WithoutCancel(t.Context())); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.CloseNow()
		<-read
	})
}

// knock opens an events socket and returns it when the server lets the participant in. What the server closes the socket
// with is the error: a websocket.CloseError.
func knock(t *testing.T, st *types.Stage, token string) (*websocket.Conn, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), peerPatience(t))
	defer stop()
	_, id, _ := strings.Cut(*st.Arn, "/")
	c, resp, err := websocket.Dial(ctx, *st.Endpoints.Events+"/"+id, &websocket.DialOptions{Subprotocols: []string{token}})
	if err != nil {
		return nil, err
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	for {
		var message struct{ Type string }
		_, b, err := c.Read(ctx)
		if err == nil {
			err = json.Unmarshal(b, &message)
		}
		if err != nil || message.Type == "STAGE_STATE" {
			return c, err
		}
	}
}

// TestAWSCLIRealTime drives a stage with the AWS CLI. As with TestAWSCLI its absence skips the test, and so does a
// version from before there were stages.
func TestAWSCLIRealTime(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "aws", "--version").Run(); err != nil {
		t.Skip("the AWS CLI is not installed here; the Go and JavaScript SDK suites cover the same calls")
	}
	s := apptest.Start(t)
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "aws", append([]string{"--endpoint-url", s.PublicURL, "--output", "json", "ivs-realtime"}, args...)...)
		cmd.Env = append(os.Environ(), awsEnv(s)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("create-stage", "--name", "cli", "--tags", "team=live",
		"--participant-token-configurations", "userId=a,duration=5,capabilities=PUBLISH")
	if err != nil && strings.Contains(out, "Invalid choice") {
		t.Skip("the AWS CLI that is installed here does not know stages")
	}
	var made struct {
		Stage             struct{ Arn string }
		ParticipantTokens []struct{ ParticipantID string }
	}
	if err := errors.Join(err, json.Unmarshal([]byte(out), &made)); err != nil || len(made.ParticipantTokens) != 1 {
		t.Fatalf("create-stage: %v: %s", err, out)
	}
	stage, participant := made.Stage.Arn, made.ParticipantTokens[0].ParticipantID
	for _, c := range []struct {
		args []string
		want string // in the output; an error when it ends with Exception
	}{
		{[]string{"get-stage", "--arn", stage}, "rt/whip"},
		{[]string{"list-stages"}, stage},
		{[]string{"update-stage", "--arn", stage, "--name", "renamed"}, "renamed"},
		{[]string{"create-participant-token", "--stage-arn", stage, "--attributes", "k=v"}, "participantId"},
		{[]string{"tag-resource", "--resource-arn", stage, "--tags", "a=b"}, ""},
		{[]string{"list-tags-for-resource", "--resource-arn", stage}, `"a": "b"`},
		{[]string{"untag-resource", "--resource-arn", stage, "--tag-keys", "a", "team"}, ""},
		{[]string{"list-stage-sessions", "--stage-arn", stage}, "stageSessions"},
		{[]string{"disconnect-participant", "--stage-arn", stage, "--participant-id", participant}, ""},
		{[]string{"create-storage-configuration", "--s3", "bucketName=of-cli"}, "of-cli"},
		{[]string{"delete-storage-configuration", "--arn", stage}, "ValidationException"},
		{[]string{"delete-stage", "--arn", stage}, ""},
		{[]string{"get-stage", "--arn", stage}, "ResourceNotFoundException"},
	} {
		out, err := run(c.args...)
		if refused := strings.HasSuffix(c.want, "Exception"); (err != nil) != refused || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v: %s", c.args[0], err, out)
		}
	}
}
