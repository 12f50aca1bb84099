package app_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/ivs"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/audit"
	"github.com/rivus-live/rivus/internal/config"
)

// recorded asks the audit, as rivus audit does.
func recorded(s *apptest.Server, filter url.Values) (list []audit.Record, text string, err error) {
	resp, err := http.Get("http://" + s.Admin + "/audit?" + filter.Encode()) //nolint:noctx // a test
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var r audit.Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, "", fmt.Errorf("%s: %w", lines.Bytes(), err)
		}
		list, text = append(list, r), text+lines.Text()
	}
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return list, text, errors.Join(err, lines.Err())
}

// waitRecorded waits until the audit has so many records.
func waitRecorded(t *testing.T, s *apptest.Server, filter url.Values, n int) (list []audit.Record, text string) {
	t.Helper()
	apptest.Eventually(t, fmt.Sprintf("%d records of %v", n, filter), func() (err error) {
		if list, text, err = recorded(s, filter); err == nil && len(list) != n {
			err = fmt.Errorf("%d records: %s", len(list), text)
		}
		return err
	})
	return list, text
}

// TestAudit: changes and refusals of those who have proved who they are leave one record each, which outlives a restart; reads and
// data calls leave none; nothing secret is in them.
func TestAudit(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	ch := s.CreateChannel(t)
	alice := user(t, s, "alice", "")
	_, err := alice.ivs.GetChannel(t.Context(), &ivs.GetChannelInput{Arn: ch.Arn})
	refused(t, err, "AccessDeniedException", "ivs:GetChannel")
	_, err = s.IVS(t).GetChannel(t.Context(), &ivs.GetChannelInput{Arn: ch.Arn})
	ok(t, err)
	_, err = s.IVS(t).DeleteChannel(t.Context(), &ivs.DeleteChannelInput{Arn: ch.Arn})
	ok(t, err)
	check := func(s *apptest.Server) {
		t.Helper()
		list, text := waitRecorded(t, s, url.Values{"action": {"ivs:*"}}, 3)
		made, denied, deleted := list[0], list[1], list[2]
		if made.Action != "ivs:CreateChannel" || made.Status != 200 || made.Error != "" || made.Principal != "arn:aws:iam::"+s.AccountID+":root" ||
			made.Address != "127.0.0.1" || made.Region != apptest.Region || made.RequestID == "" || !strings.Contains(made.UserAgent, "aws-sdk-go-v2") {
			t.Errorf("%+v", made)
		}
		if denied.Action != "ivs:GetChannel" || denied.Error != "AccessDeniedException" || !strings.HasSuffix(denied.Principal, ":user/alice") ||
			len(denied.Resources) != 1 || denied.Resources[0] != *ch.Arn {
			t.Errorf("%+v", denied)
		}
		if deleted.Action != "ivs:DeleteChannel" || deleted.Resources[0] != *ch.Arn {
			t.Errorf("%+v", deleted)
		}
		_, all := waitRecorded(t, s, nil, 5) // with those of the user and her key
		for _, secret := range []string{ch.Key, alice.secret, s.SecretAccessKey} {
			if strings.Contains(all+text, secret) {
				t.Errorf("a secret is in %s", all)
			}
		}
	}
	check(s)
	if list, _ := waitRecorded(t, s, url.Values{"principal": {"*alice"}, "resource": {*ch.Arn}}, 1); list[0].Action != "ivs:GetChannel" {
		t.Errorf("%+v", list)
	}
	s.Stop()
	check(s.Restart(t))
}

// TestStrangersAreSampled: calls that prove nothing are counted, and one a minute of an address is recorded.
func TestStrangersAreSampled(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	stranger := actorOf(s, s.AccessKeyID, "another secret", "")
	for range 5 {
		_, err := stranger.ivs.ListChannels(t.Context(), &ivs.ListChannelsInput{})
		refused(t, err, "InvalidSignatureException", "")
	}
	list, _ := waitRecorded(t, s, nil, 1)
	if r := list[0]; r.Principal != "" || r.Account != "" || r.Address != "127.0.0.1" || r.Error != "InvalidSignatureException" {
		t.Errorf("%+v", r)
	}
}

// TestCallsAreEvents: rules match calls as CloudTrail tells them.
func TestCallsAreEvents(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) { c.AuditDataCalls = true })
	url, got := endpoint(t, nil)
	hook(t, s, url, `{"detail-type":["AWS API Call via CloudTrail"],"source":["aws.ivs"],"detail":{"eventName":["CreateChannel"],"userIdentity":{"type":["Root"]}}}`)
	_, err := s.EventBridge(t).PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{
		{Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(`{}`)},
	}})
	ok(t, err)
	waitRecorded(t, s, map[string][]string{"action": {"events:PutEvents"}}, 1)
	s.CreateChannel(t)
	<-got
}
