package ivs

import (
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
	enabled := &MultitrackInputConfiguration{Enabled: new(true), Policy: new("REQUIRE"), MaximumResolution: new("HD")}
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
				name: new("demo"), latencyMode: new("NORMAL"), authorized: new(true), insecureIngest: new(true),
				recording: new(rec), containerFormat: new("FRAGMENTED_MP4"),
			},
			func(ch *resource.Channel) {
				ch.Name, ch.LatencyMode, ch.Authorized, ch.InsecureIngest = "demo", "NORMAL", true, true
				ch.RecordingConfigurationARN, ch.ContainerFormat = rec, "FRAGMENTED_MP4"
			},
		},
		{
			"an empty value clears", func(ch *resource.Channel) { ch.Name, ch.RecordingConfigurationARN = "demo", rec },
			settings{name: new(""), recording: new("")},
			func(*resource.Channel) {},
		},
		{
			"an advanced type gets a preset", nil,
			settings{channelType: new("ADVANCED_SD")},
			func(ch *resource.Channel) { ch.Type, ch.Preset = "ADVANCED_SD", "HIGHER_BANDWIDTH_DELIVERY" },
		},
		{
			"an advanced type never has the empty preset", advanced,
			settings{preset: new("")},
			func(ch *resource.Channel) { ch.Type, ch.Preset = "ADVANCED_HD", "HIGHER_BANDWIDTH_DELIVERY" },
		},
		{
			"the preset stays inside the family", advanced,
			settings{channelType: new("ADVANCED_SD")},
			func(ch *resource.Channel) { advanced(ch); ch.Type = "ADVANCED_SD" },
		},
		{
			"the preset goes with the family", advanced,
			settings{channelType: new("BASIC")},
			func(ch *resource.Channel) { ch.Type = "BASIC" },
		},
		{
			"the empty preset suits a type without presets", nil,
			settings{channelType: new("BASIC"), preset: new("")},
			func(ch *resource.Channel) { ch.Type = "BASIC" },
		},
		{"no preset on STANDARD", nil, settings{preset: new("HIGHER_BANDWIDTH_DELIVERY")}, nil},
		{
			"no preset on BASIC", advanced,
			settings{channelType: new("BASIC"), preset: new("HIGHER_BANDWIDTH_DELIVERY")},
			nil,
		},
		{
			"multitrack", nil,
			settings{multitrack: enabled, containerFormat: new("FRAGMENTED_MP4")},
			func(ch *resource.Channel) {
				ch.ContainerFormat = "FRAGMENTED_MP4"
				ch.Multitrack = resource.Multitrack{Enabled: true, Policy: "REQUIRE", MaximumResolution: "HD"}
			},
		},
		{"multitrack needs fragmented MP4", nil, settings{multitrack: enabled}, nil},
		{
			"multitrack needs STANDARD", nil,
			settings{multitrack: enabled, containerFormat: new("FRAGMENTED_MP4"), channelType: new("BASIC")},
			nil,
		},
		{
			"multitrack needs a policy", nil, settings{
				multitrack:      &MultitrackInputConfiguration{Enabled: new(true), MaximumResolution: new("HD")},
				containerFormat: new("FRAGMENTED_MP4"),
			}, nil,
		},
		{
			"multitrack needs a resolution", nil, settings{
				multitrack:      &MultitrackInputConfiguration{Enabled: new(true), Policy: new("ALLOW")},
				containerFormat: new("FRAGMENTED_MP4"),
			}, nil,
		},
		{"multitrack holds the type", multitrack, settings{channelType: new("ADVANCED_HD")}, nil},
		{"multitrack holds the container", multitrack, settings{containerFormat: new("TS")}, nil},
		{
			"disabled multitrack holds nothing", multitrack,
			settings{
				multitrack: &MultitrackInputConfiguration{Enabled: new(false)}, containerFormat: new("TS"),
				channelType: new("BASIC"),
			},
			func(ch *resource.Channel) { ch.Type = "BASIC" },
		},
		{
			"absent multitrack members stay", multitrack,
			settings{multitrack: &MultitrackInputConfiguration{Policy: new("REQUIRE")}},
			func(ch *resource.Channel) { multitrack(ch); ch.Multitrack.Policy = "REQUIRE" },
		},
		{"ads in TS", nil, settings{ad: new(ad)}, func(ch *resource.Channel) { ch.AdConfigurationARN = ad }},
		{"no ads in fragmented MP4", nil, settings{ad: new(ad), containerFormat: new("FRAGMENTED_MP4")}, nil},
		{
			"ads hold the container", func(ch *resource.Channel) { ch.AdConfigurationARN = ad },
			settings{containerFormat: new("FRAGMENTED_MP4")},
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
