package rtmpsource

import (
	"errors"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/rtmp"
)

// rejected puts the refusal of a sink into the words of RTMP; other errors are for the server to judge.
func rejected(err error) error {
	if r, ok := errors.AsType[*ingest.Refusal](err); ok {
		return rejectionOf(r)
	}
	return err
}

// rejectionOf returns the status that an encoder is sent for a refusal.
func rejectionOf(r *ingest.Refusal) *rtmp.Rejection {
	text := r.Text
	if r.Kind == ingest.Insecure {
		text = "This channel takes RTMPS only."
	}
	return &rtmp.Rejection{Code: codeOf(r.Kind), Description: text}
}

// codeOf returns the status code of a refusal.
func codeOf(k ingest.RefusalKind) string {
	switch k {
	case ingest.InvalidKey, ingest.InUse:
		return rtmp.CodeBadName
	case ingest.Insecure, ingest.Unserved, ingest.OverQuota, ingest.TakeoverDenied:
		return rtmp.CodeDenied
	case ingest.Unsupported, ingest.Unplayable, ingest.TooMuch, ingest.Multitrack, ingest.SingleTrack:
		return rtmp.CodeRejected
	case ingest.Stopped, ingest.TakenOver, ingest.TimeIsUp:
		return rtmp.CodeUnpublish
	case ingest.Silent:
		return rtmp.CodeIdle
	case ingest.Shutdown:
		return rtmp.CodeShutdown
	case ingest.ComeAgain, ingest.Failed:
	}
	return rtmp.CodeFailed
}
