package e2e

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/whipcheck"
)

// TestWHIPCheck holds the WHIP and the WHEP endpoint of a stage against their specifications, with tokens of the API.
func TestWHIPCheck(t *testing.T) {
	t.Parallel()
	srv := apptest.Start(t)
	made, err := srv.IVSRealTime(t).CreateStage(t.Context(), &sdk.CreateStageInput{
		ParticipantTokenConfigurations: []types.ParticipantTokenConfiguration{
			{UserId: aws.String("publisher")},
			{UserId: aws.String("checker")},
			{UserId: aws.String("viewer"), Capabilities: []types.ParticipantTokenCapability{"SUBSCRIBE"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	whip := *made.Stage.Endpoints.Whip
	publisher, checker, viewer := made.ParticipantTokens[0], made.ParticipantTokens[1], made.ParticipantTokens[2]
	t.Run("WHIP", func(t *testing.T) {
		t.Parallel()
		root := srv.PublicURL + "/" // redirects, as the service's global endpoint does
		if r := holds(t, whipcheck.Options{URL: root, Token: *checker.Token}); r.URL != whip {
			t.Errorf("%s leads to %s, want %s", root, r.URL, whip)
		}
	})
	t.Run("WHEP", func(t *testing.T) {
		t.Parallel()
		p := rtctest.NewPublisher(t, rtctest.Options{})
		p.Answer(t, post(t, whip, *publisher.Token, p.Offer(t)))
		rtctest.WaitClosed(t, "the publisher connects", p.Connected())
		p.Run(30, 3)
		holds(t, whipcheck.Options{URL: whip + "/subscribe/" + *publisher.ParticipantId, Token: *viewer.Token, Play: true})
	})
}

// holds runs the checker and demands that nothing is violated, and that all was checked of trickle, restart and media.
func holds(t *testing.T, o whipcheck.Options) *whipcheck.Report {
	t.Helper()
	r, err := whipcheck.Check(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	t.Log(text.String())
	for _, v := range r.Results {
		part, _, _ := strings.Cut(v.Rule, ".")
		whole := slices.Contains([]string{"auth", "answer", "offer", "session", "patch", "restart", "delete", "media"}, part)
		// Both trickle and restart are supported, so there is nothing to refuse.
		if v.Verdict == whipcheck.NotApplicable && whole && v.Rule != "patch.unsupported" || v.Verdict == whipcheck.Violated {
			t.Errorf("%s (%s) is %s: %s", v.Clause, v.Rule, v.Verdict, v.Detail)
		}
	}
	if strings.Contains(text.String(), o.Token) {
		t.Error("the token is in the report")
	}
	return r
}

// post posts an offer and returns the answer.
func post(t *testing.T, url, token, offer string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(offer))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/sdp")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("POST %s: %s %v: %s", url, resp.Status, err, body)
	}
	return string(body)
}
