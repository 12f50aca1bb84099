package notification

import (
	"bytes"
	"testing"
)

const (
	testTopic        = "arn:aws:sns:us-west-2:111122223333:news"
	testSubscription = testTopic + ":01234567-89ab-cdef-0123-456789abcdef"
)

func testTokens() *Tokens { return &Tokens{key: bytes.Repeat([]byte{7}, tokenKeySize)} }

// TestToken: a token names its subscription, for its topic and under its key alone.
func TestToken(t *testing.T) {
	t.Parallel()
	nonce := NewNonce()
	token := testTokens().make(testTopic, testSubscription, nonce)
	if len(token) != 288 {
		t.Errorf("%d digits", len(token))
	}
	id, got, ok := testTokens().Read(testTopic, token)
	if !ok || "arn:aws:sns:us-west-2:111122223333:"+id != testSubscription || !bytes.Equal(got, nonce) {
		t.Errorf("%q %x %v", id, got, ok)
	}
	if _, _, ok := testTokens().Read(testTopic+"2", token); ok {
		t.Error("it is good for another topic")
	}
	other := &Tokens{key: bytes.Repeat([]byte{8}, tokenKeySize)}
	if _, _, ok := other.Read(testTopic, token); ok {
		t.Error("it is good under another key")
	}
}

// FuzzToken: nothing but what was made is taken.
func FuzzToken(f *testing.F) {
	good := testTokens().make(testTopic, testSubscription, bytes.Repeat([]byte{1}, nonceSize))
	f.Add(good)
	f.Add(good[1:] + "0")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		id, nonce, ok := testTokens().Read(testTopic, token)
		if !ok {
			return
		}
		again := testTokens().make(testTopic, "arn:aws:sns:us-west-2:111122223333:"+id, nonce)
		if !bytes.EqualFold([]byte(again), []byte(token)) {
			t.Errorf("%s was not made", token)
		}
	})
}

// TestSignedText holds the text that is signed, for both kinds of message (errata.md A5).
func TestSignedText(t *testing.T) {
	t.Parallel()
	e := envelope{
		Type: TypeNotification, MessageId: "id", TopicArn: testTopic, Subject: "s", Message: "m\nn", Timestamp: "2026-01-02T03:04:05.006Z",
	}
	const first = "Message\nm\nn\nMessageId\nid\nSubject\ns\nTimestamp\n2026-01-02T03:04:05.006Z\nTopicArn\n" + testTopic + "\nType\nNotification\n"
	if got := e.signed(); got != first {
		t.Errorf("%q", got)
	}
	e.Type, e.SubscribeURL, e.Token = TypeSubscriptionConfirmation, "http://x/", "t"
	const second = "Message\nm\nn\nMessageId\nid\nSubscribeURL\nhttp://x/\nTimestamp\n2026-01-02T03:04:05.006Z\nToken\nt\nTopicArn\n" + testTopic +
		"\nType\nSubscriptionConfirmation\n"
	if got := e.signed(); got != second {
		t.Errorf("%q", got)
	}
}
