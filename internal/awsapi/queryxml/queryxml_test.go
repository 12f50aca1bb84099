package queryxml_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
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
		plain := !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == 0xFFFE || r == 0xFFFF })
		if plain && utf8.ValidString(s) && got.Message != s {
			t.Errorf("%q became %q", s, got.Message)
		}
	})
}
