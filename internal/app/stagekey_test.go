package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// TestEncoderWithTheKeyOfAStage: it is told that stages take no encoders, whatever the key, and a channel's key is not
// taken for one.
func TestEncoderWithTheKeyOfAStage(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	for key, want := range map[string]struct{ code, text string }{
		"rt_123456789012_us-west-2_AbCdEfGh1234_secret": {rtmp.CodeDenied, "stage"},
		"rt_":                              {rtmp.CodeDenied, "stage"},
		"sk_us-west-2_AbCdEfGh1234_secret": {rtmp.CodeBadName, "not valid"},
	} {
		_, err := rtmptest.Dial(t.Context(), "rtmp://"+s.RTMP+"/app/"+key, rtmptest.Options{})
		var told *rtmptest.Status
		if !errors.As(err, &told) || told.Code != want.code || !strings.Contains(told.Description, want.text) {
			t.Errorf("%q: the encoder was told %v, want %+v", key, err, want)
		}
	}
}
