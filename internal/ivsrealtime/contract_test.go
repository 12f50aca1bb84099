package ivsrealtime_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"

	"github.com/rivus-live/rivus/internal/ivsrealtime"
)

// ARNs of things that do not exist, of things of another account, and one that is none.
const (
	foreignStage   = "arn:aws:ivs:" + region + ":444455556666:stage/000000000000"
	foreignKey     = "arn:aws:ivs:" + region + ":444455556666:public-key/000000000000"
	foreignStorage = "arn:aws:ivs:" + region + ":444455556666:storage-configuration/000000000000"

	noStage       = "arn:aws:ivs:" + region + ":" + account + ":stage/000000000000"
	noKey         = "arn:aws:ivs:" + region + ":" + account + ":public-key/000000000000"
	noStorage     = "arn:aws:ivs:" + region + ":" + account + ":storage-configuration/000000000000"
	noComposition = "arn:aws:ivs:" + region + ":" + account + ":composition/000000000000"
	noARN         = "arn:aws:ivs:stage"

	noSession = "st-0000000000000"
)

// scene is an API with one of each resource in it, made afresh for each case.
type scene struct {
	*env
	t       *testing.T
	api     *sdk.Client
	stage   *string // ARN
	key     *string // ARN
	storage *string // ARN
}

// contractCase is a call that brings an error about. An ARN in call that is "" stands for the scene's own.
type contractCase struct {
	operation, code string
	status          int
	text            string // part of the message, when the text is known
	quotas          bool
	call            func(ctx context.Context, s scene) error
}

// raised are the errors that calls can bring about, one case or more for each.
func raised() []contractCase {
	return slices.Concat(stageCases(), tokenCases(), sessionCases(), keyCases(), storageCases(), tagCases())
}

// operations are those that the service has to answer.
func operations() []string {
	return []string{
		"CreateStage", "GetStage", "ListStages", "UpdateStage", "DeleteStage",
		"CreateParticipantToken", "DisconnectParticipant",
		"GetStageSession", "ListStageSessions", "GetParticipant", "ListParticipants", "ListParticipantEvents",
		"ImportPublicKey", "GetPublicKey", "ListPublicKeys", "DeletePublicKey",
		"CreateStorageConfiguration", "GetStorageConfiguration", "ListStorageConfigurations", "DeleteStorageConfiguration",
		"TagResource", "UntagResource", "ListTagsForResource",
	}
}

// unraised are the declared errors that no call can bring about, with the reason. An operation of "" stands for all.
func unraised() map[[2]string]string {
	const (
		verified  = "accounts of one's own server need no verification"
		ownOnly   = "every access key may do everything in its own account, and the request cannot name another one"
		reads     = "it changes nothing"
		counted   = "there is no quota on it: tokens and changes are not counted"
		anytime   = "it may be deleted at any time: who is connected is disconnected, or stays"
		notTested = "the bucket is written to, and so looked up, when something is recorded"
		fromIndex = "a list comes from the index in memory, which answers when the engine does not"
		conflicts = "two may name the same bucket"
	)
	return map[[2]string]string{
		{"", "PendingVerification"}:                                     verified,
		{"CreateStage", "AccessDeniedException"}:                        ownOnly,
		{"ListStages", "AccessDeniedException"}:                         ownOnly,
		{"ListStages", "ConflictException"}:                             reads,
		{"UpdateStage", "ServiceQuotaExceededException"}:                counted,
		{"DeleteStage", "ConflictException"}:                            anytime,
		{"CreateParticipantToken", "ServiceQuotaExceededException"}:     counted,
		{"ImportPublicKey", "AccessDeniedException"}:                    ownOnly,
		{"ListPublicKeys", "AccessDeniedException"}:                     ownOnly,
		{"DeletePublicKey", "ConflictException"}:                        anytime,
		{"CreateStorageConfiguration", "AccessDeniedException"}:         ownOnly,
		{"CreateStorageConfiguration", "ConflictException"}:             conflicts,
		{"CreateStorageConfiguration", "ResourceNotFoundException"}:     notTested,
		{"GetStorageConfiguration", "ConflictException"}:                reads,
		{"GetStorageConfiguration", "ServiceQuotaExceededException"}:    reads,
		{"DeleteStorageConfiguration", "ServiceQuotaExceededException"}: counted,
		{"ListStorageConfigurations", "AccessDeniedException"}:          ownOnly,
		{"ListStorageConfigurations", "ConflictException"}:              reads,
		{"ListStorageConfigurations", "ServiceQuotaExceededException"}:  reads,
		{"ListStorageConfigurations", "InternalServerException"}:        fromIndex,
	}
}

// TestContract brings about each error that an operation declares and a call can bring about.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, c := range raised() {
		t.Run(c.operation+"/"+c.code, func(t *testing.T) {
			t.Parallel()
			var options []func(*ivsrealtime.Options)
			if c.quotas {
				options = append(options, withQuotas)
			}
			s := scene{env: start(t, options...), t: t}
			s.stage = s.create(t, "demo").Arn
			key, _ := s.importKey(t)
			s.key, s.storage = key.Arn, s.env.storage(t).Arn
			var rec recorder
			s.api = s.client(s.url, region, &rec)
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
	data, err := os.ReadFile("../../api/model/ivs-realtime.json")
	check(t, err)
	var model struct {
		Operations map[string]struct{ Errors []string }
	}
	check(t, json.Unmarshal(data, &model))
	cases, reasons := raised(), unraised()
	used := make(map[[2]string]bool)
	if got := len(ivsrealtime.New(ivsrealtime.Options{}).Operations()); got != len(operations()) {
		t.Errorf("the service has %d operations, want %d", got, len(operations()))
	}
	for _, c := range cases {
		if !slices.Contains(operations(), c.operation) {
			t.Errorf("a case of %s, which is no operation", c.operation)
		}
	}
	for _, op := range operations() {
		declared := model.Operations[op].Errors
		if len(declared) == 0 {
			t.Errorf("the model has no errors of %s", op)
		}
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
