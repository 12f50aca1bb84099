package transport

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
)

// Times of a DTLS association.
const (
	// patience is how long a handshake may take, repeat when a lost flight is sent again.
	patience = 10 * time.Second
	repeat   = 100 * time.Millisecond
	// settling is how long the handshake may be needed again, because its last flight was lost, when the peer does not
	// prove that it was not.
	settling = 3 * time.Second
	// finishing is how long a handshake may take to its end when the peer was closed after our part of the last flights.
	finishing = time.Second
	// reading is how long an alert that comes later may take to be understood, and hearing how often we try.
	reading = time.Second
	hearing = time.Second
)

// Bounds of what a peer may send for its handshake: datagrams that wait, the length of one message, and bytes in all,
// repetitions included. The library would keep what it is given, and work on keys of any size. A flight with the largest
// key that is in use has about 5 kB.
const (
	maxRecords   = 16
	maxMessage   = 8 << 10
	maxHandshake = 128 << 10
)

// Content types of records (RFC 6347, section 4.1).
const (
	typeChange    = 20 // of the cipher: the keys are in use from here on
	typeAlert     = 21
	typeHandshake = 22
)

// schemes are the signatures that a peer may prove its certificate's key with. Ed25519 is not among them: the library, as
// of v3.1.8, does not compare scheme and key, and a signature of an empty hash, which that scheme stands for, can be made
// for a key of another kind without knowing it.
var schemes = []tls.SignatureScheme{ //nolint:gochecknoglobals // a constant table
	tls.ECDSAWithP256AndSHA256, tls.ECDSAWithP384AndSHA384, tls.ECDSAWithP521AndSHA512,
	tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512,
}

// Fingerprint is the hash of a certificate, as SDP gives it (RFC 8122, section 5).
type Fingerprint struct {
	Algorithm string // as "sha-256"
	Value     string // hexadecimal, with colons
}

var (
	errFingerprint = errors.New("the certificate is not the one of the offer")
	errHandshake   = errors.New("DTLS: the handshake is too long")
)

// sum hashes a certificate with the fingerprint's algorithm; nil for one that is too weak or not known.
func (f Fingerprint) sum(der []byte) []byte {
	switch strings.ToLower(f.Algorithm) {
	case "sha-256":
		s := sha256.Sum256(der)
		return s[:]
	case "sha-384":
		s := sha512.Sum384(der)
		return s[:]
	case "sha-512":
		s := sha512.Sum512(der)
		return s[:]
	}
	return nil
}

// Usable tells whether a certificate can be compared with the fingerprint.
func (f Fingerprint) Usable() bool {
	want, err := hex.DecodeString(strings.ReplaceAll(f.Value, ":", ""))
	return err == nil && len(want) > 0 && len(want) == len(f.sum(nil))
}

// matches compares the fingerprint with a certificate's, in constant time.
func (f Fingerprint) matches(der []byte) bool {
	want, err := hex.DecodeString(strings.ReplaceAll(f.Value, ":", ""))
	return err == nil && len(want) > 0 && subtle.ConstantTimeCompare(f.sum(der), want) == 1
}

// association is our end of the DTLS connection to one peer: the server, unless the peer insists on being that. After the handshake it has a purpose only at the end, when one side says
// so; until then it is put away: of ours the last record is kept, ready to be sent, and to read the peer's the state
// is taken up again.
type association struct {
	peer     *Peer
	patience time.Duration

	mu       sync.Mutex // guards what follows
	taken    int        // bytes of the handshake
	records  *records   // of the connection that runs; nil: it is put away
	state    *dtls.State
	last     []byte // our closing alert
	resuming time.Time
	proved   chan struct{} // closed when the peer has our last flight
	prove    sync.Once
}

func newAssociation(p *Peer) *association {
	a := &association{peer: p, patience: patience, proved: make(chan struct{})}
	a.records = newRecords(p)
	return a
}

// record takes a datagram of the peer.
func (a *association) record(b []byte) {
	alert, ok := sift(b)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.records != nil {
		if a.taken += len(b); a.taken > maxHandshake {
			a.peer.over(errHandshake)
			return
		}
		a.records.push(b)
		return
	}
	if !alert || time.Since(a.resuming) < hearing {
		return
	}
	a.resuming = time.Now()
	r := newRecords(a.peer)
	r.push(b)
	a.peer.spawn(func() { a.resume(r) })
}

// sift looks at the records of a datagram (RFC 6347, section 4.1). It is not ok to have a malformed one, an alert that
// is not encrypted, which anybody could have sent, or a message that is too long. It tells whether all are alerts.
func sift(b []byte) (alerts, ok bool) {
	const header = 13
	alerts = true
	for len(b) > 0 {
		if len(b) < header {
			return false, false
		}
		alert, plain := b[0] == typeAlert, b[3] == 0 && b[4] == 0
		size := header + int(binary.BigEndian.Uint16(b[11:]))
		if size > len(b) || alert && plain {
			return false, false
		}
		if b[0] == typeHandshake && plain && !shortMessages(b[header:size]) {
			return false, false
		}
		alerts, b = alerts && alert, b[size:]
	}
	return alerts, true
}

// shortMessages tells whether a record holds nothing but messages, or fragments of messages, of a sensible length (RFC
// 6347, section 4.2.2).
func shortMessages(b []byte) bool {
	const header = 12
	for len(b) > 0 {
		if len(b) < header || uint24(b[1:]) > maxMessage || header+uint24(b[9:]) > len(b) {
			return false
		}
		b = b[header+uint24(b[9:]):]
	}
	return true
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// proven tells that the peer has finished the handshake: it has used a key.
func (a *association) proven() { a.prove.Do(func() { close(a.proved) }) }

// open makes the connection, in the role that the answer to the offer gives us.
func (a *association) open() (*dtls.Conn, error) {
	r := a.records
	if a.peer.config.Active {
		var options []dtls.ClientOption
		for _, o := range a.options() {
			options = append(options, o)
		}
		return dtls.ClientWithOptions(r, r.RemoteAddr(), options...) //nolint:wrapcheck // the caller does
	}
	options := []dtls.ServerOption{
		dtls.WithClientAuth(dtls.RequireAnyClientCert),
		dtls.WithInsecureSkipVerifyHello(true), // ICE has proved the address already
	}
	for _, o := range a.options() {
		options = append(options, o)
	}
	return dtls.ServerWithOptions(r, r.RemoteAddr(), options...) //nolint:wrapcheck // the caller does
}

// options are those of both roles.
func (a *association) options() []dtls.Option {
	c := &a.peer.config
	return []dtls.Option{
		dtls.WithCertificates(c.Certificate),
		dtls.WithLoggerFactory(c.Loggers),
		dtls.WithFlightInterval(repeat),
		dtls.WithSRTPProtectionProfiles(profiles...),
		dtls.WithSignatureSchemes(schemes...),
		dtls.WithInsecureSkipVerify(true), // the fingerprint says whom to trust
		dtls.WithVerifyPeerCertificate(func(certificates [][]byte, _ [][]*x509.Certificate) error {
			for _, f := range c.Fingerprints {
				if len(certificates) > 0 && f.matches(certificates[0]) {
					return nil
				}
			}
			return errFingerprint
		}),
	}
}

// run does the handshake and puts the association away.
func (a *association) run() {
	conn, err := a.open()
	if err != nil {
		a.peer.over(fmt.Errorf("DTLS: %w", err))
		return
	}
	if err := a.handshake(conn); err != nil {
		_ = conn.Close()
		a.peer.over(fmt.Errorf("DTLS: %w", err))
		return
	}
	close(a.peer.connected)
	timer := time.NewTimer(settling)
	defer timer.Stop()
	select {
	case <-a.proved:
	case <-timer.C:
	case <-a.records.closed:
		a.peer.over(ErrLost) // the peer has closed it
		return
	case <-a.peer.ctx.Done():
		_ = conn.Close() // tells the peer
		return
	}
	a.putAway(conn)
}

// handshake makes the keys. When the peer is closed meanwhile it ends at once, unless our part of the last flights is out:
// then the other end may be connected already, and can only be told goodbye with the keys. A cancelled handshake has none;
// the library closes it without a word.
func (a *association) handshake(conn *dtls.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.peer.ctx), a.patience)
	defer cancel()
	r := a.records
	stop := context.AfterFunc(a.peer.ctx, func() {
		if r.halt() {
			cancel()
			return
		}
		time.AfterFunc(finishing, cancel)
	})
	defer stop()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err //nolint:wrapcheck // the caller does
	}
	state, ok := conn.ConnectionState()
	profile, agreed := conn.SelectedSRTPProtectionProfile()
	if !ok || !agreed {
		return errors.New("no SRTP profile was agreed on")
	}
	k, err := newKeys(profile, &state, a.peer.config.Active)
	if err != nil {
		return err
	}
	a.peer.keys.Store(k)
	return nil
}

// putAway ends the connection without the peer's noticing.
func (a *association) putAway(conn *dtls.Conn) {
	r := a.records
	select {
	case <-r.closed: // by the peer, while something else was waited for
		a.peer.over(ErrLost)
		return
	default:
	}
	r.keep()
	_ = conn.Close()
	state, ok := conn.ConnectionState()
	if !ok {
		a.peer.over(ErrLost)
		return
	}
	state.PeerCertificates = nil // nobody asks for them again
	a.mu.Lock()
	a.records, a.state, a.last = nil, &state, r.kept()
	a.mu.Unlock()
	for {
		select {
		case b := <-r.in: // came meanwhile
			a.record(b)
		default:
			return
		}
	}
}

// resume reads what may be the peer's closing alert.
func (a *association) resume(r *records) {
	a.mu.Lock()
	state := a.state
	a.mu.Unlock()
	conn, err := dtls.ResumeWithOptions(state, r, r.RemoteAddr(),
		dtls.WithLoggerFactory(a.peer.config.Loggers), dtls.WithCertificates(a.peer.config.Certificate))
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(a.peer.ctx, reading)
	defer cancel()
	// There is nothing to shake; when it fails, the alert was read first.
	if conn.HandshakeContext(ctx) == nil {
		select {
		case <-r.closed:
		case <-ctx.Done():
		}
	}
	if ctx.Err() == nil {
		a.peer.over(ErrLost)
	}
	r.keep()
	_ = conn.Close()
}

// farewell tells the peer of the end, if the association was put away.
func (a *association) farewell() {
	a.mu.Lock()
	b := a.last
	a.mu.Unlock()
	if b != nil {
		_ = a.peer.transmit(b)
	}
}

// records is what a DTLS connection reads and writes: datagrams of one peer.
type records struct {
	peer    *Peer
	in      chan []byte
	closed  chan struct{}
	once    sync.Once
	mu      sync.Mutex
	expired chan struct{} // closed while the read deadline is in the past
	keeping bool
	alert   []byte
	changed bool // we have said that we use the keys
	halted  bool // and may not say it any more
}

var _ net.PacketConn = (*records)(nil)

func newRecords(p *Peer) *records {
	return &records{peer: p, in: make(chan []byte, maxRecords), closed: make(chan struct{}), expired: make(chan struct{})}
}

// push copies a datagram for the connection. What it has no room for is lost.
func (r *records) push(b []byte) {
	if len(r.in) == cap(r.in) {
		return
	}
	select {
	case r.in <- append([]byte(nil), b...):
	default:
	}
}

// halt keeps the peer from becoming connected. False: it is too late for that.
func (r *records) halt() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.halted = !r.changed
	return r.halted
}

// change notes that we say that we use the keys; false: we may not.
func (r *records) change(b []byte) bool {
	if !holds(b, typeChange) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = r.changed || !r.halted
	return r.changed
}

// holds tells whether a datagram of ours has a record of a type.
func holds(b []byte, kind byte) bool {
	const header = 13
	for len(b) >= header {
		if b[0] == kind {
			return true
		}
		b = b[min(len(b), header+int(binary.BigEndian.Uint16(b[11:]))):]
	}
	return false
}

// keep makes alerts that are written from now on stay here.
func (r *records) keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keeping = true
}

// kept returns the last alert that stayed here.
func (r *records) kept() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alert
}

// ReadFrom implements net.PacketConn.
func (r *records) ReadFrom(b []byte) (int, net.Addr, error) {
	r.mu.Lock()
	expired := r.expired
	r.mu.Unlock()
	select {
	case d := <-r.in:
		return copy(b, d), r.RemoteAddr(), nil
	case <-expired:
		return 0, nil, context.DeadlineExceeded
	case <-r.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo implements net.PacketConn. Where it goes ICE knows. A connection that is being closed may still write a flight
// that it was asked for again, also behind its alert: that goes out, and is not taken for the goodbye.
func (r *records) WriteTo(b []byte, _ net.Addr) (int, error) {
	r.mu.Lock()
	if r.keeping && len(b) > 0 && b[0] == typeAlert {
		r.alert = append([]byte(nil), b...)
		r.mu.Unlock()
		return len(b), nil
	}
	r.mu.Unlock()
	if !r.change(b) {
		return 0, net.ErrClosed
	}
	return len(b), r.peer.transmit(b)
}

// Close implements net.PacketConn.
func (r *records) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}

// LocalAddr implements net.PacketConn.
func (r *records) LocalAddr() net.Addr { return r.peer.mux.out.LocalAddr() }

// RemoteAddr returns a name for the peer; the connection asks for one.
func (r *records) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(netip.AddrPort{}) }

// SetReadDeadline implements net.PacketConn for those who set one in the past, to end a read, and take it back.
func (r *records) SetReadDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	past := !t.IsZero() && !t.After(time.Now())
	select {
	case <-r.expired:
		if !past {
			r.expired = make(chan struct{})
		}
	default:
		if past {
			close(r.expired)
		}
	}
	return nil
}

// SetWriteDeadline implements net.PacketConn. Writes do not wait.
func (r *records) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.PacketConn.
func (r *records) SetDeadline(t time.Time) error { return r.SetReadDeadline(t) }
