package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// What bare datagrams are sent like: a picture in as many packets as a stage's, in one message that the kernel cuts, to
// every receiver in one system call a hundred, as often as pictures come.
const (
	bareReceivers = 200
	barePackets   = 9
	bareSize      = 1200
	bareInterval  = time.Second / 30
	bareAtOnce    = 100
)

// bareJob sends datagrams to addresses, or receives them when there are none.
type bareJob struct{ To []string }

// bareState tells where a receiver listens, or how many packets a sender has sent.
type bareState struct {
	Addresses []string
	Packets   int64
}

// bare is the load that shows what this machine takes for datagrams alone: no server of stages can cost less.
type bare struct {
	to      []string
	sockets []*net.UDPConn
	sent    atomic.Int64
}

func newBare(j bareJob) (*bare, error) {
	b := &bare{to: j.To}
	n := 1
	if len(j.To) == 0 {
		n = bareReceivers
	}
	for range n {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		_ = c.SetWriteBuffer(4 << 20) // less is slower, and shows
		b.sockets = append(b.sockets, c)
	}
	return b, nil
}

func (b *bare) mark(string) any {
	s := bareState{Packets: b.sent.Load()}
	for _, c := range b.sockets {
		s.Addresses = append(s.Addresses, c.LocalAddr().String())
	}
	return s
}

func (b *bare) run(ctx context.Context) error {
	var all errgroup.Group
	all.Go(func() error {
		<-ctx.Done()
		for _, c := range b.sockets {
			_ = c.Close() // ends its reader
		}
		return nil
	})
	for _, c := range b.sockets {
		all.Go(func() error { return drain(c) })
	}
	if len(b.to) > 0 {
		all.Go(func() error { return b.send(ctx) })
	}
	return all.Wait()
}

// drain reads a socket until it is closed.
func drain(c *net.UDPConn) error {
	p := ipv4.NewPacketConn(c)
	batch := make([]ipv4.Message, barePackets)
	for i := range batch {
		batch[i].Buffers = [][]byte{make([]byte, bareSize)}
	}
	for {
		if _, err := p.ReadBatch(batch, 0); err != nil {
			return nil //nolint:nilerr // it is closed
		}
	}
}

func (b *bare) send(ctx context.Context) error {
	messages := make([]ipv4.Message, len(b.to))
	oob := make([]byte, unix.CmsgSpace(2))
	binary.NativeEndian.PutUint64(oob, uint64(unix.CmsgLen(2)))
	binary.NativeEndian.PutUint32(oob[8:], unix.IPPROTO_UDP)
	binary.NativeEndian.PutUint32(oob[12:], unix.UDP_SEGMENT)
	binary.NativeEndian.PutUint16(oob[unix.CmsgLen(0):], bareSize)
	picture := make([]byte, barePackets*bareSize)
	for i, to := range b.to {
		addr, err := net.ResolveUDPAddr("udp4", to)
		if err != nil {
			return err
		}
		messages[i] = ipv4.Message{Buffers: [][]byte{picture}, OOB: oob, Addr: addr}
	}
	p := ipv4.NewPacketConn(b.sockets[0])
	tick := time.NewTicker(bareInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		for left := messages; len(left) > 0; {
			n, err := p.WriteBatch(left[:min(len(left), bareAtOnce)], 0)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("bare datagrams: %w", err)
			}
			b.sent.Add(int64(n * barePackets))
			left = left[n:]
		}
	}
}

// measureBare measures what datagrams alone cost here and now.
func (b *bench) measureBare(ctx context.Context) error {
	receiver, err := b.startLoad(ctx, job{Bare: &bareJob{}})
	if err != nil {
		return err
	}
	defer receiver.stop()
	var s bareState
	if err := receiver.mark(&s); err != nil {
		return err
	}
	sender, err := b.startLoad(ctx, job{Bare: &bareJob{To: s.Addresses}})
	if err != nil {
		return err
	}
	defer sender.stop()
	if err := wait(ctx, time.Second); err != nil {
		return err
	}
	if err := sender.mark(&s); err != nil {
		return err
	}
	before, began := s.Packets, time.Now()
	used, err := sender.cpu()
	if err != nil {
		return err
	}
	if err := wait(ctx, pick(b, 8*time.Second, 2*time.Second)); err != nil {
		return err
	}
	if err := sender.mark(&s); err != nil {
		return err
	}
	after, err := sender.cpu()
	if err != nil {
		return err
	}
	n := float64(s.Packets - before)
	b.report.add("the floor: datagrams alone, CPU seconds a million packets", "%.2f (%.0f packets a second to %d sockets that are read, not encrypted, cut by the kernel)",
		(after-used).Seconds()/n*1e6, n/time.Since(began).Seconds(), bareReceivers)
	return nil
}
