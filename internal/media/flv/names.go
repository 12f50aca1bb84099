package flv

import "fmt"

// Values of the codec fields in legacy tags that the parsers look for.
const (
	legacyAVC     = 7
	legacyAAC     = 10
	enhancedAudio = 9 // in place of a sound format: a FourCC header follows
)

// String returns the codec's usual name with its four characters, "HEVC (hvc1)"; an unknown one is shown in hexadecimal
// where a character is not printable, because it comes from a stranger and goes into logs.
func (c FourCC) String() string {
	text := string([]byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)})
	for _, r := range []byte(text) {
		if r < ' ' || r > '~' {
			return fmt.Sprintf("0x%08x", uint32(c))
		}
	}
	name := ""
	switch text {
	case "avc1":
		name = "H.264"
	case "hvc1":
		name = "HEVC"
	case "vvc1":
		name = "VVC"
	case "av01":
		name = "AV1"
	case "vp08":
		name = "VP8"
	case "vp09":
		name = "VP9"
	case "mp4a":
		name = "AAC"
	case ".mp3":
		name = "MP3"
	case "Opus":
		name = "Opus"
	case "fLaC":
		name = "FLAC"
	case "ac-3":
		name = "AC-3"
	case "ec-3":
		name = "E-AC-3"
	default:
		return text
	}
	return name + " (" + text + ")"
}

// legacyVideoName names a CodecID of FLV 10.1, E.4.3.1, and those that encoders have made up since.
func legacyVideoName(id byte) string {
	switch id {
	case 2:
		return "Sorenson H.263"
	case 3:
		return "Screen Video"
	case 4:
		return "VP6"
	case 5:
		return "VP6 with alpha"
	case 6:
		return "Screen Video 2"
	case 12:
		return "HEVC (legacy id 12)"
	case 13:
		return "AV1 (legacy id 13)"
	}
	return fmt.Sprintf("id %d", id)
}

// legacyAudioName names a SoundFormat of FLV 10.1, E.4.2.1, and those that encoders have made up since.
func legacyAudioName(format byte) string {
	switch format {
	case 0, 3:
		return "PCM"
	case 1:
		return "ADPCM"
	case 2, 14:
		return "MP3"
	case 4, 5, 6:
		return "Nellymoser"
	case 7, 8:
		return "G.711"
	case 11:
		return "Speex"
	case 13:
		return "Opus (legacy id 13)"
	case 15:
		return "device-specific sound"
	}
	return fmt.Sprintf("id %d", format)
}
