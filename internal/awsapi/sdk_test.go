package awsapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkivs "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"
	sdkchat "github.com/aws/aws-sdk-go-v2/service/ivschat"
	chattypes "github.com/aws/aws-sdk-go-v2/service/ivschat/types"
	sdkrealtime "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/smithy-go"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// listen serves the fake service on a port of its own.
func listen(t *testing.T) (*fake, *httptest.Server) {
	t.Helper()
	f := &fake{}
	srv := httptest.NewServer(newAPI(t, awsapi.Options{Services: []awsapi.Service{f}}))
	t.Cleanup(srv.Close)
	return f, srv
}

func sdkConfig() aws.Config {
	return aws.Config{
		Region: testRegion, Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""),
		RetryMaxAttempts: 1,
	}
}

func ivsClient(srv *httptest.Server) *sdkivs.Client {
	return sdkivs.NewFromConfig(sdkConfig(), func(o *sdkivs.Options) { o.BaseEndpoint = &srv.URL })
}

func TestSDKCalls(t *testing.T) {
	t.Parallel()
	f, srv := listen(t)
	client, ctx := ivsClient(srv), t.Context()

	got, err := client.GetChannel(ctx, &sdkivs.GetChannelInput{Arn: aws.String(channelARN)})
	if err != nil {
		t.Fatal(err)
	}
	if *got.Channel.Arn != channelARN || got.Channel.LatencyMode != types.ChannelLatencyModeLowLatency || got.Channel.Tags["team"] != "video" {
		t.Errorf("channel: %+v", got.Channel)
	}
	if f.seen.Account != testAccount || f.seen.Region != testRegion || f.seen.Principal.AccessKeyID != testKey || f.seen.BaseURL != srv.URL {
		t.Errorf("caller: %+v, want base URL %s", f.seen, srv.URL)
	}
	if id, ok := awsmiddleware.GetRequestIDMetadata(got.ResultMetadata); !ok || id != f.seen.RequestID {
		t.Errorf("request id %q, want %q", id, f.seen.RequestID)
	}

	tags := map[string]string{"a key": "with spaces / and = signs", "ключ": "значение"}
	if _, err := client.TagResource(ctx, &sdkivs.TagResourceInput{ResourceArn: aws.String(channelARN), Tags: tags}); err != nil {
		t.Fatal(err)
	}
	listed, err := client.ListTagsForResource(ctx, &sdkivs.ListTagsForResourceInput{ResourceArn: aws.String(channelARN)})
	if err != nil || !reflect.DeepEqual(listed.Tags, tags) {
		t.Errorf("tags %v, %v", listed, err)
	}
	_, err = client.UntagResource(ctx, &sdkivs.UntagResourceInput{ResourceArn: aws.String(channelARN), TagKeys: []string{"b c", "a+b", "d/e=f", "ключ"}})
	sent := strings.Split(f.asked[len(f.asked)-1], "|")
	slices.Sort(sent) // releases of the SDK send them in orders of their own
	if want := []string{"a+b", "b c", "d/e=f", "ключ"}; err != nil || !slices.Equal(sent, want) {
		t.Errorf("untag: %v %v, want %v", err, f.asked, want)
	}
	if _, err := client.PutMetadata(ctx, &sdkivs.PutMetadataInput{ChannelArn: aws.String(channelARN), Metadata: aws.String(`{"q":"<&>"}`)}); err != nil {
		t.Errorf("204: %v", err)
	}
	if out, err := client.ListChannels(ctx, &sdkivs.ListChannelsInput{}); err != nil || out.Channels == nil {
		t.Errorf("an empty list is a list: %+v %v", out, err)
	}
}

func TestSDKErrors(t *testing.T) {
	t.Parallel()
	_, srv := listen(t)
	client, ctx := ivsClient(srv), t.Context()
	arn := aws.String(channelARN)

	_, err := client.GetStream(ctx, &sdkivs.GetStreamInput{ChannelArn: arn})
	var offline *types.ChannelNotBroadcasting
	if !errors.As(err, &offline) || *offline.ExceptionMessage != "Channel: "+channelARN+" is not currently online" {
		t.Errorf("GetStream: %v", err)
	}
	_, err = client.StopStream(ctx, &sdkivs.StopStreamInput{ChannelArn: arn})
	if _, ok := errors.AsType[*types.StreamUnavailable](err); !ok {
		t.Errorf("StopStream: %v", err)
	}
	_, err = client.DeleteChannel(ctx, &sdkivs.DeleteChannelInput{Arn: arn})
	if _, ok := errors.AsType[*types.ConflictException](err); !ok {
		t.Errorf("DeleteChannel: %v", err)
	}
	_, err = client.CreateChannel(ctx, &sdkivs.CreateChannelInput{})
	if _, ok := errors.AsType[*types.ServiceQuotaExceededException](err); !ok {
		t.Errorf("CreateChannel: %v", err)
	}
	_, err = client.GetChannel(ctx, &sdkivs.GetChannelInput{Arn: aws.String("not an arn")})
	if e, ok := errors.AsType[*types.ValidationException](err); !ok || !strings.Contains(*e.ExceptionMessage, "at 'arn' failed to satisfy constraint") {
		t.Errorf("GetChannel: %v", err)
	}
	_, err = client.GetPlaybackKeyPair(ctx, &sdkivs.GetPlaybackKeyPairInput{Arn: aws.String("arn:aws:ivs:us-west-2:1:playback-key/a")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "NotImplementedException" || !strings.Contains(e.ErrorMessage(), "GetPlaybackKeyPair") {
		t.Errorf("an operation that is not built: %v", err)
	}

	wrong := sdkConfig()
	wrong.Credentials = credentials.NewStaticCredentialsProvider(testKey, "another secret", "")
	_, err = sdkivs.NewFromConfig(wrong, func(o *sdkivs.Options) { o.BaseEndpoint = &srv.URL }).ListChannels(ctx, nil)
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidSignatureException" {
		t.Errorf("wrong secret: %v", err)
	}
}

func TestSDKOtherServices(t *testing.T) {
	t.Parallel()
	_, srv := listen(t)
	ctx := t.Context()
	chat := sdkchat.NewFromConfig(sdkConfig(), func(o *sdkchat.Options) { o.BaseEndpoint = &srv.URL })
	stages := sdkrealtime.NewFromConfig(sdkConfig(), func(o *sdkrealtime.Options) { o.BaseEndpoint = &srv.URL })

	rooms, err := chat.ListTagsForResource(ctx, &sdkchat.ListTagsForResourceInput{ResourceArn: aws.String(roomARN)})
	if err != nil || rooms.Tags["service"] != "ivschat" {
		t.Errorf("room tags: %+v %v", rooms, err)
	}
	staged, err := stages.ListTagsForResource(ctx, &sdkrealtime.ListTagsForResourceInput{ResourceArn: aws.String(stageARN)})
	if err != nil || staged.Tags["service"] != "ivs-realtime" {
		t.Errorf("stage tags: %+v %v", staged, err)
	}
	_, err = chat.GetRoom(ctx, &sdkchat.GetRoomInput{Identifier: aws.String(roomARN)})
	if e, ok := errors.AsType[*chattypes.ResourceNotFoundException](err); !ok || *e.ResourceId != "hT4kPz81QmXc" || e.ResourceType != chattypes.ResourceTypeRoom {
		t.Errorf("GetRoom: %v", err)
	}
	_, err = chat.GetRoom(ctx, &sdkchat.GetRoomInput{Identifier: aws.String("x")})
	if e, ok := errors.AsType[*chattypes.ValidationException](err); !ok || e.Reason != "FIELD_VALIDATION_FAILED" || *e.FieldList[0].Name != "identifier" {
		t.Errorf("GetRoom with a bad name: %v", err)
	}
	_, err = stages.GetStage(ctx, &sdkrealtime.GetStageInput{Arn: aws.String(stageARN)})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "NotImplementedException" {
		t.Errorf("GetStage: %v", err)
	}
}

// TestSDKPresigned sends a URL that the SDK's signer presigned.
func TestSDKPresigned(t *testing.T) {
	t.Parallel()
	_, srv := listen(t)
	body := `{"arn":"` + channelARN + `"}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/GetChannel?X-Amz-Expires=600", nil)
	if err != nil {
		t.Fatal(err)
	}
	url, header, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret},
		r, sigv4.HashBody([]byte(body)), "ivs", testRegion, time.Now().Add(-9*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for _, send := range []struct {
		body string
		want int
	}{{body, http.StatusOK}, {`{"arn":"other"}`, http.StatusForbidden}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(send.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header.Clone()
		res, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != send.want {
			t.Errorf("body %s: status %d, want %d", send.body, res.StatusCode, send.want)
		}
	}
}

// TestCommandLine drives the AWS command line, and with it botocore, against the API.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS command line is not installed")
	}
	_, srv := listen(t)
	home := t.TempDir()
	run := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, tool, append(args, "--endpoint-url", srv.URL, "--output", "json")...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+testKey, "AWS_SECRET_ACCESS_KEY="+testSecret, "AWS_REGION="+testRegion,
			"AWS_DEFAULT_REGION="+testRegion, "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=", "AWS_CONFIG_FILE="+filepath.Join(home, "none"),
			"AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(home, "none"), "AWS_EC2_METADATA_DISABLED=true")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("--version"); err != nil {
		t.Skipf("the AWS command line does not start: %v %s", err, out)
	}
	for _, c := range []struct {
		args []string
		want string // in the output
		fail bool
	}{
		{[]string{"ivs", "get-channel", "--arn", channelARN}, `"latencyMode": "LOW"`, false},
		{[]string{"ivs", "tag-resource", "--resource-arn", channelARN, "--tags", `{"k 1":"v/2"}`}, "", false},
		{[]string{"ivs", "untag-resource", "--resource-arn", channelARN, "--tag-keys", "k 1", "a+b"}, "", false},
		{[]string{"ivs-realtime", "list-tags-for-resource", "--resource-arn", stageARN}, "ivs-realtime", false},
		{[]string{"ivschat", "list-tags-for-resource", "--resource-arn", roomARN}, "ivschat", false},
		{[]string{"ivs", "get-stream", "--channel-arn", channelARN}, "(ChannelNotBroadcasting) when calling the GetStream operation: Channel: " + channelARN, true},
	} {
		out, err := run(c.args...)
		if (err != nil) != c.fail || !strings.Contains(out, c.want) {
			t.Errorf("aws %v: %v\n%s", c.args, err, out)
		}
	}
}
