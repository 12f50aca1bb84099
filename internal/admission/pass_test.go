package admission

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/rivus-live/rivus/internal/token"
)

// FuzzReadPass: whatever stands in a pass is read to something that is written to itself, or refused.
func FuzzReadPass(f *testing.F) {
	full, err := (&Pass{
		Origins: []string{"https://a.test"}, ViewerID: "x", SessionVersion: 300, MaximumResolution: "HD", Ads: token.AdClaims{OptOut: true},
	}).append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte{fieldOrigin, 200})
	f.Add([]byte{optional + 1, 0})
	f.Add([]byte{99, 0})
	f.Add(append([]byte{fieldVersion, 10}, bytes.Repeat([]byte{255}, 10)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, ok := readPass(data)
		if !ok {
			return
		}
		again, err := p.append(nil)
		if err != nil { // the object for ads may be none
			return
		}
		if q, ok := readPass(again); !ok || p.Ads.IsZero() && !reflect.DeepEqual(p, q) || p.SessionVersion < 0 {
			t.Fatalf("%x: %+v, then %+v %v", data, p, q, ok)
		}
	})
}
