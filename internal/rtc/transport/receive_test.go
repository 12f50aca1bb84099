package transport

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pion/dtls/v3"
)

// TestReceive: with every profile, over UDP and TCP, what a client sends comes as it was, once and past the end of the
// numbers, and nothing else does.
func TestReceive(t *testing.T) {
	t.Parallel()
	for _, profile := range profiles {
		for _, tcp := range []bool{false, true} {
			t.Run(fmt.Sprint(profile, tcp), func(t *testing.T) {
				t.Parallel()
				c := connect(newServer(t), options{tcp: tcp, profiles: []dtls.SRTPProtectionProfile{profile}})
				receiveAll(t, c)
			})
		}
	}
}

func receiveAll(t *testing.T, c *client) {
	t.Helper()
	encrypt := func(plain []byte) []byte {
		b, err := c.out.EncryptRTP(nil, plain, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for i, seq := range []uint16{65530, 65531, 65533, 65532, 65535, 0, 1, 65534, 2} {
		want := packetOf(t, 1000, seq, 100+i)
		b := encrypt(want)
		forged := bytes.Clone(b)
		forged[len(forged)-1]++
		if i > 0 { // the first may come before the keys do
			c.send(forged)
		}
		c.send(b)
		c.send(b) // once more
		if got := receive(t, "a packet", c.rtp); !bytes.Equal(got, want) {
			t.Fatalf("packet %d came as % x", seq, got[:12])
		}
	}
	c.send(encrypt(packetOf(t, 2000, 5, 0)))
	if got := receive(t, "another source", c.rtp); got[11] != 0xd0 {
		t.Errorf("% x", got)
	}
	if n := len(c.rtp); n != 0 {
		t.Errorf("%d packets too many", n)
	}
	for ssrc := range uint32(maxSources + 1) {
		c.send(encrypt(packetOf(t, ssrc, 1, 10)))
	}
	receive(t, "the end of one with too many sources", c.peer.Ended())
}

// TestNumbersUsedAgain: a sender that uses numbers once more, for other packets, is heard, but no packet comes twice.
func TestNumbersUsedAgain(t *testing.T) {
	t.Parallel()
	for _, profile := range profiles {
		t.Run(fmt.Sprint(profile), func(t *testing.T) {
			t.Parallel()
			c := connect(newServer(t), options{profiles: []dtls.SRTPProtectionProfile{profile}})
			var all [][]byte
			send := func(seq uint16, size int, comes bool) {
				t.Helper()
				plain := packetOf(t, 1000, seq, size)
				b, err := c.out.EncryptRTP(nil, plain, nil)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, b)
				if c.send(b); !comes {
					return
				}
				if got := receive(t, "a packet", c.rtp); !bytes.Equal(got, plain) {
					t.Fatalf("%d came as % x", seq, got[:12])
				}
			}
			for seq := range uint16(20) {
				send(65530+seq, 100, true)
			}
			for seq := range uint16(25) {
				send(4+seq, 101, true) // 10 behind, and on
			}
			send(5, 102, false) // a third time
			for _, b := range all {
				c.send(b)
			}
			send(50, 100, true)
			if n := len(c.rtp); n != 0 {
				t.Errorf("%d replays are heard", n)
			}
		})
	}
}

// TestReceiveControl: RTCP comes as it was, in any order and once; what was changed on the way does not.
func TestReceiveControl(t *testing.T) {
	t.Parallel()
	c := connect(newServer(t), options{})
	var list [][]byte
	for n := range byte(20) {
		plain := append([]byte{0x80, 201, 0, 1 + n, 0, 0, 0, 1}, bytes.Repeat([]byte{n}, 4*int(n))...)
		b, err := c.out.EncryptRTCP(nil, plain, nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, b)
	}
	c.send(list[0])
	receive(t, "the first", c.rtcp)
	for i := len(list) - 1; i > 0; i-- {
		for at := range list[i] {
			if at > 8 && at < len(list[i])-20 && at%5 != 0 {
				continue
			}
			forged := bytes.Clone(list[i])
			forged[at] ^= 1
			c.send(forged)
		}
		c.send(list[i][:len(list[i])-1])
		c.send(list[i][:8])
		c.send(list[0])
		c.send(list[i])
		c.send(list[i])
		if got := receive(t, "RTCP", c.rtcp); len(got) != 8+4*i || int(got[3]) != 1+i || got[len(got)-1] != byte(i) {
			t.Fatalf("packet %d came as % x", i, got)
		}
	}
	c.report(9)
	if got := receive(t, "RTCP", c.rtcp); got[7] != 9 {
		t.Errorf("something came twice: % x", got)
	}
}

// TestReceiveAllocatesNothing in steady state.
func TestReceiveAllocatesNothing(t *testing.T) {
	var came atomic.Int64
	s := newServer(t)
	c := connect(s, options{media: func([]byte) { came.Add(1) }})
	c.settle()
	const packets = 2000
	var list [packets][]byte
	for i := range list {
		var err error
		if list[i], err = c.out.EncryptRTP(nil, packetOf(t, 1, uint16(i), 1000), nil); err != nil {
			t.Fatal(err)
		}
	}
	from, next := c.peer.way.Load().path.Addr, 0
	step := func() {
		s.Datagram(list[next], from)
		next++
	}
	if allocs := testing.AllocsPerRun(packets-1, step); allocs != 0 || came.Load() != packets {
		t.Errorf("%v allocations a packet, %d of %d came", allocs, came.Load(), packets)
	}
	for i := range list {
		var err error
		if list[i], err = c.out.EncryptRTCP(nil, []byte{0x80, 201, 0, 1, 0, 0, 0, 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.peer.config.Control = func([]byte) { came.Add(1) }
	next = 0
	if allocs := testing.AllocsPerRun(packets-1, step); allocs != 0 || came.Load() != 2*packets {
		t.Errorf("%v allocations of RTCP, %d of %d came", allocs, came.Load()-packets, packets)
	}
}

// BenchmarkReceive is one packet of 1,000 bytes, decrypted.
func BenchmarkReceive(b *testing.B) {
	s := newServer(b)
	c := connect(s, options{media: func([]byte) {}})
	c.settle()
	from := c.peer.way.Load().path.Addr
	list := make([][]byte, 1000)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%len(list) == 0 {
			b.StopTimer()
			for i := range list {
				list[i], _ = c.out.EncryptRTP(list[i], packetOf(b, 1, uint16(n+i), 1000), nil)
			}
			b.StartTimer()
		}
		s.Datagram(list[n%len(list)], from)
	}
}
