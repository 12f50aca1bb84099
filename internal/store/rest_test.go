package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
)

// A record as two versions know it: the later one has a member more at every depth.
type (
	plainKey struct {
		ID     string            `json:"id"`
		Secret string            `json:"secret,omitempty"`
		Tags   map[string]string `json:"tags,omitempty"`
	}
	plainRecord struct {
		Name    string              `json:"name"`
		Keys    []plainKey          `json:"keys,omitempty"`
		Main    plainKey            `json:"main"`
		Spare   *plainKey           `json:"spare,omitempty"`
		ByName  map[string]plainKey `json:"byName,omitempty"`
		Lengths []int               `json:"lengths,omitempty"`
	}
	richKey struct {
		plainKey
		Expires int            `json:"expires,omitempty"`
		Limits  map[string]any `json:"limits,omitempty"`
	}
	richRecord struct {
		Name    string             `json:"name"`
		Keys    []richKey          `json:"keys,omitempty"`
		Main    richKey            `json:"main"`
		Spare   *richKey           `json:"spare,omitempty"`
		ByName  map[string]richKey `json:"byName,omitempty"`
		Lengths []int              `json:"lengths,omitempty"`
		Colour  string             `json:"colour,omitempty"`
		Deep    map[string][]int   `json:"deep,omitempty"`
	}
)

func randomRichKey(r *rand.Rand, id string) richKey {
	k := richKey{plainKey: plainKey{ID: id, Secret: fmt.Sprint(r.IntN(3)), Tags: map[string]string{"a": fmt.Sprint(r.IntN(3))}}, Expires: r.IntN(3)}
	if r.IntN(2) == 0 {
		k.Limits = map[string]any{"rate": fmt.Sprint(r.IntN(9)), "burst": []any{"x", true, nil}}
	}
	return k
}

func randomRich(r *rand.Rand) richRecord {
	out := richRecord{Name: fmt.Sprint(r.IntN(9)), Main: randomRichKey(r, "main"), Colour: fmt.Sprint("c", r.IntN(9)), ByName: map[string]richKey{}}
	for i := range r.IntN(5) {
		out.Keys = append(out.Keys, randomRichKey(r, fmt.Sprint("k", i)))
		out.ByName[fmt.Sprint("n", i)] = randomRichKey(r, "")
		out.Lengths = append(out.Lengths, i)
	}
	if r.IntN(2) == 0 {
		spare := randomRichKey(r, "spare")
		out.Spare = &spare
	}
	if r.IntN(2) == 0 {
		out.Deep = map[string][]int{"d": {1, 2}}
	}
	return out
}

// change is an Update as each of the two versions makes it.
type change struct {
	plain func(plainRecord) plainRecord
	rich  func(richRecord) richRecord
}

func randomChange(r *rand.Rand) change {
	n, text := r.IntN(8), fmt.Sprint("new", r.IntN(9))
	return change{
		plain: func(p plainRecord) plainRecord {
			switch n {
			case 0:
				p.Name = text
			case 1:
				p.Keys = append(p.Keys, plainKey{ID: text})
			case 2:
				p.Keys = p.Keys[min(1, len(p.Keys)):]
			case 3:
				if len(p.Keys) > 0 {
					p.Keys[len(p.Keys)-1].Secret = text
				}
			case 4:
				p.Main.Tags = map[string]string{text: text}
			case 5:
				p.Spare = nil
			case 6:
				delete(p.ByName, "n0")
			case 7:
				p.Lengths, p.Main.Secret = nil, ""
			}
			return p
		},
		rich: func(p richRecord) richRecord {
			switch n {
			case 0:
				p.Name = text
			case 1:
				p.Keys = append(p.Keys, richKey{plainKey: plainKey{ID: text}})
			case 2:
				p.Keys = p.Keys[min(1, len(p.Keys)):]
			case 3:
				if len(p.Keys) > 0 {
					p.Keys[len(p.Keys)-1].Secret = text
				}
			case 4:
				p.Main.Tags = map[string]string{text: text}
			case 5:
				p.Spare = nil
			case 6:
				delete(p.ByName, "n0")
			case 7:
				p.Lengths, p.Main.Secret = nil, ""
			}
			return p
		},
	}
}

// TestUnknownMembersSurvive: whatever an older version changes in a record, the members that it does not know are what they
// would be if a later one had made the change.
func TestUnknownMembersSurvive(t *testing.T) {
	t.Parallel()
	conn, s := start(t, t.TempDir())
	later, err := OpenTable(t.Context(), s, Definition[richRecord]{Name: "versioned", Class: Facts})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(t.Context(), conn, Options{Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	older, err := OpenTable(t.Context(), other, Definition[plainRecord]{Name: "versioned", Class: Facts})
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		key, want := keyOf(fmt.Sprint(seed)), randomRich(r)
		if _, err := later.Create(t.Context(), key, want); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(3) {
			c := randomChange(r)
			want = c.rich(want)
			if _, err := older.Update(t.Context(), key, func(p plainRecord) (plainRecord, error) { return c.plain(p), nil }); err != nil {
				t.Fatal(err)
			}
		}
		got, err := later.GetNewest(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if want, err = clone(want); err != nil || !reflect.DeepEqual(got.Value, want) {
			g, _ := json.Marshal(got.Value)
			w, _ := json.Marshal(want)
			t.Fatalf("seed %d: got\n%s, want\n%s", seed, g, w)
		}
	}
}

// TestLaterRecordsAreLeftAlone: what a record of a later version means is not known, so it is shown and not written over; what
// comes after its deletion is free.
func TestLaterRecordsAreLeftAlone(t *testing.T) {
	t.Parallel()
	conn, s := start(t, t.TempDir())
	def := thingDefinition(Facts)
	older := things(t, s, Facts)
	other, err := Open(t.Context(), conn, Options{Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	def.Version = 2
	later, err := OpenTable(t.Context(), other, def)
	if err != nil {
		t.Fatal(err)
	}
	ctx, key := t.Context(), keyOf("a")
	made := must[Record[thing]](t)(older.Create(ctx, key, thing{Name: "old"}))
	if _, err := later.Update(ctx, key, increment); err != nil {
		t.Fatal(err)
	}
	now, err := older.GetNewest(ctx, key)
	if err != nil || now.Value.Count != 1 {
		t.Fatalf("got %+v, %v", now, err)
	}
	_, err = older.Update(ctx, key, increment)
	wantKind(t, err, fault.Unavailable)
	_, err = older.Put(ctx, key, thing{}, now.Revision)
	wantKind(t, err, fault.Unavailable)
	_, err = older.Put(ctx, key, thing{}, made.Revision)
	wantKind(t, err, fault.Unavailable)
	_, err = older.Delete(ctx, key, nil)
	wantKind(t, err, fault.Unavailable)
	if _, err := later.Delete(ctx, key, nil); err != nil {
		t.Fatal(err)
	}
	_, err = older.GetNewest(ctx, key)
	wantKind(t, err, fault.NotFound)
	if _, err := older.Create(ctx, key, thing{}); err != nil {
		t.Errorf("after the deletion: %v", err)
	}
}

// FuzzRest: carrying on is neither a panic nor a change of what is known, for any two JSON values.
func FuzzRest(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[1,{"id":"x","y":2}]}}`), []byte(`{"b":{"c":[1,{"id":"x"}]}}`), []byte(`{"b":{"c":[{"id":"x"}]},"a":null}`))
	f.Add([]byte(`[]`), []byte(`{}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, stored, known, next []byte) {
		r, err := restOf(stored, known)
		if err != nil || r == nil {
			return
		}
		out, err := r.in(next)
		if err != nil {
			return
		}
		was, err := parseTree(next)
		if err != nil {
			t.Fatal(err)
		}
		is, err := parseTree(out)
		if err != nil {
			t.Fatal(err)
		}
		if !within(was, is) {
			t.Errorf("%s became %s", next, out)
		}
	})
}

// within tells whether everything in a is in b, in the same place.
func within(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		for name, v := range a {
			ok = ok && within(v, b[name])
		}
		return ok
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			ok = ok && within(a[i], b[i])
		}
		return ok
	}
	return reflect.DeepEqual(a, b)
}
