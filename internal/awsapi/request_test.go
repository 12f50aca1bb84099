package awsapi_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/eventbridge"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/ivschat"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
)

// request is a generated input.
type request interface {
	ReadJSON(r *restjson.Reader)
	Check(c *restjson.Checks)
	AppendJSON(b []byte) []byte
}

// requests makes one input of each form that the models have: nested, lists of structures, maps, numbers.
func requests() []func() request {
	return []func() request{
		func() request { return new(ivs.CreateChannelRequest) },
		func() request { return new(ivs.BatchGetChannelRequest) },
		func() request { return new(ivs.BatchStartViewerSessionRevocationRequest) },
		func() request { return new(ivs.CreateAdConfigurationRequest) },
		func() request { return new(ivs.CreateRecordingConfigurationRequest) },
		func() request { return new(ivs.ListStreamsRequest) },
		func() request { return new(ivs.PutMetadataRequest) },
		func() request { return new(ivsrealtime.StartCompositionRequest) },
		func() request { return new(ivsrealtime.CreateEncoderConfigurationRequest) },
		func() request { return new(ivsrealtime.CreateStageRequest) },
		func() request { return new(ivschat.CreateRoomRequest) },
		func() request { return new(ivschat.CreateChatTokenRequest) },
		func() request { return new(ivschat.CreateLoggingConfigurationRequest) },
		func() request { return new(eventbridge.PutTargetsRequest) },
		func() request { return new(eventbridge.PutEventsRequest) },
		func() request { return new(eventbridge.CreateConnectionRequest) },
	}
}

// bodies returns a body for each of requests.
func bodies() []string {
	return []string{
		`{"name":"demo","latencyMode":"LOW","authorized":true,"tags":{"a":"b"},"multitrackInputConfiguration":{"enabled":true,"policy":"ALLOW"}}`,
		`{"arns":["` + channelARN + `"]}`,
		`{"viewerSessions":[{"channelArn":"` + channelARN + `","viewerId":"v","viewerSessionVersionsLessThanOrEqualTo":0}]}`,
		`{"mediaTailorPlaybackConfigurations":[{"playbackConfigurationArn":"arn:aws:mediatailor:r:1:playbackConfiguration/x"}],"postRollConfiguration":{"enabled":true,"durationSeconds":1}}`,
		`{"destinationConfiguration":{"s3":{"bucketName":"abc"}},"thumbnailConfiguration":{"storage":["LATEST"],"targetIntervalSeconds":60}}`,
		`{"filterBy":{"health":"HEALTHY"},"maxResults":1,"nextToken":""}`,
		`{"channelArn":"` + channelARN + `","metadata":"\ud83d\ude00"}`,
		`{"stageArn":"` + stageARN + `","destinations":[{"channel":{"channelArn":"` + channelARN + `"}}],"layout":{"grid":{"gridGap":0}}}`,
		`{"video":{"width":1280,"height":720,"framerate":29.97,"bitrate":2500000}}`,
		`{"participantTokenConfigurations":[{"duration":1,"attributes":{"k":"v"},"capabilities":["PUBLISH"]}]}`,
		`{"maximumMessageLength":500,"messageReviewHandler":{"uri":"","fallbackResult":"ALLOW"}}`,
		`{"roomIdentifier":"` + roomARN + `","userId":"u","capabilities":[],"attributes":{}}`,
		`{"destinationConfiguration":{"cloudWatchLogs":{"logGroupName":"g"}}}`,
		`{"Rule":"r","Targets":[{"Id":"1","Arn":"arn:aws:sns:us-west-2:1:t","RetryPolicy":{"MaximumRetryAttempts":0},"InputTransformer":{"InputPathsMap":{"a":"$.b"},"InputTemplate":"<a>"}}]}`,
		`{"Entries":[{"Time":1700000000.25,"Source":"s","DetailType":"t","Detail":"{}","Resources":[]},{"Time":-1e-3}]}`,
		`{"Name":"c","AuthorizationType":"BASIC","AuthParameters":{"BasicAuthParameters":{"Username":"u","Password":"p"},` +
			`"InvocationHttpParameters":{"HeaderParameters":[{"Key":"k","Value":"v","IsValueSecret":true}]}}}`,
	}
}

// TestBodiesAreAccepted keeps the seeds of the fuzz test meaningful.
func TestBodiesAreAccepted(t *testing.T) {
	t.Parallel()
	for i, body := range bodies() {
		in := requests()[i]()
		if err := restjson.Decode([]byte(body), in); err != nil {
			t.Errorf("%T %s: %v", in, body, err)
		}
	}
}

// FuzzRequestJSON: no body makes the decoder panic, and an input that was accepted writes itself as a body that gives
// the same input.
func FuzzRequestJSON(f *testing.F) {
	for i, body := range bodies() {
		f.Add(i, []byte(body))
	}
	makers := requests()
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		makeIt := makers[uint(which)%uint(len(makers))]
		in := makeIt()
		err := restjson.Decode(body, in)
		if err != nil {
			_, syntax := errors.AsType[*restjson.SyntaxError](err)
			if _, invalid := errors.AsType[*restjson.ValidationError](err); !syntax && !invalid || err.Error() == "" {
				t.Errorf("%T %v", err, err)
			}
			return
		}
		text, again := in.AppendJSON(nil), makeIt()
		if err := restjson.Decode(text, again); err != nil {
			t.Fatalf("%s was written as %s: %v", body, text, err)
		}
		if !reflect.DeepEqual(in, again) {
			t.Errorf("%s: %+v became %+v", body, in, again)
		}
	})
}

// TestRequired tells absent members from those that are zero.
func TestRequired(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   request
		body string
		want string
	}{
		{new(ivs.InsertAdBreakRequest), `{"channelArn":"` + channelARN + `"}`, "Value null at 'durationSeconds' failed to satisfy constraint: Member must not be null"},
		{new(ivs.InsertAdBreakRequest), `{"channelArn":"` + channelARN + `","durationSeconds":0}`, "Value '0' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{new(ivsrealtime.GetParticipantRequest), `{"stageArn":"` + stageARN + `","sessionId":"st-0123456789abc"}`, "Value null at 'participantId' failed to satisfy constraint: Member must not be null"},
		{new(ivschat.CreateRoomRequest), `{"messageReviewHandler":{"uri":"arn:aws:lambda:r:1:function:x"}}`, "Value 'arn:aws:lambda:r:1:function:x' at 'messageReviewHandler.uri' failed to satisfy constraint: Member must satisfy regular expression pattern: $|^arn:aws:lambda:[a-z0-9-]+:[0-9]{12}:function:.+.*"},
		{new(ivschat.CreateChatTokenRequest), `{"roomIdentifier":"` + roomARN + `","userId":""}`, "Value at 'userId' failed to satisfy constraint: Member must have length greater than or equal to 1"},
	} {
		err := restjson.Decode([]byte(c.body), c.in)
		if want := "1 validation error detected: " + c.want; err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.body, err, want)
		}
	}
	// A required member that may be empty is there when it is empty.
	in := new(ivsrealtime.GetParticipantRequest)
	if err := restjson.Decode([]byte(`{"stageArn":"`+stageARN+`","sessionId":"st-0123456789abc","participantId":""}`), in); err != nil {
		t.Error(err)
	}
	if err := restjson.Decode([]byte(fmt.Sprintf(`{"preset":%q}`, "")), new(ivs.UpdateChannelRequest)); err == nil {
		t.Error("an update needs an ARN")
	}
	if err := restjson.Decode([]byte(`{"preset":""}`), new(ivs.CreateChannelRequest)); err != nil {
		t.Errorf("a client may send back the empty preset that it read: %v", err)
	}
}
