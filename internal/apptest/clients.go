package apptest

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// IVS returns an AWS SDK client of the channel service that signs with the root key. It does not retry: a test wants to
// see the first answer.
func (s *Server) IVS(tb testing.TB) *ivs.Client {
	tb.Helper()
	return ivs.New(ivs.Options{
		Region:           Region,
		BaseEndpoint:     aws.String(s.PublicURL),
		Credentials:      credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, ""),
		RetryMaxAttempts: 1,
	})
}

// IVSRealTime is IVS for the real-time service.
func (s *Server) IVSRealTime(tb testing.TB) *ivsrealtime.Client {
	tb.Helper()
	return ivsrealtime.New(ivsrealtime.Options{
		Region:           Region,
		BaseEndpoint:     aws.String(s.PublicURL),
		Credentials:      credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, ""),
		RetryMaxAttempts: 1,
	})
}

// EventBridge is IVS for the service of rules.
func (s *Server) EventBridge(tb testing.TB) *eventbridge.Client {
	tb.Helper()
	return eventbridge.New(eventbridge.Options{
		Region:           Region,
		BaseEndpoint:     aws.String(s.PublicURL),
		Credentials:      credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, ""),
		RetryMaxAttempts: 1,
	})
}

// SNS is IVS for the service of topics.
func (s *Server) SNS(tb testing.TB) *sns.Client {
	tb.Helper()
	return sns.New(sns.Options{
		Region:           Region,
		BaseEndpoint:     aws.String(s.PublicURL),
		Credentials:      credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, ""),
		RetryMaxAttempts: 1,
	})
}

// Channel is a channel that a test made.
type Channel struct {
	types.Channel
	Key string // stream key value
}

// CreateChannel makes a channel after the changes to its request.
func (s *Server) CreateChannel(tb testing.TB, changes ...func(*ivs.CreateChannelInput)) Channel {
	tb.Helper()
	in := &ivs.CreateChannelInput{Name: aws.String("test")}
	for _, change := range changes {
		change(in)
	}
	out, err := s.IVS(tb).CreateChannel(tb.Context(), in)
	if err != nil {
		tb.Fatalf("CreateChannel: %v", err)
	}
	return Channel{Channel: *out.Channel, Key: aws.ToString(out.StreamKey.Value)}
}
