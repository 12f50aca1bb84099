package ivs_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"

	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/resource"
)

// ARNs of things that do not exist, of things of another account, and one that is none.
const (
	foreignChannel = "arn:aws:ivs:" + region + ":444455556666:channel/000000000000"
	foreignKey     = "arn:aws:ivs:" + region + ":444455556666:stream-key/000000000000"

	noChannel   = "arn:aws:ivs:" + region + ":" + account + ":channel/000000000000"
	noKey       = "arn:aws:ivs:" + region + ":" + account + ":stream-key/000000000000"
	noRecording = "arn:aws:ivs:" + region + ":" + account + ":recording-configuration/000000000000"
	noPolicy    = "arn:aws:ivs:" + region + ":" + account + ":playback-restriction-policy/000000000000"
	noAds       = "arn:aws:ivs:" + region + ":" + account + ":ad-configuration/000000000000"
	noARN       = "arn:aws:ivs:channel"
)

// scene is an API with one channel in it, made afresh for each case.
type scene struct {
	*env
	t       *testing.T
	api     *sdk.Client
	channel *string // ARN
	key     *string // ARN
}

// onAir puts the channel of the scene on air.
func (s scene) onAir() { s.publish(s.t, s.channel, live(resource.Healthy)) }

// raised are the errors that calls can bring about, one case or more for each.
func raised() []contractCase {
	return slices.Concat(channelCases(), streamKeyCases(), streamCases(), keyPairCases(), policyCases(), revocationCases(), tagCases())
}

type contractCase struct {
	operation, code string
	status          int
	quotas          bool
	text            string // part of the message, when the text is known
	call            func(ctx context.Context, s scene) error
}

// operations are those that the service has to answer.
func operations() []string {
	return []string{
		"CreateChannel", "GetChannel", "BatchGetChannel", "ListChannels", "UpdateChannel", "DeleteChannel",
		"CreateStreamKey", "GetStreamKey", "BatchGetStreamKey", "ListStreamKeys", "DeleteStreamKey",
		"GetStream", "ListStreams", "StopStream", "PutMetadata",
		"ImportPlaybackKeyPair", "GetPlaybackKeyPair", "ListPlaybackKeyPairs", "DeletePlaybackKeyPair",
		"CreatePlaybackRestrictionPolicy", "GetPlaybackRestrictionPolicy", "ListPlaybackRestrictionPolicies",
		"UpdatePlaybackRestrictionPolicy", "DeletePlaybackRestrictionPolicy",
		"StartViewerSessionRevocation", "BatchStartViewerSessionRevocation",
		"TagResource", "UntagResource", "ListTagsForResource",
	}
}

// unraised are the declared errors that no call can bring about, with the reason. An operation of "" stands for all.
func unraised() map[[2]string]string {
	const (
		verified   = "accounts of one's own server need no verification"
		ownOnly    = "every access key may do everything in its own account, and the request cannot name another one"
		oneByOne   = "a foreign ARN is refused with the code 403 in the list of errors, the other ARNs are answered"
		noConflict = "nothing that can be asked for is in the way of anything else"
		fromIndex  = "stream keys are found in the index in memory, which answers when the engine does not"
	)
	return map[[2]string]string{
		{"", "PendingVerification"}:                    verified,
		{"CreateChannel", "AccessDeniedException"}:     ownOnly,
		{"ListChannels", "AccessDeniedException"}:      ownOnly,
		{"ListStreams", "AccessDeniedException"}:       ownOnly,
		{"BatchGetChannel", "AccessDeniedException"}:   oneByOne,
		{"BatchGetStreamKey", "AccessDeniedException"}: oneByOne,
		{"BatchGetStreamKey", "ServiceUnavailable"}:    fromIndex,

		{"ImportPlaybackKeyPair", "AccessDeniedException"}:             ownOnly,
		{"ListPlaybackKeyPairs", "AccessDeniedException"}:              ownOnly,
		{"CreatePlaybackRestrictionPolicy", "AccessDeniedException"}:   ownOnly,
		{"ListPlaybackRestrictionPolicies", "AccessDeniedException"}:   ownOnly,
		{"BatchStartViewerSessionRevocation", "AccessDeniedException"}: oneByOne,
		{"ListPlaybackRestrictionPolicies", "ConflictException"}:       noConflict,
		{"UpdatePlaybackRestrictionPolicy", "ConflictException"}:       noConflict,
	}
}

// TestContract brings about each error that an operation declares and a call can bring about.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, c := range raised() {
		t.Run(c.operation+"/"+c.code, func(t *testing.T) {
			t.Parallel()
			options := []func(*ivs.Options){referring(false)}
			if c.quotas {
				options = append(options, withQuotas)
			}
			s := scene{env: start(t, options...), t: t}
			var rec recorder
			s.api = s.client("AKIDONE", "secret-one", region, &rec)
			ch, key := s.create(t, "demo")
			s.channel, s.key = ch.Arn, key.Arn
			err := c.call(t.Context(), s)
			wantCode(t, err, c.code)
			if rec.status != c.status {
				t.Errorf("status %d, want %d", rec.status, c.status)
			}
			var text struct{ ExceptionMessage, Message string }
			check(t, json.Unmarshal(rec.body, &text))
			if text.Message == "" || !strings.Contains(text.Message, c.text) || text.ExceptionMessage != text.Message {
				t.Errorf("answer %s, want %q in its messages", rec.body, c.text)
			}
		})
	}
}

// TestContractIsComplete holds the cases against the contract: every error that an operation declares is either raised
// or listed with a reason, and nothing else is.
func TestContractIsComplete(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../api/model/ivs.json")
	check(t, err)
	var model struct {
		Operations map[string]struct{ Errors []string }
	}
	check(t, json.Unmarshal(data, &model))
	cases, reasons := raised(), unraised()
	used := make(map[[2]string]bool)
	if got := len(ivs.New(ivs.Options{}).Operations()); got != len(operations()) {
		t.Errorf("the service has %d operations, want %d", got, len(operations()))
	}
	for _, op := range operations() {
		declared := model.Operations[op].Errors
		for _, code := range declared {
			isRaised := slices.ContainsFunc(cases, func(c contractCase) bool {
				return c.operation == op && c.code == code
			})
			key := [2]string{op, code}
			if _, ok := reasons[key]; !ok {
				key[0] = ""
			}
			_, excused := reasons[key]
			used[key] = true
			if isRaised == excused {
				t.Errorf("%s of %s: raised %v, listed as impossible %v", code, op, isRaised, excused)
			}
		}
		for _, c := range cases {
			if c.operation == op && !slices.Contains(declared, c.code) {
				t.Errorf("%s does not declare %s", c.operation, c.code)
			}
		}
	}
	for key := range reasons {
		if !used[key] {
			t.Errorf("no operation declares %v", key)
		}
	}
}
