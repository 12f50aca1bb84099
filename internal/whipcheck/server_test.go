package whipcheck

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// The fake server keeps every rule unless a test bends it.
const (
	fakePath  = "/endpoint"
	fakeToken = "eyJhbGciOiJub25lIn0.a-token-for-the-fake.server"
	fakeLimit = 64 << 10
)

// reply is what the fake is about to answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// fake is a WHIP server, or a WHEP server with a live stream.
type fake struct {
	play   bool
	token  string                                            // "" asks for none
	early  func(w http.ResponseWriter, r *http.Request) bool // takes a request over
	bend   func(r *http.Request, x *reply)                   // changes an answer
	answer func(sdp string) string                           // changes the SDP answer that is sent
	id     func(n int) string                                // names sessions
	closes func(r *http.Request) bool                        // requests that break the session's connection
	source func(s *source) webrtc.TrackLocal                 // wraps what is played
	link   []string
	wait   time.Duration // Options.Wait

	large, anyTag, fakeRestart, keepsOn, silent, mute, forgetful, literal bool

	mu       sync.Mutex
	n        int
	sessions map[string]*fakeSession

	life    sync.Mutex
	over    bool
	running sync.WaitGroup
}

type fakeSession struct {
	pc    *webrtc.PeerConnection
	offer string
	etag  string
	tags  []string
	stop  chan struct{}
}

// newFake returns a server that keeps the rules.
func newFake(play bool) *fake {
	return &fake{play: play, token: fakeToken, sessions: map[string]*fakeSession{}}
}

// start serves as long as the test lasts.
func (f *fake) start(tb testing.TB) *httptest.Server {
	tb.Helper()
	server := httptest.NewServer(f)
	tb.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		f.mu.Lock()
		for _, s := range f.sessions {
			s.end()
		}
		f.mu.Unlock()
		f.life.Lock()
		f.over = true
		f.life.Unlock()
		f.running.Wait()
	})
	return server
}

func (s *fakeSession) end() {
	select {
	case <-s.stop:
		return
	default:
	}
	close(s.stop)
	_ = s.pc.Close()
}

// check runs a check of the fake, without a step of it.
func (f *fake) check(tb testing.TB, without string) *Report {
	tb.Helper()
	server := f.start(tb)
	r, err := Check(tb.Context(), Options{URL: server.URL + fakePath, Token: f.token, Play: f.play, Wait: f.wait, without: without})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// ServeHTTP answers, through the bends.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.early != nil && f.early(w, r) {
		return
	}
	f.mu.Lock()
	x := f.route(r)
	f.mu.Unlock()
	x.header.Set("Access-Control-Allow-Origin", "*")
	x.header.Set("Access-Control-Expose-Headers", "Location, ETag, Link")
	if f.bend != nil {
		f.bend(r, x)
	}
	for name, values := range x.header {
		w.Header()[name] = values
	}
	w.WriteHeader(x.status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, x.body)
	}
}

func (f *fake) route(r *http.Request) *reply {
	x := &reply{status: http.StatusNotFound, header: http.Header{}}
	id, isSession := strings.CutPrefix(r.URL.Path, fakePath+"/")
	s := f.sessions[id]
	switch {
	case r.Method == http.MethodOptions:
		x.status = http.StatusNoContent
		x.header.Set("Access-Control-Allow-Methods", "POST, PATCH, DELETE")
		x.header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match")
		x.header.Set("Accept-Post", typeSDP)
	case r.URL.Path == fakePath:
		f.endpoint(r, x)
	case isSession && s != nil:
		f.session(r, x, id, s)
	}
	return x
}

// allowed answers GET, methods that mean nothing and bad tokens; it reports whether the request is none of these.
func (f *fake) allowed(r *http.Request, x *reply, methods string) bool {
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		x.status = http.StatusNoContent
	case !strings.Contains(methods, r.Method):
		x.status = http.StatusMethodNotAllowed
		x.header.Set("Allow", methods)
	case f.token != "" && r.Header.Get("Authorization") != "Bearer "+f.token:
		x.status = http.StatusUnauthorized
		x.header.Set("WWW-Authenticate", "Bearer")
	default:
		return true
	}
	return false
}

func (f *fake) endpoint(r *http.Request, x *reply) {
	if !f.allowed(r, x, "POST, OPTIONS") {
		return
	}
	offer, ok := f.body(r, x, typeSDP)
	if !ok {
		return
	}
	if f.large {
		offer, _, _ = strings.Cut(offer, "a=x-whipcheck:")
	}
	if _, err := parseSDP(offer); err != nil {
		x.status = http.StatusBadRequest
		return
	}
	if !f.play && (strings.Contains(offer, "X-WHIPCHECK") || strings.Count(offer, "m=video") > 1) {
		x.status = http.StatusUnprocessableEntity
		return
	}
	s := &fakeSession{offer: offer, etag: `"first"`, stop: make(chan struct{})}
	answer, err := f.connect(s)
	if err != nil {
		x.status, x.body = http.StatusInternalServerError, err.Error()
		return
	}
	if f.answer != nil {
		answer = f.answer(answer)
	}
	f.n++
	id := fmt.Sprintf("%d-%d", f.n, time.Now().UnixNano())
	if f.id != nil {
		id = f.id(f.n)
	}
	f.sessions[id] = s
	x.status, x.body = http.StatusCreated, answer
	x.header.Set("Content-Type", typeSDP)
	x.header.Set("Location", fakePath+"/"+id)
	x.header.Set("ETag", s.etag)
	for _, l := range f.link {
		x.header.Add("Link", l)
	}
}

func (f *fake) body(r *http.Request, x *reply, kind string) (string, bool) {
	if r.Header.Get("Content-Type") != kind {
		x.status = http.StatusUnsupportedMediaType
		return "", false
	}
	limit := int64(fakeLimit)
	if f.large {
		limit = 64 << 20
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	_, _ = io.Copy(io.Discard, r.Body) // or the server lingers before it closes the connection
	if err != nil || int64(len(b)) > limit {
		x.status = http.StatusRequestEntityTooLarge
		return "", false
	}
	return string(b), true
}

func (f *fake) session(r *http.Request, x *reply, id string, s *fakeSession) {
	if !f.allowed(r, x, "PATCH, DELETE, OPTIONS") {
		return
	}
	if f.closes != nil && f.closes(r) {
		s.end()
	}
	if r.Method == http.MethodDelete {
		x.status = http.StatusOK
		if !f.keepsOn {
			s.end()
		}
		if !f.forgetful {
			delete(f.sessions, id)
			f.sessions["was/"+id] = s // for the end of the test
		}
		return
	}
	text, ok := f.body(r, x, typeFragment)
	if !ok {
		return
	}
	d, err := parseFragment(text)
	match := r.Header.Get("If-Match")
	switch {
	case err != nil || len(d.sections) == 0:
		x.status = http.StatusBadRequest
	case match == "":
		x.status = http.StatusPreconditionRequired
	case match == "*":
		f.restart(x, s, d)
	case match == s.etag && ufragOf(d) != ufragOf(s.description()) && !f.literal:
		f.restart(x, s, d)
	case match != s.etag && !(f.anyTag && strings.Contains(strings.Join(s.tags, " "), match)):
		x.status = http.StatusPreconditionFailed
	default:
		x.status = http.StatusNoContent
	}
}

// ufragOf returns the ICE user fragment of a description.
func ufragOf(d *description) string {
	ufrag, _ := d.get(&d.sections[0], "ice-ufrag")
	return ufrag
}

// description returns the offer as it is after restarts.
func (s *fakeSession) description() *description {
	d, err := parseSDP(s.offer)
	if err != nil {
		panic(err) // it was parsed before
	}
	return d
}

// restart restarts ICE with the credentials of a fragment.
func (f *fake) restart(x *reply, s *fakeSession, d *description) {
	s.offer = restarted(s.offer, d)
	answer, err := "", error(nil)
	if f.fakeRestart {
		answer = restarted(s.pc.LocalDescription().SDP, d)
	} else {
		answer, err = f.negotiate(s)
	}
	if err != nil {
		x.status, x.body = http.StatusInternalServerError, err.Error()
		return
	}
	fr, err := fragmentOf(answer)
	if err != nil {
		x.status, x.body = http.StatusInternalServerError, err.Error()
		return
	}
	if f.fakeRestart {
		fr = fr.renewed()
	}
	s.tags = append(s.tags, s.etag)
	s.etag = fmt.Sprintf(`"restart-%d"`, len(s.tags))
	x.status, x.body = http.StatusOK, fr.text()
	x.header.Set("Content-Type", typeFragment)
	x.header.Set("ETag", s.etag)
}

// connect makes the server's end of a session.
func (f *fake) connect(s *fakeSession) (string, error) {
	engine := &webrtc.MediaEngine{}
	if err := registerCodecs(engine, false); err != nil {
		return "", err
	}
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	options := []func(*webrtc.API){webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings)}
	if f.silent {
		options = append(options, webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	}
	pc, err := webrtc.NewAPI(options...).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	s.pc = pc
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { f.spawn(func() { drain(t) }) })
	if f.play {
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if err := f.add(s, kind); err != nil {
				return "", err
			}
		}
	}
	return f.negotiate(s)
}

// spawn runs fn, which the end of the test waits for.
func (f *fake) spawn(fn func()) {
	f.life.Lock()
	defer f.life.Unlock()
	if !f.over {
		f.running.Go(fn)
	}
}

// drain reads a track to its end, so that it is reported on.
func drain(t *webrtc.TrackRemote) {
	for {
		if _, _, err := t.ReadRTP(); err != nil {
			return
		}
	}
}

func (f *fake) add(s *fakeSession, kind webrtc.RTPCodecType) error {
	from := &source{kind: kind}
	track := webrtc.TrackLocal(from)
	if f.source != nil {
		track = f.source(from)
	}
	t, err := s.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return err
	}
	if !f.mute {
		f.spawn(func() { from.run(s.stop) })
	}
	f.spawn(func() {
		for {
			packets, _, err := t.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if _, ok := p.(*rtcp.PictureLossIndication); ok {
					from.rewind()
				}
			}
		}
	})
	return nil
}

// negotiate answers the session's offer, for the first time or again.
func (f *fake) negotiate(s *fakeSession) (string, error) {
	way := "a=sendonly"
	if f.play {
		way = "a=recvonly"
	}
	offer := strings.ReplaceAll(s.offer, "a=sendrecv", way)
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	text := wireOffer(s.pc.LocalDescription().SDP)
	if strings.Contains(offer, "a=setup:active") {
		text = strings.ReplaceAll(text, "a=setup:active", "a=setup:passive")
	}
	return text, nil
}
