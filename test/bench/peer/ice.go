package peer

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"github.com/pion/stun/v4"
)

// Times of ICE. The first check leaves at once: no client that paces its checks can be faster.
const (
	checkInterval   = 50 * time.Millisecond
	consentInterval = 2500 * time.Millisecond
	hostPriority    = 126<<24 | 65535<<8 | 255
)

// check sends checks until one is answered.
func (p *Peer) check(ctx context.Context) error {
	again := time.NewTicker(checkInterval)
	defer again.Stop()
	for {
		p.mu.Lock()
		err := p.sendCheck()
		p.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-p.checked:
			return nil
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("peer: no answer to ICE checks: %w", ctx.Err())
		}
	}
}

// priority and control are the attributes of a check (RFC 8445, section 7.1).
type number struct {
	kind  stun.AttrType
	value uint64
	size  int
}

func (n number) AddTo(m *stun.Message) error {
	b := binary.BigEndian.AppendUint64(nil, n.value)
	m.Add(n.kind, b[8-n.size:])
	return nil
}

// sendCheck sends a binding request. The caller holds the lock.
func (p *Peer) sendCheck() error {
	setters := []stun.Setter{
		stun.TransactionID, stun.BindingRequest,
		stun.NewUsername(p.remote.ufrag + ":" + p.ufrag),
		number{stun.AttrPriority, hostPriority, 4},
	}
	if p.remote.controls {
		setters = append(setters, number{stun.AttrICEControlled, 1, 8})
	} else {
		setters = append(setters, number{stun.AttrICEControlling, 1, 8}, number{stun.AttrUseCandidate, 0, 0})
	}
	setters = append(setters, stun.NewShortTermIntegrity(p.remote.pwd), stun.Fingerprint)
	m, err := stun.Build(setters...)
	if err != nil {
		return fmt.Errorf("peer: build a check: %w", err)
	}
	_, err = p.conn.Write(m.Raw)
	return err
}

// stun answers a check, or notes that ours was answered. The caller holds the lock.
func (p *Peer) stun(b []byte) {
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	if m.Decode() != nil {
		return
	}
	switch m.Type {
	case stun.BindingSuccess:
		p.checkOnce.Do(func() { close(p.checked) })
	case stun.BindingRequest:
		addr, ok := p.conn.RemoteAddr().(*net.UDPAddr)
		if !ok {
			return
		}
		answer, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
			&stun.XORMappedAddress{IP: addr.IP, Port: addr.Port}, stun.NewShortTermIntegrity(p.pwd), stun.Fingerprint)
		if err == nil {
			_, _ = p.conn.Write(answer.Raw) // a lost answer is asked for again
		}
	default:
	}
}
