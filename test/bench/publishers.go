package main

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// publishChunk is the chunk size of OBS, the encoder that most people use.
const publishChunk = 4096

// publishJob is a load of encoders, one for each URL.
type publishJob struct {
	Clip string // FLV file
	URLs []string
}

// published is what encoders did since the last mark.
type published struct {
	Frames int64 // of both tracks
	Bytes  int64 // of message bodies
	Behind time.Duration
}

// publishers send one clip to many channels, over and over, in real time. Their keyframes are spread evenly over a GOP.
type publishers struct {
	job    publishJob
	clip   *clip
	frames atomic.Int64
	bytes  atomic.Int64
	behind atomic.Int64 // the most that a frame was sent after its time, nanoseconds
}

func newPublishers(j publishJob) (*publishers, error) {
	c, err := loadClip(j.Clip)
	if err != nil {
		return nil, err
	}
	return &publishers{job: j, clip: c}, nil
}

func (p *publishers) mark(string) any {
	return published{p.frames.Swap(0), p.bytes.Swap(0), time.Duration(p.behind.Swap(0))}
}

func (p *publishers) run(ctx context.Context) error {
	const gop = 2 * time.Second
	all, ctx := errgroup.WithContext(ctx)
	for i, url := range p.job.URLs {
		delay := gop * time.Duration(i) / time.Duration(len(p.job.URLs))
		all.Go(func() error { return p.publish(ctx, url, delay) })
	}
	return all.Wait()
}

// publish is one encoder. It ends in good order when ctx does.
func (p *publishers) publish(ctx context.Context, url string, delay time.Duration) error {
	if wait(ctx, delay) != nil {
		return nil //nolint:nilerr // the load ends before this encoder has begun
	}
	o := rtmptest.Options{Encoder: "FMLE/3.0 (compatible; bench)"}
	o.Format.Size = publishChunk
	c, err := rtmptest.Dial(ctx, url, o)
	if err != nil {
		return err
	}
	var both errgroup.Group
	both.Go(c.Wait) // reads what the server says meanwhile, and why it ends
	both.Go(func() error {
		defer c.Close() //nolint:errcheck // it ends the reader; nothing is sent any more
		return p.send(ctx, c)
	})
	err = both.Wait()
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what fails while everything ends is no news
	}
	return err
}

func (p *publishers) send(ctx context.Context, c *rtmptest.Client) error {
	if err := c.Video(0, p.clip.video); err != nil {
		return err
	}
	if err := c.Audio(0, p.clip.audio); err != nil {
		return err
	}
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var body []byte
	for from := time.Duration(0); ; from += clipLength {
		for i := range p.clip.messages {
			m := &p.clip.messages[i]
			at := from + m.at
			timer.Reset(time.Until(start.Add(at)))
			select {
			case <-timer.C:
			case <-ctx.Done():
				return c.Unpublish()
			}
			body = append(body[:0], m.body...)
			if err := p.sendOne(c, m, uint32(at/time.Millisecond), body); err != nil {
				return err
			}
			p.noteBehind(time.Since(start.Add(at)))
		}
	}
}

// sendOne sends a message with a body of the sender's own.
func (p *publishers) sendOne(c *rtmptest.Client, m *message, at uint32, body []byte) error {
	p.frames.Add(1)
	p.bytes.Add(int64(len(body)))
	if m.audio {
		return c.Audio(at, body)
	}
	putStamp(body[m.stamp:], time.Now())
	return c.Video(at, body)
}

func (p *publishers) noteBehind(d time.Duration) {
	for {
		old := p.behind.Load()
		if int64(d) <= old || p.behind.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}
