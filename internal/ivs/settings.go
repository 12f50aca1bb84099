package ivs

import (
	"cmp"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// Values of Channel.Preset. A channel of a type without presets has the empty one.
const (
	presetHigher = "HIGHER_BANDWIDTH_DELIVERY"
	presetNone   = ""
)

// settings are the members that CreateChannel and UpdateChannel share. Nil leaves a setting as it is, and an empty ARN
// clears the reference.
type settings struct {
	name, latencyMode, channelType, preset, containerFormat *string
	recording, restriction, ad                              *string
	authorized, insecureIngest                              *bool
	multitrack                                              *MultitrackInputConfiguration
}

// defaults returns the settings of a channel that was created with an empty request (spec ivs.md 4.1).
func defaults() resource.Channel {
	return resource.Channel{
		LatencyMode:     resource.LatencyLow,
		Type:            resource.TypeStandard,
		ContainerFormat: resource.ContainerTS,
		Multitrack:      resource.Multitrack{Policy: "ALLOW", MaximumResolution: "FULL_HD"},
	}
}

// apply returns the channel with the settings applied, or the rule that the outcome would break (spec ivs.md 3,
// "Cross-field rules"). Each member's own constraints have been checked before.
func (s settings) apply(ch resource.Channel) (resource.Channel, error) {
	family := presets(ch.Type)
	set(&ch.Name, s.name)
	set(&ch.LatencyMode, s.latencyMode)
	set(&ch.Type, s.channelType)
	set(&ch.ContainerFormat, s.containerFormat)
	set(&ch.RecordingConfigurationARN, s.recording)
	set(&ch.PlaybackRestrictionPolicyARN, s.restriction)
	set(&ch.AdConfigurationARN, s.ad)
	set(&ch.Authorized, s.authorized)
	set(&ch.InsecureIngest, s.insecureIngest)
	if presets(ch.Type) != family {
		ch.Preset = presetNone // the old one meant something to the other family only
	}
	set(&ch.Preset, s.preset)
	if presets(ch.Type) {
		ch.Preset = cmp.Or(ch.Preset, presetHigher)
	}
	if m := s.multitrack; m != nil {
		set(&ch.Multitrack.Enabled, m.Enabled)
		set(&ch.Multitrack.Policy, m.Policy)
		set(&ch.Multitrack.MaximumResolution, m.MaximumResolution)
	}
	return ch, s.check(ch)
}

// check returns the rule between settings that ch, the outcome of s, breaks.
func (s settings) check(ch resource.Channel) error {
	switch m := s.multitrack; {
	case ch.Preset != presetNone && !presets(ch.Type):
		return fault.New(fault.Invalid, "preset is only available for channels of type %s and %s",
			resource.TypeAdvancedSD, resource.TypeAdvancedHD)
	case ch.Multitrack.Enabled && ch.Type != resource.TypeStandard:
		return fault.New(fault.Invalid, "multitrack input can only be enabled on channels of type %s",
			resource.TypeStandard)
	case m != nil && isTrue(m.Enabled) && (m.Policy == nil || m.MaximumResolution == nil):
		return fault.New(fault.Invalid, "policy and maximumResolution are required when multitrack input is enabled")
	case ch.Multitrack.Enabled && ch.ContainerFormat != resource.ContainerFMP4:
		return fault.New(fault.Invalid, "containerFormat must be %s when multitrack input is enabled",
			resource.ContainerFMP4)
	case ch.ContainerFormat == resource.ContainerFMP4 && ch.AdConfigurationARN != "":
		return fault.New(fault.Invalid, "an ad configuration cannot be used with containerFormat %s",
			resource.ContainerFMP4)
	}
	return nil
}

// reference is a setting that names another resource, "" for none.
type reference struct{ member, kind, wanted, stored string }

// restricts reports whether the settings name a playback restriction policy.
func (s settings) restricts() bool { return s.restriction != nil && *s.restriction != "" }

// references returns what of other services the settings refer to, beside what a channel refers to already.
func (s settings) references(stored resource.Channel) []reference {
	text := func(v *string) string {
		if v == nil {
			return ""
		}
		return *v
	}
	return []reference{
		{"recordingConfigurationArn", "recording-configuration", text(s.recording), stored.RecordingConfigurationARN},
		{"adConfigurationArn", "ad-configuration", text(s.ad), stored.AdConfigurationARN},
	}
}

// presets reports whether channels of the type have a transcode preset.
func presets(channelType string) bool {
	return channelType == resource.TypeAdvancedSD || channelType == resource.TypeAdvancedHD
}

func set[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}

func isTrue(v *bool) bool { return v != nil && *v }
