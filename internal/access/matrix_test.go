package access_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"testing"
)

// onOne is how to call an operation on one resource: the type of that, and a body in which ARN stands for it. Operations
// that make or list something touch none that is there. Not all of them need be built.
type onOne struct{ kind, body string }

func operationsOnOne() map[string]onOne {
	const (
		channel, key, stage, public, storage = "channel", "stream-key", "stage", "public-key", "storage-configuration"
		playback, restriction                = "playback-key", "playback-restriction-policy"
		arn, ofChannel, ofStage              = `{"arn":"ARN"}`, `{"channelArn":"ARN"}`, `{"stageArn":"ARN"`
		session, participant                 = `,"sessionId":"st-1AbCdEfGhIjKl"`, `,"participantId":"ABCdefGHI123"`
	)
	return map[string]onOne{
		"ivs GetChannel": {channel, arn}, "ivs BatchGetChannel": {channel, `{"arns":["ARN"]}`}, "ivs UpdateChannel": {channel, `{"arn":"ARN","name":"x"}`},
		"ivs DeleteChannel": {channel, arn}, "ivs CreateStreamKey": {channel, ofChannel}, "ivs ListStreamKeys": {channel, ofChannel},
		"ivs GetStreamKey": {key, arn}, "ivs BatchGetStreamKey": {key, `{"arns":["ARN"]}`}, "ivs DeleteStreamKey": {key, arn},
		"ivs GetStream": {channel, ofChannel}, "ivs StopStream": {channel, ofChannel}, "ivs PutMetadata": {channel, `{"channelArn":"ARN","metadata":"x"}`},
		"ivs GetPlaybackKeyPair": {playback, arn}, "ivs DeletePlaybackKeyPair": {playback, arn},
		"ivs GetPlaybackRestrictionPolicy": {restriction, arn}, "ivs UpdatePlaybackRestrictionPolicy": {restriction, `{"arn":"ARN","name":"x"}`},
		"ivs DeletePlaybackRestrictionPolicy":   {restriction, arn},
		"ivs StartViewerSessionRevocation":      {channel, `{"channelArn":"ARN","viewerId":"x"}`},
		"ivs BatchStartViewerSessionRevocation": {channel, `{"viewerSessions":[{"channelArn":"ARN","viewerId":"x"}]}`},
		"ivs TagResource":                       {channel, `{"tags":{"a":"b"}}`}, "ivs UntagResource": {channel, "a"}, "ivs ListTagsForResource": {channel, ""},

		"ivs-realtime GetStage": {stage, arn}, "ivs-realtime UpdateStage": {stage, `{"arn":"ARN","name":"x"}`}, "ivs-realtime DeleteStage": {stage, arn},
		"ivs-realtime CreateParticipantToken": {stage, ofStage + `}`}, "ivs-realtime DisconnectParticipant": {stage, ofStage + participant + `}`},
		"ivs-realtime GetStageSession": {stage, ofStage + session + `}`}, "ivs-realtime ListStageSessions": {stage, ofStage + `}`},
		"ivs-realtime GetParticipant": {stage, ofStage + session + participant + `}`}, "ivs-realtime ListParticipants": {stage, ofStage + session + `}`},
		"ivs-realtime ListParticipantEvents": {stage, ofStage + session + participant + `}`},
		"ivs-realtime GetPublicKey":          {public, arn}, "ivs-realtime DeletePublicKey": {public, arn},
		"ivs-realtime GetStorageConfiguration": {storage, arn}, "ivs-realtime DeleteStorageConfiguration": {storage, arn},
		"ivs-realtime TagResource": {stage, `{"tags":{"a":"b"}}`}, "ivs-realtime UntagResource": {stage, "a"}, "ivs-realtime ListTagsForResource": {stage, ""},
	}
}

// makesOrLists are the operations that touch no resource that is there.
func makesOrLists() []string {
	return []string{
		"ivs CreateChannel", "ivs ListChannels", "ivs ListStreams", "ivs-realtime CreateStage", "ivs-realtime ListStages", "ivs-realtime ImportPublicKey",
		"ivs-realtime ListPublicKeys", "ivs-realtime CreateStorageConfiguration", "ivs-realtime ListStorageConfigurations",
		"ivs ImportPlaybackKeyPair", "ivs ListPlaybackKeyPairs", "ivs CreatePlaybackRestrictionPolicy", "ivs ListPlaybackRestrictionPolicies",
	}
}

// isOfTags reports whether an operation names its resource in the path.
func isOfTags(operation string) bool {
	return slices.Contains([]string{"TagResource", "UntagResource", "ListTagsForResource"}, operation)
}

// tagged makes a resource of a type with tags.
func (e *env) tagged(t *testing.T, kind, tags string) string {
	t.Helper()
	switch kind {
	case "channel":
		return e.made(t, "CreateChannel", `{"tags":`+tags+`}`, "channel")
	case "stream-key":
		key := e.made(t, "CreateChannel", `{}`, "streamKey")
		if a := e.call(t, "root", "TagResource "+key, `{"tags":`+tags+`}`); a.status >= 300 {
			t.Fatalf("TagResource: %d %s", a.status, a.text)
		}
		return key
	case "stage":
		return e.made(t, "CreateStage", `{"tags":`+tags+`}`, "stage")
	case "public-key":
		return e.made(t, "ImportPublicKey", `{"publicKeyMaterial":`+keyMaterial(t)+`,"tags":`+tags+`}`, "publicKey")
	case "playback-key":
		return e.made(t, "ImportPlaybackKeyPair", `{"publicKeyMaterial":`+keyMaterial(t)+`,"tags":`+tags+`}`, "keyPair")
	case "playback-restriction-policy":
		return e.made(t, "CreatePlaybackRestrictionPolicy", `{"tags":`+tags+`}`, "playbackRestrictionPolicy")
	}
	return e.made(t, "CreateStorageConfiguration", `{"s3":{"bucketName":"bucket"},"tags":`+tags+`}`, "storageConfiguration")
}

// keyMaterial is a new public key in PEM, as a JSON string.
func keyMaterial(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	check(t, err)
	material, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	check(t, err)
	return string(material)
}

// TestTagsDecideEverywhere: with a policy that wants a tag of the resource, every operation on a resource does what it is
// asked for where the resource has it, is refused where it has another value or none, and where there is no resource; no
// handler forgets to ask.
func TestTagsDecideEverywhere(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "alice", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"live"}}},
		{"Effect":"Allow","Action":"ivs:CreateStreamKey","Resource":"arn:aws:ivs:*:*:stream-key/*"}]}`)
	e.user(t, "bob", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:ResourceTag/Team":"live"}}}]}`)
	known := operationsOnOne()
	for _, name := range e.built(t) {
		if slices.Contains(makesOrLists(), name) {
			continue
		}
		c, ok := known[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !ok {
				t.Fatal("there is no call of it: add one")
			}
			_, operation, _ := strings.Cut(name, " ")
			e.decidedByTag(t, "alice", operation, c)
			if operation != "CreateStreamKey" { // the key that is to be made has no tag
				e.decidedByTag(t, "bob", operation, c)
			}
		})
	}
}

// built returns the operations of the models that this version has, as "service name".
func (e *env) built(t *testing.T) (names []string) {
	t.Helper()
	for _, service := range []string{"ivs", "ivs-realtime"} {
		text, err := os.ReadFile("../../api/model/" + service + ".json")
		check(t, err)
		var model struct{ Operations map[string]any }
		check(t, json.Unmarshal(text, &model))
		for operation := range model.Operations {
			named := operation
			if isOfTags(operation) {
				named += " x"
			}
			if a := e.call(t, "root", named, `{}`); !strings.Contains(a.text, "is not implemented") {
				names = append(names, service+" "+operation)
			}
		}
	}
	return names
}

func (e *env) decidedByTag(t *testing.T, who, operation string, c onOne) {
	t.Helper()
	on := func(arn string) (string, string) {
		if isOfTags(operation) {
			return operation + " " + arn, c.body
		}
		return operation, strings.ReplaceAll(c.body, "ARN", arn)
	}
	for tags, may := range map[string]bool{`{"Team":"live"}`: true, `{"team":"live"}`: true, `{"Team":"Live"}`: false, `{}`: false} {
		named, body := on(e.tagged(t, c.kind, tags))
		e.want(t, may, who, named, body)
	}
	named, body := on("arn:aws:ivs:" + region + ":" + account + ":" + c.kind + "/AbCdEfGhIjKl")
	e.want(t, false, who, named, body)
}

// TestNoPolicyNoAccess: without a policy every operation is refused, in a sentence with its name.
func TestNoPolicyNoAccess(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "carol", "")
	calls := operationsOnOne()
	for name, body := range map[string]string{
		"ivs-realtime ImportPublicKey":            `{"publicKeyMaterial":"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}`,
		"ivs-realtime CreateStorageConfiguration": `{"s3":{"bucketName":"bucket"}}`,
		"ivs ImportPlaybackKeyPair":               `{"publicKeyMaterial":"x"}`,
	} {
		calls[name] = onOne{body: body}
	}
	arns := map[string]string{}
	for _, name := range e.built(t) {
		_, operation, _ := strings.Cut(name, " ")
		c := calls[name]
		if c.kind != "" && arns[c.kind] == "" {
			arns[c.kind] = e.tagged(t, c.kind, `{}`)
		}
		named, body := operation, strings.ReplaceAll(c.body, "ARN", arns[c.kind])
		if isOfTags(operation) {
			named = operation + " " + arns[c.kind]
		}
		if body == "" && c.kind == "" {
			body = `{}`
		}
		a := e.call(t, "carol", named, body)
		want := "because no identity-based policy allows the ivs:" + operation + " action"
		if !a.refused() || !strings.Contains(a.text, want) {
			t.Errorf("%s: %d %s", operation, a.status, a.text)
		}
	}
}
