package awsapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
	"github.com/rivus-live/rivus/internal/sts"
)

// judge is an Authorizer of a test: it answers what it is told to, and remembers the questions.
type judge struct {
	answer func(resource string) error

	mu    sync.Mutex
	asked []string // types of targets
}

func (j *judge) Authorize(_ context.Context, a awsapi.Access) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = append(j.asked, a.Target.Type)
	return j.answer(a.Resource())
}

// denies is an Authorizer that allows nothing.
func denies() *judge {
	return &judge{answer: func(string) error {
		return fault.New(fault.Denied, "because no identity-based policy allows it")
	}}
}

// touching is how to call an operation, and the types of what the call touches. "ARN" in its body stands for an ARN of
// the first type; a body without it names no resource.
type touching struct {
	body  string
	types string
}

// calls has a call of every operation that is built.
func calls() map[string]touching {
	const arn, stage = `{"arn":"ARN"}`, `{"stageArn":"ARN"`
	return map[string]touching{
		"ivs CreateChannel":                     {`{}`, "channel stream-key"},
		"ivs GetChannel":                        {arn, "channel"},
		"ivs BatchGetChannel":                   {`{"arns":["ARN"]}`, "channel"},
		"ivs ListChannels":                      {`{}`, "channel"},
		"ivs UpdateChannel":                     {arn, "channel"},
		"ivs DeleteChannel":                     {arn, "channel"},
		"ivs CreateStreamKey":                   {`{"channelArn":"ARN"}`, "channel stream-key"},
		"ivs GetStreamKey":                      {arn, "stream-key"},
		"ivs BatchGetStreamKey":                 {`{"arns":["ARN"]}`, "stream-key"},
		"ivs ListStreamKeys":                    {`{"channelArn":"ARN"}`, "channel"},
		"ivs DeleteStreamKey":                   {arn, "stream-key"},
		"ivs GetStream":                         {`{"channelArn":"ARN"}`, "channel"},
		"ivs ListStreams":                       {`{}`, "channel"},
		"ivs StopStream":                        {`{"channelArn":"ARN"}`, "channel"},
		"ivs PutMetadata":                       {`{"channelArn":"ARN","metadata":"x"}`, "channel"},
		"ivs ImportPlaybackKeyPair":             {`{"publicKeyMaterial":"x"}`, "playback-key"},
		"ivs GetPlaybackKeyPair":                {arn, "playback-key"},
		"ivs ListPlaybackKeyPairs":              {`{}`, "playback-key"},
		"ivs DeletePlaybackKeyPair":             {arn, "playback-key"},
		"ivs CreatePlaybackRestrictionPolicy":   {`{}`, "playback-restriction-policy"},
		"ivs GetPlaybackRestrictionPolicy":      {arn, "playback-restriction-policy"},
		"ivs ListPlaybackRestrictionPolicies":   {`{}`, "playback-restriction-policy"},
		"ivs UpdatePlaybackRestrictionPolicy":   {arn, "playback-restriction-policy"},
		"ivs DeletePlaybackRestrictionPolicy":   {arn, "playback-restriction-policy"},
		"ivs StartViewerSessionRevocation":      {`{"channelArn":"ARN","viewerId":"x"}`, "channel"},
		"ivs BatchStartViewerSessionRevocation": {`{"viewerSessions":[{"channelArn":"ARN","viewerId":"x"}]}`, "channel"},
		"ivs TagResource":                       {`{"tags":{"a":"b"}}`, "channel"},
		"ivs UntagResource":                     {``, "channel"},
		"ivs ListTagsForResource":               {``, "channel"},

		"ivs-realtime CreateStage":                {`{}`, "stage"},
		"ivs-realtime GetStage":                   {arn, "stage"},
		"ivs-realtime ListStages":                 {`{}`, "stage"},
		"ivs-realtime UpdateStage":                {arn, "stage"},
		"ivs-realtime DeleteStage":                {arn, "stage"},
		"ivs-realtime CreateParticipantToken":     {stage + `}`, "stage"},
		"ivs-realtime DisconnectParticipant":      {stage + `,"participantId":"ABCdefGHI123"}`, "stage"},
		"ivs-realtime GetStageSession":            {stage + `,"sessionId":"st-1AbCdEfGhIjKl"}`, "stage"},
		"ivs-realtime ListStageSessions":          {stage + `}`, "stage"},
		"ivs-realtime GetParticipant":             {stage + `,"sessionId":"st-1AbCdEfGhIjKl","participantId":"ABCdefGHI123"}`, "stage"},
		"ivs-realtime ListParticipants":           {stage + `,"sessionId":"st-1AbCdEfGhIjKl"}`, "stage"},
		"ivs-realtime ListParticipantEvents":      {stage + `,"sessionId":"st-1AbCdEfGhIjKl","participantId":"ABCdefGHI123"}`, "stage"},
		"ivs-realtime ImportPublicKey":            {`{"publicKeyMaterial":"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}`, "public-key"},
		"ivs-realtime GetPublicKey":               {arn, "public-key"},
		"ivs-realtime ListPublicKeys":             {`{}`, "public-key"},
		"ivs-realtime DeletePublicKey":            {arn, "public-key"},
		"ivs-realtime CreateStorageConfiguration": {`{"s3":{"bucketName":"bucket"}}`, "storage-configuration"},
		"ivs-realtime GetStorageConfiguration":    {arn, "storage-configuration"},
		"ivs-realtime ListStorageConfigurations":  {`{}`, "storage-configuration"},
		"ivs-realtime DeleteStorageConfiguration": {arn, "storage-configuration"},
		"ivs-realtime TagResource":                {`{"tags":{"a":"b"}}`, "stage"},
		"ivs-realtime UntagResource":              {``, "stage"},
		"ivs-realtime ListTagsForResource":        {``, "stage"},

		"sts GetCallerIdentity": {},
	}
}

// services are all that answer calls. They have nothing behind them: a call that gets past the authorizer panics.
func services() []awsapi.Service {
	return []awsapi.Service{ivs.New(ivs.Options{}), ivsrealtime.New(ivsrealtime.Options{}), whoami{}}
}

// whoami is the operation of STS that needs nothing behind it. The others, and those of IAM, are decided about records: see
// package iam.
type whoami struct{}

func (whoami) Operations() []awsapi.Operation {
	return slices.DeleteFunc(sts.Service{}.Operations(), func(op awsapi.Operation) bool { return op.ID().Name != "GetCallerIdentity" })
}

// named returns the call that names a resource of the operation's first type in a region and an account.
func (c touching) named(operation, region, account string) call {
	kind, _, _ := strings.Cut(c.types, " ")
	text := "arn:aws:ivs:" + region + ":" + account + ":" + kind + "/hT4kPz81QmXc"
	method, tag := map[string]string{"TagResource": "POST", "UntagResource": "DELETE", "ListTagsForResource": "GET"}[operation], "/tags/"+url.PathEscape(text)
	switch {
	case operation == "UntagResource":
		return call{method: method, path: tag + "?tagKeys=a"}
	case method != "":
		return call{method: method, path: tag, body: c.body}
	}
	return call{path: "/" + operation, body: strings.ReplaceAll(c.body, "ARN", text)}
}

// names reports whether the call names a resource.
func (c call) names() bool { return strings.Contains(c.path+c.body, "hT4kPz81QmXc") }

// eachOperation runs a test for every row of every service but those that touch nothing.
func eachOperation(t *testing.T, test func(t *testing.T, operation string, c touching)) {
	t.Helper()
	known, open := calls(), []string{}
	for _, s := range services() {
		for _, op := range s.Operations() {
			id := op.ID()
			name := id.Service + " " + id.Name
			c, ok := known[name]
			delete(known, name)
			if op.IsOpen() {
				open = append(open, name)
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if !ok {
					t.Fatal("there is no call of it: add one")
				}
				test(t, id.Name, c)
			})
		}
	}
	if len(known) > 0 || !slices.Equal(open, []string{"sts GetCallerIdentity"}) {
		t.Errorf("no operations: %v; open to everybody: %v", known, open)
	}
}

// wantRefusal checks that a call was refused: as an error, or of a batch as the entry for its ARN.
func wantRefusal(t *testing.T, operation string, a answer, status int, code, text string) {
	t.Helper()
	if !strings.HasPrefix(operation, "Batch") {
		wantError(t, a, status, code)
		if m := a.fields["message"].(string); !strings.Contains(m, text) {
			t.Errorf("message %q, want %q in it", m, text)
		}
		return
	}
	var got struct {
		Channels, StreamKeys []any
		Errors               []struct{ Arn, Code, Message string }
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusOK || len(got.Errors) != 1 || len(got.Channels)+len(got.StreamKeys) > 0 ||
		got.Errors[0].Code != strconv.Itoa(status) || !strings.Contains(got.Errors[0].Message, text) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestNothingIsAllowedByDefault: an authorizer that denies, denies every operation, and is asked about everything that the
// operation touches.
func TestNothingIsAllowedByDefault(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, operation string, c touching) {
		t.Helper()
		j := denies()
		api := newBare(t, awsapi.Options{Services: services(), Authorizer: j})
		a := do(t, api, c.named(operation, testRegion, testAccount))
		kind, _, _ := strings.Cut(c.types, " ")
		wantRefusal(t, operation, a, 403, "AccessDeniedException",
			"User: arn:aws:iam::"+testAccount+":root is not authorized to perform: ivs:"+operation+" on resource: arn:aws:ivs:"+testRegion+":"+testAccount+":"+kind+"/")
		if got := strings.Join(j.asked, " "); got != kind {
			t.Errorf("asked about %q before it denied, want %q", got, kind)
		}
		// The first target allowed, the last one not.
		types := strings.Split(c.types, " ")
		last := types[len(types)-1]
		j = &judge{answer: func(resource string) error {
			if strings.Contains(resource, ":"+last+"/") {
				return fault.New(fault.Denied, "with an explicit deny in an identity-based policy")
			}
			return nil
		}}
		api = newBare(t, awsapi.Options{Services: services(), Authorizer: j})
		a = do(t, api, c.named(operation, testRegion, testAccount))
		wantRefusal(t, operation, a, 403, "AccessDeniedException", "with an explicit deny in an identity-based policy")
		if !slices.Equal(j.asked, types) {
			t.Errorf("asked about %v, want %v", j.asked, types)
		}
	})
}

// TestNoAccessAcrossAccountsAndRegions: whatever the authorizer thinks, a resource of another account or region is out of
// reach for every operation that names one.
func TestNoAccessAcrossAccountsAndRegions(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, operation string, c touching) {
		t.Helper()
		j := &judge{answer: func(string) error { return nil }}
		api := newBare(t, awsapi.Options{Services: services(), Authorizer: j})
		elsewhere := c.named(operation, testRegion, "999999999999")
		if !elsewhere.names() {
			return // it makes or lists what is the caller's own
		}
		wantRefusal(t, operation, do(t, api, elsewhere), 403, "AccessDeniedException", "is not authorized to perform: ivs:"+operation)
		status, code := 404, "ResourceNotFoundException"
		switch operation {
		case "ListStageSessions", "ListParticipants", "ListParticipantEvents": // these declare no such error
			status, code = 400, "ValidationException"
		}
		wantRefusal(t, operation, do(t, api, c.named(operation, "eu-west-1", testAccount)), status, code, "not found in "+testRegion)
		if len(j.asked) > 0 {
			t.Errorf("asked about %v", j.asked)
		}
	})
}

// TestRowsSayWhatTheyTouch: an operation that anybody could call on anything does not even start.
func TestRowsSayWhatTheyTouch(t *testing.T) {
	t.Parallel()
	handler := func(context.Context, awsapi.Caller, *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error) {
		return nil, nil
	}
	none := func(*ivs.GetChannelRequest) []awsapi.Target { return nil }
	for name, op := range map[string]awsapi.Operation{
		"no resolver": awsapi.Op("GetChannel", handler, nil),
		"no target":   awsapi.Op("GetChannel", handler, none),
	} {
		_, err := awsapi.New(awsapi.Options{Credentials: keys{}, Authorizer: awsapi.Owner{}, Services: []awsapi.Service{rows{op}}})
		if err == nil || !strings.Contains(err.Error(), "GetChannel does not say what it touches") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatIsNotDecidedIsDenied: a handler that asks for more than its row names, a row whose targets depend on the input
// and are none, and an ARN that is none, get nothing.
func TestWhatIsNotDecidedIsDenied(t *testing.T) {
	t.Parallel()
	other := strings.Replace(channelARN, "hT4k", "other", 1)
	greedy := awsapi.Op("GetChannel", func(_ context.Context, c awsapi.Caller, in *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error) {
		if a, err := c.Own(in.Arn); err != nil || a.String() != in.Arn {
			t.Errorf("%v %v", a, err)
		}
		for _, text := range []string{"", "x"} {
			if _, err := c.Own(text); !fault.Is(err, fault.Denied) {
				t.Errorf("%q: %v", text, err)
			}
		}
		_, err := c.Own(other)
		return nil, err
	}, func(in *ivs.GetChannelRequest) []awsapi.Target { return channelTargets(in.Arn) })
	sometimes := awsapi.Op("GetStream", func(context.Context, awsapi.Caller, *ivs.GetStreamRequest) (*ivs.GetStreamResponse, error) {
		t.Error("the handler ran")
		return nil, nil
	}, func(in *ivs.GetStreamRequest) []awsapi.Target {
		if in.ChannelArn == channelARN {
			return nil
		}
		return channelTargets("x", in.ChannelArn)
	})
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{rows{greedy, sometimes}}})
	wantError(t, do(t, api, call{path: "/GetChannel", body: getBody(channelARN)}), 403, "AccessDeniedException")
	wantError(t, do(t, api, call{path: "/GetStream", body: `{"channelArn":"` + channelARN + `"}`}), 403, "AccessDeniedException")
	wantError(t, do(t, api, call{path: "/GetStream", body: `{"channelArn":"` + other + `"}`}), 400, "ValidationException")
}

// TestNoDecision: an authorizer that cannot decide lets nobody in.
func TestNoDecision(t *testing.T) {
	t.Parallel()
	j := &judge{answer: func(string) error { return fault.New(fault.Unavailable, "policies cannot be read now") }}
	api := newBare(t, awsapi.Options{Services: services(), Authorizer: j})
	wantError(t, do(t, api, call{path: "/GetChannel", body: getBody(channelARN)}), 500, "InternalServerException")
	wantError(t, do(t, api, call{path: "/BatchGetChannel", body: `{"arns":["` + channelARN + `"]}`}), 503, "ServiceUnavailable")
}
