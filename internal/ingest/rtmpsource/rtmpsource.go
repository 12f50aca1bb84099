// Package rtmpsource makes ingest sources of RTMP publications, and tells encoders in the words of RTMP what the service
// says of them.
//
// Imports: ingest, ingest/flv, rtmp.
package rtmpsource

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/ingest/flv"
	"github.com/rivus-live/rivus/internal/rtmp"
)

// Handler gives the publications of an rtmp.Server to a sink.
type Handler struct {
	Sink ingest.Sink
}

var _ rtmp.Handler = Handler{}

// Publish serves one publication (rtmp.Handler).
func (h Handler) Publish(ctx context.Context, p *rtmp.Publication) error {
	p.SetIdle(2 * ingest.Silence) // the sink counts the silence; this is for what has no sink yet
	return rejected(h.Sink.Publish(ctx, requestOf(p), &source{publication: p, demuxer: flv.NewDemuxer()}))
}

// requestOf reads what a publication asks for out of its parameters (spec ivs.md 7.1).
func requestOf(p *rtmp.Publication) ingest.Request {
	return ingest.Request{
		Key:           p.Key,
		Secure:        p.Secure,
		Remote:        p.Remote.Addr().Unmap().String(),
		Software:      p.FlashVersion,
		Priority:      priorityOf(p.Query),
		Target:        ingest.ParseTarget(p.Query.Get("keyframeInterval")),
		ParameterSets: flv.ParameterSets,
	}
}

func priorityOf(q url.Values) ingest.Priority {
	if !q.Has("priority") {
		return ingest.Priority{}
	}
	return ingest.ParsePriority(q.Get("priority"))
}

// source is a publication as a sink uses it.
type source struct {
	publication *rtmp.Publication
	demuxer     *flv.Demuxer
	closed      atomic.Pointer[ingest.Refusal] // of the first Close
}

// Accept tells the encoder to send (ingest.Source).
func (s *source) Accept() error { return s.publication.Accept() }

// Read returns what the next RTMP message came to (ingest.Source).
func (s *source) Read(m *ingest.Message) error {
	message, err := s.publication.Read()
	if err != nil {
		return s.endOf(err)
	}
	tag := flv.Tag(message)
	s.demuxer.TakeTag(&tag, m)
	return nil
}

// endOf turns what a closed publication returns into what it was closed with.
func (s *source) endOf(err error) error {
	if _, ended := errors.AsType[*rtmp.Rejection](err); ended {
		if r := s.closed.Load(); r != nil {
			return r
		}
	}
	return err
}

// Settings returns what the encoder has told of itself (ingest.Source).
func (s *source) Settings() ingest.Settings { return s.demuxer.Settings() }

// Close ends the publication with the words of a refusal (ingest.Source).
func (s *source) Close(r *ingest.Refusal) {
	s.closed.CompareAndSwap(nil, r)
	words := rejectionOf(r)
	s.publication.Close(words.Code, words.Description)
}
