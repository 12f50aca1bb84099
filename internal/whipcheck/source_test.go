package whipcheck

import (
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// TestMedia: what we send is a second of pictures of which the first alone is a keyframe, and we see that it is.
func TestMedia(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mimeType  string
		frames    [][]byte
		payloader rtp.Payloader
	}{
		{"video/H264", splitH264(gradientH264), &codecs.H264Payloader{}},
		{"video/VP8", splitIVF(gradientVP8), &codecs.VP8Payloader{EnablePictureID: true}},
	} {
		if len(test.frames) != 30 {
			t.Errorf("%s: %d pictures, want 30", test.mimeType, len(test.frames))
		}
		for i, frame := range test.frames {
			key := false
			for _, payload := range test.payloader.Payload(100, frame) {
				key = key || isKeyframe(test.mimeType, payload)
			}
			if key != (i == 0) {
				t.Errorf("%s: picture %d: keyframe is %t", test.mimeType, i, key)
			}
		}
	}
}
