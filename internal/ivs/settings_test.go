package ivs

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	const (
		ad  = "arn:aws:ivs:us-west-2:111122223333:ad-configuration/AdAdAdAdAdAd"
		rec = "arn:aws:ivs:us-west-2:111122223333:recording-configuration/ReReReReReRe"
	)
	base := func(change func(*resource.Channel)) resource.Channel {
		ch := defaults()
		if change != nil {
			change(&ch)
		}
		return ch
	}
	advanced := func(ch *resource.Channel) { ch.Type, ch.Preset = "ADVANCED_HD", "CONSTRAINED_BANDWIDTH_DELIVERY" }
	multitrack := func(ch *resource.Channel) { ch.Multitrack.Enabled, ch.ContainerFormat = true, "FRAGMENTED_MP4" }
	enabled := &MultitrackInputConfiguration{Enabled: ptr(true), Policy: ptr("REQUIRE"), MaximumResolution: ptr("HD")}
	tests := []struct {
		name string
		from func(*resource.Channel)
		with settings
		want func(*resource.Channel) // nil when it is refused
	}{
		{"nothing", nil, settings{}, func(*resource.Channel) {}},
		{
			"plain members", nil,
			settings{
				name: ptr("demo"), latencyMode: ptr("NORMAL"), authorized: ptr(true), insecureIngest: ptr(true),
				recording: ptr(rec), containerFormat: ptr("FRAGMENTED_MP4"),
			},
			func(ch *resource.Channel) {
				ch.Name, ch.LatencyMode, ch.Authorized, ch.InsecureIngest = "demo", "NORMAL", true, true
				ch.RecordingConfigurationARN, ch.ContainerFormat = rec, "FRAGMENTED_MP4"
			},
		},
		{
			"an empty value clears", func(ch *resource.Channel) { ch.Name, ch.RecordingConfigurationARN = "demo", rec },
			settings{name: ptr(""), recording: ptr("")},
			func(*resource.Channel) {},
		},
		{
			"an advanced type gets a preset", nil,
			settings{channelType: ptr("ADVANCED_SD")},
			func(ch *resource.Channel) { ch.Type, ch.Preset = "ADVANCED_SD", "HIGHER_BANDWIDTH_DELIVERY" },
		},
		{
			"an advanced type never has the empty preset", advanced,
			settings{preset: ptr("")},
			func(ch *resource.Channel) { ch.Type, ch.Preset = "ADVANCED_HD", "HIGHER_BANDWIDTH_DELIVERY" },
		},
		{
			"the preset stays inside the family", advanced,
			settings{channelType: ptr("ADVANCED_SD")},
			func(ch *resource.Channel) { advanced(ch); ch.Type = "ADVANCED_SD" },
		},
		{
			"the preset goes with the family", advanced,
			settings{channelType: ptr("BASIC")},
			func(ch *resource.Channel) { ch.Type = "BASIC" },
		},
		{
			"the empty preset suits a type without presets", nil,
			settings{channelType: ptr("BASIC"), preset: ptr("")},
			func(ch *resource.Channel) { ch.Type = "BASIC" },
		},
		{"no preset on STANDARD", nil, settings{preset: ptr("HIGHER_BANDWIDTH_DELIVERY")}, nil},
		{
			"no preset on BASIC", advanced,
			settings{channelType: ptr("BASIC"), preset: ptr("HIGHER_BANDWIDTH_DELIVERY")},
			nil,
		},
		{
			"multitrack", nil,
			settings{multitrack: enabled, containerFormat: ptr("FRAGMENTED_MP4")},
			func(ch *resource.Channel) {
				ch.ContainerFormat = "FRAGMENTED_MP4"
				ch.Multitrack = resource.Multitrack{Enabled: true, Policy: "REQUIRE", MaximumResolution: "HD"}
			},
		},
		{"multitrack needs fragmented MP4", nil, settings{multitrack: enabled}, nil},
		{
			"multitrack needs STANDARD", nil,
			settings{multitrack: enabled, containerFormat: ptr("FRAGMENTED_MP4"), channelType: ptr("BASIC")},
			nil,
		},
		{
			"multitrack needs a policy", nil, settings{
				multitrack:      &MultitrackInputConfiguration{Enabled: ptr(true), MaximumResolution: ptr("HD")},
				containerFormat: ptr("FRAGMENTED_MP4"),
			}, nil,
		},
		{
			"multitrack needs a resolution", nil, settings{
				multitrack:      &MultitrackInputConfiguration{Enabled: ptr(true), Policy: ptr("ALLOW")},
				containerFormat: ptr("FRAGMENTED_MP4"),
			}, nil,
		},
		{"multitrack holds the type", multitrack, settings{channelType: ptr("ADVANCED_HD")}, nil},
		{"multitrack holds the container", multitrack, settings{containerFormat: ptr("TS")}, nil},
		{
			"disabled multitrack holds nothing", multitrack,
			settings{
				multitrack: &MultitrackInputConfiguration{Enabled: ptr(false)}, containerFormat: ptr("TS"),
				channelType: ptr("BASIC"),
			},
			func(ch *resource.Channel) { ch.Type = "BASIC" },
		},
		{
			"absent multitrack members stay", multitrack,
			settings{multitrack: &MultitrackInputConfiguration{Policy: ptr("REQUIRE")}},
			func(ch *resource.Channel) { multitrack(ch); ch.Multitrack.Policy = "REQUIRE" },
		},
		{"ads in TS", nil, settings{ad: ptr(ad)}, func(ch *resource.Channel) { ch.AdConfigurationARN = ad }},
		{"no ads in fragmented MP4", nil, settings{ad: ptr(ad), containerFormat: ptr("FRAGMENTED_MP4")}, nil},
		{
			"ads hold the container", func(ch *resource.Channel) { ch.AdConfigurationARN = ad },
			settings{containerFormat: ptr("FRAGMENTED_MP4")},
			nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.with.apply(base(test.from))
			if test.want == nil {
				if !fault.Is(err, fault.Invalid) {
					t.Fatalf("error %v, want one of the kind %v", err, fault.Invalid)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := base(test.want); !equal(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// equal compares the settings of two channels without tags and keys.
func equal(a, b resource.Channel) bool {
	a.Tags, b.Tags, a.StreamKeys, b.StreamKeys = nil, nil, nil, nil
	return reflect.DeepEqual(a, b)
}

func TestTagged(t *testing.T) {
	t.Parallel()
	many := func(from, n int) map[string]string {
		tags := make(map[string]string, n)
		for i := range n {
			tags[fmt.Sprintf("k%d", from+i)] = "v"
		}
		return tags
	}
	tests := []struct {
		name       string
		tags, more map[string]string
		want       int // tags afterwards, -1 when it is refused
	}{
		{"none", nil, nil, 0},
		{"first", nil, many(0, 2), 2},
		{"to the limit", many(0, 30), many(30, 20), 50},
		{"past the limit", many(0, 30), many(30, 21), -1},
		{"overwriting at the limit", many(0, 50), many(10, 20), 50},
		{"reserved", nil, map[string]string{"aws:owner": "x"}, -1},
		{"reserved in any case", nil, map[string]string{"AwS:": "x"}, -1},
		{"not reserved", nil, map[string]string{"aws": "", "awsome:x": "", "x:aws:": ""}, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before := len(test.tags)
			got, err := tagged(test.tags, test.more)
			switch {
			case test.want < 0 && !fault.Is(err, fault.Invalid):
				t.Errorf("error %v, want one of the kind %v", err, fault.Invalid)
			case test.want >= 0 && (err != nil || len(got) != test.want):
				t.Errorf("%d tags and error %v, want %d tags", len(got), err, test.want)
			case len(test.tags) != before:
				t.Error("the old tags were changed")
			}
		})
	}
}
