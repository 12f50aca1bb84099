package queryxml_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/iam"
)

// TestGolden holds both forms of an answer as they are on the wire.
func TestGolden(t *testing.T) {
	t.Parallel()
	api := queryxml.API{Version: "2010-03-31", Namespace: "http://sns.amazonaws.com/doc/2010-03-31/"}
	answer := queryxml.AppendAnswer(nil, api, "CreateTopic", "id-1", func(b []byte) []byte {
		return queryxml.AppendElement(b, "TopicArn", "arn:aws:sns:us-west-2:1:a<b")
	})
	const want = `<CreateTopicResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><CreateTopicResult><TopicArn>arn:aws:sns:us-west-2:1:a&lt;b</TopicArn>` +
		`</CreateTopicResult><ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></CreateTopicResponse>` + "\n"
	if string(answer) != want {
		t.Errorf("%s", answer)
	}
	const wantEmpty = `<DeleteTopicResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><ResponseMetadata><RequestId>id-3</RequestId>` +
		`</ResponseMetadata></DeleteTopicResponse>` + "\n"
	if empty := queryxml.AppendAnswer(nil, api, "DeleteTopic", "id-3", nil); string(empty) != wantEmpty {
		t.Errorf("%s", empty)
	}
	failed := queryxml.AppendError(nil, queryxml.API{}, queryxml.Error{Ours: true, Code: "InternalFailure", Message: `"&`, RequestID: "id-2"})
	const wantError = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Receiver</Type><Code>InternalFailure</Code>` +
		`<Message>&#34;&amp;</Message></Error><RequestId>id-2</RequestId></ErrorResponse>` + "\n"
	if string(failed) != wantError {
		t.Errorf("%s", failed)
	}
}

// answerOf reads what an answer holds of a user.
type answerOf struct {
	Name    string   `xml:"GetUserResult>User>UserName"`
	Path    string   `xml:"GetUserResult>User>Path"`
	Created string   `xml:"GetUserResult>User>CreateDate"`
	Keys    []string `xml:"GetUserResult>User>Tags>member>Key"`
	Values  []string `xml:"GetUserResult>User>Tags>member>Value"`
	ID      string   `xml:"ResponseMetadata>RequestId"`
}

// FuzzAnswer: whatever the members of an answer are, it is XML that holds them, each in its place.
func FuzzAnswer(f *testing.F) {
	f.Add("alice", "/", "k", "v", int64(1700000000))
	f.Add("<b>", "]]>", "&amp;", "\x00", int64(-1))
	f.Fuzz(func(t *testing.T, name, path, key, value string, at int64) {
		at %= 253402300800 // up to the year 10000
		out := &iam.GetUserResponse{User: &iam.User{
			UserName: name, Path: path, CreateDate: restjson.Time(time.Unix(at, 0)), Tags: []iam.Tag{{Key: key, Value: value}, {Key: "last"}},
		}}
		b := queryxml.AppendAnswer(nil, queryxml.API{Namespace: "x"}, "GetUser", "id", out.AppendXML)
		var got answerOf
		if err := xml.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		same := func(sent, read string) bool { return !plainText(sent) || sent == read }
		if !same(name, got.Name) || !same(path, got.Path) || len(got.Keys) != 2 || !same(key, got.Keys[0]) || !same(value, got.Values[0]) || got.ID != "id" {
			t.Errorf("%q became %+v", b, got)
		}
		if read, err := time.Parse(time.RFC3339, got.Created); at >= 0 && (err != nil || read.Unix() != at) {
			t.Errorf("%d became %s", at, got.Created)
		}
	})
}

// plainText reports whether XML can hold a text as it is.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == 0xFFFE || r == 0xFFFF
	})
}

// FuzzText: any text comes back as it was, as far as XML can hold it.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "<b>", "a&b", "\x00\xff", "\r\n\t", "]]>", "é\u2028", `"'`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := queryxml.AppendError(nil, queryxml.API{}, queryxml.Error{Message: s})
		var got struct {
			Message string `xml:"Error>Message"`
		}
		if err := xml.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if plainText(s) && got.Message != s {
			t.Errorf("%q became %q", s, got.Message)
		}
	})
}
