package ivsrealtime_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/token"
)

// TestPlainStage holds what is answered for a stage that was created with an empty request.
func TestPlainStage(t *testing.T) {
	t.Parallel()
	e := start(t)
	var rec recorder
	api := e.client(e.url, region, &rec)
	out, err := api.CreateStage(t.Context(), &sdk.CreateStageInput{})
	check(t, err)
	host := strings.TrimPrefix(e.url, "http://")
	stage := `{"arn":"` + *out.Stage.Arn + `","autoParticipantRecordingConfiguration":{` +
		`"hlsConfiguration":{"targetSegmentDurationSeconds":6},"mediaTypes":["AUDIO_VIDEO"],` +
		`"recordParticipantReplicas":true,"recordingReconnectWindowSeconds":0,"storageConfigurationArn":"",` +
		`"thumbnailConfiguration":{"recordingMode":"DISABLED","storage":["SEQUENTIAL"],"targetIntervalSeconds":60}},` +
		`"endpoints":{"events":"ws://` + host + `/rt/events","whip":"http://` + host + `/rt/whip"},"name":"","tags":{}}`
	wantBody(t, rec, `{"participantTokens":[],"stage":`+stage+`}`)
	_, err = api.GetStage(t.Context(), &sdk.GetStageInput{Arn: out.Stage.Arn})
	check(t, err)
	wantBody(t, rec, `{"stage":`+stage+`}`)
	_, err = api.ListStages(t.Context(), &sdk.ListStagesInput{})
	check(t, err)
	wantBody(t, rec, `{"stages":[{"arn":"`+*out.Stage.Arn+`","name":"","tags":{}}]}`)
	e.openSession(t, out.Stage.Arn, "st-1CVugbu2cf2n8")
	_, err = api.ListStages(t.Context(), &sdk.ListStagesInput{})
	check(t, err)
	wantBody(t, rec, `{"stages":[{"activeSessionId":"st-1CVugbu2cf2n8","arn":"`+*out.Stage.Arn+`","name":"","tags":{}}]}`)
	got, err := api.GetStage(t.Context(), &sdk.GetStageInput{Arn: out.Stage.Arn})
	check(t, err)
	if aws.ToString(got.Stage.ActiveSessionId) != "st-1CVugbu2cf2n8" {
		t.Errorf("active session %v", got.Stage.ActiveSessionId)
	}
	_, err = api.DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: out.Stage.Arn})
	check(t, err)
	wantBody(t, rec, `{}`)
	_, err = api.GetStage(t.Context(), &sdk.GetStageInput{Arn: out.Stage.Arn})
	wantCode(t, err, "ResourceNotFoundException")
}

func wantBody(t *testing.T, rec recorder, want string) {
	t.Helper()
	if got := string(rec.body); got != want {
		t.Errorf("answer\n%s, want\n%s", got, want)
	}
}

func TestUpdateStage(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx, api := t.Context(), e.api()
	st := e.create(t, "before")
	_, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: st.Arn, Tags: map[string]string{"a": "b"}})
	check(t, err)
	out, err := api.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: st.Arn})
	check(t, err)
	if *out.Stage.Name != "before" || out.Stage.Tags["a"] != "b" {
		t.Errorf("an empty update made %s with %v", *out.Stage.Name, out.Stage.Tags)
	}
	out, err = api.UpdateStage(ctx, &sdk.UpdateStageInput{Arn: st.Arn, Name: aws.String("after")})
	check(t, err)
	got, err := api.GetStage(ctx, &sdk.GetStageInput{Arn: st.Arn})
	check(t, err)
	if *out.Stage.Name != "after" || *got.Stage.Name != "after" || got.Stage.Tags["a"] != "b" {
		t.Errorf("stages %s and %s", *out.Stage.Name, *got.Stage.Name)
	}
	// What is being recorded keeps only the recording from changing.
	on := e.openSession(t, st.Arn, noSession)
	on.join(resource.Participant{ParticipantID: "a", RecordingState: resource.RecordingActive})
	same := &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: aws.String("")}
	_, err = api.UpdateStage(ctx, &sdk.UpdateStageInput{
		Arn: st.Arn, Name: aws.String(""), AutoParticipantRecordingConfiguration: same,
	})
	check(t, err)
	on.change("a", func(p *resource.Participant) { p.RecordingState = resource.RecordingStopped })
	_, err = api.UpdateStage(ctx, &sdk.UpdateStageInput{
		Arn:                                   st.Arn,
		AutoParticipantRecordingConfiguration: &types.AutoParticipantRecordingConfiguration{StorageConfigurationArn: e.storage(t).Arn},
	})
	check(t, err)
}

// TestRecordingSettings creates a stage with settings, updates it with others, and looks at what is stored.
func TestRecordingSettings(t *testing.T) {
	t.Parallel()
	type config = types.AutoParticipantRecordingConfiguration
	const defaults = `{"HlsConfiguration":{"TargetSegmentDurationSeconds":6},"MediaTypes":["AUDIO_VIDEO"],` +
		`"RecordParticipantReplicas":true,"RecordingReconnectWindowSeconds":0,` +
		`"ThumbnailConfiguration":{"RecordingMode":"DISABLED","Storage":["SEQUENTIAL"],"TargetIntervalSeconds":60}}`
	const full = `{"HlsConfiguration":{"TargetSegmentDurationSeconds":10},"MediaTypes":["NONE"],` +
		`"RecordParticipantReplicas":true,"RecordingReconnectWindowSeconds":300,` +
		`"ThumbnailConfiguration":{"RecordingMode":"INTERVAL","Storage":["LATEST","SEQUENTIAL"],"TargetIntervalSeconds":86400}}`
	everything := func() *config {
		return &config{
			HlsConfiguration: &types.ParticipantRecordingHlsConfiguration{TargetSegmentDurationSeconds: aws.Int32(10)},
			MediaTypes:       []types.ParticipantRecordingMediaType{"NONE"}, RecordParticipantReplicas: true,
			RecordingReconnectWindowSeconds: 300,
			ThumbnailConfiguration: &types.ParticipantThumbnailConfiguration{
				RecordingMode: "INTERVAL", Storage: []types.ThumbnailStorageType{"LATEST", "SEQUENTIAL"}, TargetIntervalSeconds: aws.Int32(86400),
			},
		}
	}
	thumbnails := func(t types.ParticipantThumbnailConfiguration) *config { return &config{ThumbnailConfiguration: &t} }
	tests := map[string]struct {
		create, update *config
		off            bool   // the update takes the storage configuration away
		want           string // without the storage configuration; "" for a validation error
	}{
		"nothing":              {want: defaults},
		"storage only":         {create: &config{}, want: defaults},
		"all":                  {create: everything(), want: full},
		"all later":            {create: &config{}, update: everything(), want: full},
		"kept":                 {create: everything(), update: &config{RecordingReconnectWindowSeconds: 300}, want: full},
		"off":                  {create: everything(), update: &config{}, off: true, want: defaults},
		"off with the rest":    {create: everything(), update: everything(), off: true, want: defaults},
		"empty lists":          {create: &config{MediaTypes: []types.ParticipantRecordingMediaType{}, ThumbnailConfiguration: &types.ParticipantThumbnailConfiguration{Storage: []types.ThumbnailStorageType{}}}, want: defaults},
		"the same twice":       {create: thumbnails(types.ParticipantThumbnailConfiguration{Storage: []types.ThumbnailStorageType{"SEQUENTIAL", "SEQUENTIAL"}}), want: defaults},
		"what was read":        {create: thumbnails(types.ParticipantThumbnailConfiguration{RecordingMode: "DISABLED", TargetIntervalSeconds: aws.Int32(60)}), want: defaults},
		"interval of disabled": {create: thumbnails(types.ParticipantThumbnailConfiguration{TargetIntervalSeconds: aws.Int32(61)})},
		"interval left behind": {
			create: thumbnails(types.ParticipantThumbnailConfiguration{RecordingMode: "INTERVAL", TargetIntervalSeconds: aws.Int32(61)}),
			update: thumbnails(types.ParticipantThumbnailConfiguration{RecordingMode: "DISABLED"}), want: defaults,
		},
		"two media types":  {create: &config{MediaTypes: []types.ParticipantRecordingMediaType{"NONE", "AUDIO_ONLY"}}},
		"segment too long": {create: &config{HlsConfiguration: &types.ParticipantRecordingHlsConfiguration{TargetSegmentDurationSeconds: aws.Int32(11)}}},
		"window too long":  {create: &config{RecordingReconnectWindowSeconds: 301}},
	}
	e := start(t)
	storage := e.storage(t).Arn
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, api := t.Context(), e.api()
			for _, c := range []*config{test.create, test.update} {
				if c != nil {
					c.StorageConfigurationArn = storage
				}
			}
			out, err := api.CreateStage(ctx, &sdk.CreateStageInput{AutoParticipantRecordingConfiguration: test.create})
			if test.want == "" {
				wantCode(t, err, "ValidationException")
				return
			}
			check(t, err)
			if test.update != nil {
				if test.off {
					test.update.StorageConfigurationArn = aws.String("")
				}
				_, err := api.UpdateStage(ctx, &sdk.UpdateStageInput{
					Arn: out.Stage.Arn, AutoParticipantRecordingConfiguration: test.update,
				})
				check(t, err)
			}
			got, err := api.GetStage(ctx, &sdk.GetStageInput{Arn: out.Stage.Arn})
			check(t, err)
			c := got.Stage.AutoParticipantRecordingConfiguration
			if (*c.StorageConfigurationArn != "") != (test.create != nil && !test.off) {
				t.Errorf("storage configuration %q", *c.StorageConfigurationArn)
			}
			c.StorageConfigurationArn = nil
			if text := compact(t, c); text != compactText(t, test.want) {
				t.Errorf("settings\n%s, want\n%s", text, test.want)
			}
		})
	}
}

// TestReplicasNotRecorded sets the one member whose default is true to false.
func TestReplicasNotRecorded(t *testing.T) {
	t.Parallel()
	e := start(t)
	st, storage := e.create(t, "demo"), e.storage(t)
	status, answer := e.call(t, "UpdateStage", `{"arn":"`+*st.Arn+`","autoParticipantRecordingConfiguration":{`+
		`"storageConfigurationArn":"`+*storage.Arn+`","recordParticipantReplicas":false}}`)
	if status != http.StatusOK || !strings.Contains(answer, `"recordParticipantReplicas":false`) {
		t.Errorf("%d %s", status, answer)
	}
}

// compact is the JSON of a value without nulls, its keys in order.
func compact(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	check(t, err)
	return compactText(t, string(text))
}

func compactText(t *testing.T, text string) string {
	t.Helper()
	var m map[string]any
	check(t, json.Unmarshal([]byte(text), &m))
	for k, v := range m {
		if v == nil {
			delete(m, k)
		}
	}
	out, err := json.Marshal(m)
	check(t, err)
	return string(out)
}

// TestDeleteStageDisconnects checks that a deleted stage is closed, also when the nodes do not answer at once, and that no
// token of it is good.
func TestDeleteStageDisconnects(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := e.create(t, "demo")
	out, err := e.api().CreateParticipantToken(t.Context(), &sdk.CreateParticipantTokenInput{StageArn: st.Arn})
	check(t, err)
	var asked atomic.Int32
	e.media.close = func(stage arn.ARN) error {
		if stage.String() != *st.Arn {
			t.Errorf("stage %s closed", stage)
		}
		_, err := e.authority.Verify(t.Context(), *out.ParticipantToken.Token)
		wantRefusal(t, err, token.UnknownStage)
		if asked.Add(1) < 3 {
			return fault.New(fault.Unavailable, "away")
		}
		return nobodyThere(stage)
	}
	_, err = e.api().DeleteStage(t.Context(), &sdk.DeleteStageInput{Arn: st.Arn})
	check(t, err)
	if asked.Load() != 3 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// TestDeleteStageWithoutCaller checks that a caller which hangs up does not keep a stage from being closed that is deleted.
func TestDeleteStageWithoutCaller(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := parse(t, e.create(t, "demo").Arn)
	ctx, hangUp := contextWithCancel(t)
	asked := 0
	e.media.close = func(stage arn.ARN) error {
		hangUp()
		if asked++; asked < 2 {
			return fault.New(fault.Unavailable, "away")
		}
		return nobodyThere(stage)
	}
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, e.signed(ctx, t, "DeleteStage", `{"arn":"`+st.String()+`"}`))
	if w.Code != http.StatusOK || asked != 2 {
		t.Errorf("asked %d times, %d %s", asked, w.Code, w.Body)
	}
}

// TestListStages walks all pages for many page sizes.
func TestListStages(t *testing.T) {
	t.Parallel()
	e := start(t)
	const n = 7
	var want []string
	for i := range n {
		want = append(want, *e.create(t, fmt.Sprint("s", i)).Arn)
	}
	slices.Sort(want)
	_, err := e.in("eu-west-1").CreateStage(t.Context(), &sdk.CreateStageInput{})
	check(t, err)
	for _, size := range []int32{0, 1, 2, 6, 7, 8, 100} {
		in := &sdk.ListStagesInput{}
		if size > 0 {
			in.MaxResults = &size
		}
		var got []string
		for {
			out, err := e.api().ListStages(t.Context(), in)
			check(t, err)
			for _, st := range out.Stages {
				got = append(got, *st.Arn)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("size %d: %v, want %v", size, got, want)
		}
	}
	one := aws.Int32(1)
	out, err := e.api().ListStages(t.Context(), &sdk.ListStagesInput{MaxResults: one})
	check(t, err)
	_, err = e.api().ListPublicKeys(t.Context(), &sdk.ListPublicKeysInput{NextToken: out.NextToken})
	wantCode(t, err, "ValidationException")
	_, err = e.in("eu-west-1").ListStages(t.Context(), &sdk.ListStagesInput{NextToken: out.NextToken})
	wantCode(t, err, "ValidationException")
}

// TestAddressesStay checks that an address which was given out once is good for tokens that others sign, until it has
// not been given out for a while.
func TestAddressesStay(t *testing.T) {
	t.Parallel()
	e := start(t)
	ctx := t.Context()
	st := e.create(t, "demo")
	key, private := e.importKey(t)
	verify := func(events, whip string) error {
		_, err := e.authority.Verify(ctx, e.selfSigned(t, st.Arn, key.Arn, private, "me", events, whip))
		return err
	}
	check(t, verify(*st.Endpoints.Events, *st.Endpoints.Whip))
	elsewhere := strings.Replace(e.url, "127.0.0.1", "localhost", 1)
	other := "ws" + strings.TrimPrefix(elsewhere, "http") + "/rt/events"
	wantRefusal(t, verify(other, elsewhere+"/rt/whip"), token.WrongEndpoint)
	got, err := e.client(elsewhere, region, nil).GetStage(ctx, &sdk.GetStageInput{Arn: st.Arn})
	check(t, err)
	if *got.Stage.Endpoints.Events != other || *got.Stage.Endpoints.Whip != elsewhere+"/rt/whip" {
		t.Errorf("endpoints %+v", got.Stage.Endpoints)
	}
	check(t, verify(other, elsewhere+"/rt/whip"))
	e.advance(27 * 24 * time.Hour)
	_, err = e.api().GetStage(ctx, &sdk.GetStageInput{Arn: st.Arn})
	check(t, err)
	check(t, verify(other, elsewhere+"/rt/whip"))
	e.advance(2 * 24 * time.Hour)
	_, err = e.api().GetStage(ctx, &sdk.GetStageInput{Arn: st.Arn})
	check(t, err)
	wantRefusal(t, verify(other, elsewhere+"/rt/whip"), token.WrongEndpoint)
	check(t, verify(*st.Endpoints.Events, *st.Endpoints.Whip))
}

// TestAddressesAreBounded checks that a caller who names many hosts does not make a stage grow without end, and that an
// engine which is away fails no read of a known address.
func TestAddressesAreBounded(t *testing.T) {
	t.Parallel()
	e := start(t)
	st := parse(t, e.create(t, "demo").Arn)
	_, err := e.opts.Records.Stages.Update(t.Context(), keyOf(st), func(st resource.Stage) (resource.Stage, error) {
		for i := range 100 {
			st.Endpoints = append(st.Endpoints, resource.Endpoints{Events: fmt.Sprint("ws://", i), At: e.time()})
		}
		return st, nil
	})
	check(t, err)
	e.advance(25 * time.Hour)
	_, err = e.api().GetStage(t.Context(), &sdk.GetStageInput{Arn: aws.String(st.String())})
	check(t, err)
	r, err := e.opts.Records.Stages.Get(t.Context(), keyOf(st))
	check(t, err)
	if n := len(r.Value.Endpoints); n != 32 || r.Value.Endpoints[30].Events != "ws://99" {
		t.Errorf("%d addresses", n)
	}
	e.advance(25 * time.Hour)
	e.conn.Close()
	_, err = e.api().GetStage(t.Context(), &sdk.GetStageInput{Arn: aws.String(st.String())})
	check(t, err)
}

// TestQuotaHolds lets many callers pass the quota at once.
func TestQuotaHolds(t *testing.T) {
	t.Parallel()
	e := start(t, withQuotas)
	results := make(chan error)
	for range 12 {
		go func() {
			_, material := newKey(t)
			_, err := e.api().ImportPublicKey(t.Context(), &sdk.ImportPublicKeyInput{PublicKeyMaterial: &material})
			results <- err
		}()
	}
	good := 0
	for range 12 {
		if err := <-results; err == nil {
			good++
		} else {
			wantCode(t, err, "ServiceQuotaExceededException")
		}
	}
	if good != 3 {
		t.Errorf("%d keys under a quota of 3", good)
	}
}

// failing is a Minter that does not sign.
type failing struct{}

func (failing) Mint(token.Claims) (string, error) { return "", errors.New("no key") }

// TestCreateStageIsOneThing checks that a stage whose tokens cannot be made is not made either.
func TestCreateStageIsOneThing(t *testing.T) {
	t.Parallel()
	e := start(t, func(o *ivsrealtime.Options) { o.Tokens = failing{} })
	_, err := e.api().CreateStage(t.Context(), &sdk.CreateStageInput{
		ParticipantTokenConfigurations: make([]types.ParticipantTokenConfiguration, 2),
	})
	wantCode(t, err, "InternalServerException")
	out, err := e.api().ListStages(t.Context(), &sdk.ListStagesInput{})
	check(t, err)
	if len(out.Stages) != 0 {
		t.Errorf("%d stages", len(out.Stages))
	}
}
