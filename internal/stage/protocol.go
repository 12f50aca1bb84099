package stage

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/stage/forward"
)

// The types of messages on the events socket (docs/stage-protocol.md).
const (
	typeState        = "STAGE_STATE"
	typePing         = "PING"
	typePong         = "PONG"
	typeJoined       = "PARTICIPANT_JOINED"
	typeLeft         = "PARTICIPANT_LEFT"
	typeUpdated      = "PARTICIPANT_UPDATED"
	typePublished    = "PARTICIPANT_PUBLISHED"
	typeUnpublished  = "PARTICIPANT_UNPUBLISHED"
	typeMuteChanged  = "MUTE_CHANGED"
	typeLayers       = "LAYERS_CHANGED"
	typeSelected     = "LAYER_SELECTED"
	typeDisconnected = "DISCONNECTED"
	typeExchanged    = "TOKEN_EXCHANGED"
	typeError        = "ERROR"

	typeHello    = "HELLO"          // from the client
	typeMute     = "MUTE"           // from the client
	typeSelect   = "SELECT_LAYER"   // from the client
	typePause    = "PAUSE"          // from the client
	typeExchange = "EXCHANGE_TOKEN" // from the client
)

// crowd is the number of participants up to which the state lists those who do not publish.
const crowd = 100

type message struct {
	Type    string `json:"type"`
	Payload any    `json:"payload,omitempty"`
}

type statePayload struct {
	StageID      string            `json:"stageId"`
	Participants []participantView `json:"participants"`
}

type participantView struct {
	ID           string            `json:"id"`
	UserID       string            `json:"userId"`
	Attributes   map[string]string `json:"attributes"`
	IsPublishing bool              `json:"isPublishing"`
	HasAudio     bool              `json:"hasAudio"`
	HasVideo     bool              `json:"hasVideo"`
	AudioMuted   bool              `json:"audioMuted"`
	VideoStopped bool              `json:"videoStopped"`
	Layers       []layerView       `json:"layers,omitempty"`
}

type layerView struct {
	Label   string `json:"label"`
	Bitrate int    `json:"bitrate"` // bits a second; 0: off
}

type idPayload struct {
	ID string `json:"id"`
}

type mutePayload struct {
	ID           string `json:"id"`
	AudioMuted   bool   `json:"audioMuted"`
	VideoStopped bool   `json:"videoStopped"`
}

type layersPayload struct {
	ID     string      `json:"id"`
	Layers []layerView `json:"layers"`
}

type selectedPayload struct {
	ID    string `json:"id"`
	Label string `json:"label"` // "" when nothing is sent
	On    bool   `json:"on"`
}

type reasonPayload struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

type errorPayload struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Request string `json:"request,omitempty"` // type of the message it answers, or PUBLISH or SUBSCRIBE
	ID      string `json:"id,omitempty"`      // the publisher, with SUBSCRIBE
}

// command is a message of a client.
type command struct {
	Type    string `json:"type"`
	Payload struct {
		ID           string `json:"id"`
		Layer        string `json:"layer"`
		Token        string `json:"token"`
		Audio        bool   `json:"audio"`
		Video        bool   `json:"video"`
		AudioMuted   bool   `json:"audioMuted"`
		VideoStopped bool   `json:"videoStopped"`
		hello
	} `json:"payload"`
}

// parseCommand reads a text frame; false for one that is not a message.
func parseCommand(b []byte) (command, bool) {
	var c command
	if err := json.Unmarshal(b, &c); err != nil || c.Type == "" || len(c.Type) > 64 {
		return command{}, false
	}
	return c, true
}

// encode writes a message. Our own types always can be.
func encode(kind string, payload any) []byte {
	b, err := json.Marshal(message{Type: kind, Payload: payload})
	if err != nil {
		return nil
	}
	return b
}

// view returns a participant as sockets see it.
func (r *room) view(p *participant) participantView {
	v := participantView{
		ID: p.id, UserID: p.claims.UserID, Attributes: p.claims.Attributes,
		AudioMuted: p.muted[Audio], VideoStopped: p.muted[Video],
	}
	if v.Attributes == nil {
		v.Attributes = map[string]string{}
	}
	if pub := p.publication; pub != nil {
		v.IsPublishing = true
		v.HasAudio, v.HasVideo = pub.tracks[Audio] != nil, pub.tracks[Video] != nil
		v.Layers = r.layers(pub)
	}
	return v
}

// layers returns the simulcast layers of a publication, lowest first; nil without simulcast.
func (r *room) layers(pub *publication) []layerView {
	if !pub.simulcast() {
		return nil
	}
	rates := pub.layers()
	out := make([]layerView, 0, len(pub.labels))
	for _, index := range pub.order() {
		if int(index) < len(pub.labels) {
			out = append(out, layerView{Label: pub.labels[index], Bitrate: rates[index]})
		}
	}
	return out
}

// state is the snapshot of the stage; in a crowd it lists those who publish.
func (r *room) state() []byte {
	s := statePayload{StageID: r.stage.ID, Participants: []participantView{}}
	for _, p := range slices.SortedFunc(maps.Values(r.participants), byJoin) {
		if r.listed(p) {
			s.Participants = append(s.Participants, r.view(p))
		}
	}
	return encode(typeState, s)
}

func byJoin(a, b *participant) int {
	if c := a.joined.Compare(b.joined); c != 0 {
		return c
	}
	return strings.Compare(a.id, b.id)
}

// listed reports whether sockets are told of a participant.
func (r *room) listed(p *participant) bool {
	return p.standing != Hidden && (p.publication != nil || r.shown() <= crowd)
}

// shown is how many participants there are, for all that sockets are told.
func (r *room) shown() int { return len(r.participants) - r.hidden }

// came and went tell the sockets of somebody who has just joined or left, and does not publish. In a crowd nobody is told.
func (r *room) came(p *participant) {
	if p.standing == Hidden {
		return
	}
	if r.shown() <= crowd {
		r.tell(p, typeJoined, r.view(p))
	}
	r.changed = r.changed || r.shown() <= crowd+1
}

func (r *room) went(p *participant) {
	if p.standing == Hidden {
		return
	}
	if r.shown() < crowd {
		r.tell(nil, typeLeft, idPayload{p.id})
	}
	r.changed = r.changed || r.shown() <= crowd
}

// tellState sends the snapshot to everybody, encoded once.
func (r *room) tellState() { r.broadcast(nil, r.state()) }

// tell sends a message to everybody but one, who may be nil.
func (r *room) tell(except *participant, kind string, payload any) {
	r.broadcast(except, encode(kind, payload))
}

// tell sends the participant a message, if it listens.
func (p *participant) tell(kind string, payload any) {
	if p.socket != nil {
		p.socket.Send(encode(kind, payload))
	}
}

func (r *room) broadcast(except *participant, b []byte) {
	for _, p := range r.participants {
		if p != except && p.socket != nil {
			p.socket.Send(b)
		}
	}
}

// tellLayers sends the rates of simulcast layers to those who are subscribed to them.
func (r *room) tellLayers() {
	for id, publisher := range r.participants {
		pub := publisher.publication
		if pub == nil || !pub.simulcast() {
			continue
		}
		var b []byte
		for _, p := range r.participants {
			if p.socket == nil || p.subs[id] == nil {
				continue
			}
			if b == nil { // once for all
				b = encode(typeLayers, layersPayload{ID: id, Layers: r.layers(pub)})
			}
			p.socket.Send(b)
		}
	}
}

// tellSelected tells a participant which layers it gets, when that has changed.
func (r *room) tellSelected(p *participant) {
	for id, s := range p.subs {
		o := s.outlets[Video]
		if o == nil || !s.told {
			continue
		}
		now := o.current.Load()
		if before, known := p.lastSelected[id]; known && before == now {
			continue
		}
		p.lastSelected[id] = now
		v, labels := selectedPayload{ID: id, On: now != forward.None}, s.pub.Load().labels
		if i := int(now); i >= 0 && i < len(labels) {
			v.Label = labels[i]
		}
		p.tell(typeSelected, v)
	}
}
