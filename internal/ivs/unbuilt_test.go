package ivs_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"

	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// references are the members of a channel that refer to what is not built.
func references() map[string]sdk.CreateChannelInput {
	return map[string]sdk.CreateChannelInput{
		"recordingConfigurationArn": {RecordingConfigurationArn: aws.String(noRecording)},
		"adConfigurationArn":        {AdConfigurationArn: aws.String(noAds)},
	}
}

// updateWith is an update with the references of a create.
func updateWith(channel *string, in sdk.CreateChannelInput) *sdk.UpdateChannelInput {
	return &sdk.UpdateChannelInput{
		Arn: channel, RecordingConfigurationArn: in.RecordingConfigurationArn, AdConfigurationArn: in.AdConfigurationArn,
	}
}

// TestUnbuiltIsRefused: a channel that would never be recorded is not made, and the answer says so.
func TestUnbuiltIsRefused(t *testing.T) {
	t.Parallel()
	e := start(t)
	ch, _ := e.create(t, "demo")
	for member, in := range references() {
		_, err := e.api().CreateChannel(t.Context(), &in)
		wantCode(t, err, "ValidationException")
		if e, ok := errors.AsType[*types.ValidationException](err); ok && !strings.Contains(*e.ExceptionMessage, member+" cannot be used: ") {
			t.Errorf("create: %s", *e.ExceptionMessage)
		}
		_, err = e.api().UpdateChannel(t.Context(), updateWith(ch.Arn, in))
		wantCode(t, err, "ValidationException")
	}
	none := &sdk.CreateChannelInput{
		RecordingConfigurationArn: aws.String(""), PlaybackRestrictionPolicyArn: aws.String(""), AdConfigurationArn: aws.String(""),
		Authorized: true, Type: "ADVANCED_HD", Preset: "HIGHER_BANDWIDTH_DELIVERY",
	}
	_, err := e.api().CreateChannel(t.Context(), none)
	check(t, err)
	_, err = e.api().UpdateChannel(t.Context(), updateWith(ch.Arn, *none))
	check(t, err)
}

// TestUnbuiltIsStored: an application under test gets back what it set, and the log tells of each.
func TestUnbuiltIsStored(t *testing.T) {
	t.Parallel()
	var lines syncBuilder
	e := start(t, func(o *ivs.Options) {
		o.Unbuilt.Accept, o.Unbuilt.Logger = true, slog.New(slog.NewTextHandler(&lines, nil))
	})
	for member, in := range references() {
		made, err := e.api().CreateChannel(t.Context(), &in)
		check(t, err)
		got := made.Channel
		if in.RecordingConfigurationArn != nil && *got.RecordingConfigurationArn != noRecording ||
			in.AdConfigurationArn != nil && *got.AdConfigurationArn != noAds {
			t.Errorf("%s: %+v", member, got)
		}
		if !strings.Contains(lines.String(), "member="+member) {
			t.Errorf("%s is not in the log:\n%s", member, lines.String())
		}
	}
}

// TestUnbuiltThatIsStored: a record that holds such a reference stays readable, and any update that does not add one
// is taken, also one that repeats what is stored.
func TestUnbuiltThatIsStored(t *testing.T) {
	t.Parallel()
	e := start(t)
	for _, in := range references() {
		ch, _ := e.create(t, "demo")
		a := parse(t, ch.Arn)
		_, err := e.channels.Update(t.Context(), store.Key{Scope: a.Scope, ID: a.ID}, func(ch resource.Channel) (resource.Channel, error) {
			ch.RecordingConfigurationARN, ch.PlaybackRestrictionPolicyARN, ch.AdConfigurationARN = noRecording, noPolicy, noAds
			return ch, nil
		})
		check(t, err)
		_, err = e.api().GetChannel(t.Context(), &sdk.GetChannelInput{Arn: ch.Arn})
		check(t, err)
		_, err = e.api().UpdateChannel(t.Context(), &sdk.UpdateChannelInput{Arn: ch.Arn, Name: aws.String("new")})
		check(t, err)
		_, err = e.api().UpdateChannel(t.Context(), updateWith(ch.Arn, in))
		check(t, err)
		other := aws.String(strings.Replace(noRecording, "000000000000", "111111111111", 1))
		_, err = e.api().UpdateChannel(t.Context(), &sdk.UpdateChannelInput{Arn: ch.Arn, RecordingConfigurationArn: other})
		wantCode(t, err, "ValidationException")
	}
}

// syncBuilder collects what several goroutines write.
type syncBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
