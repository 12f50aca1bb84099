package mp4

import (
	"math"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/h264"
)

// AppendInit appends an initialization segment (ftyp, moov) for at most one video and one audio track. Times start at 0
// and there is no edit list: fragments tell where they are.
//
// The defaults of both tracks are there even if one does not exist (ISO/IEC 14496-12, 8.8.3.1 has one for each track that
// does). Sound may begin later, and a reader that keeps to its first initialization section, as that of ffmpeg does, must
// be able to read the headers of a run that it cannot play: without defaults it takes the sound for pictures.
func AppendInit(dst []byte, tracks []*media.Track) []byte {
	dst, ftyp := openBox(dst, "ftyp")
	dst = append(dst, "iso6\x00\x00\x00\x00iso6mp41"...)
	if len(tracks) == 1 {
		dst = append(dst, "cmfc"...) // CMAF has one track a file
	}
	dst = closeBox(dst, ftyp)

	dst, moov := openBox(dst, "moov")
	dst, mvhd := openFullBox(dst, "mvhd", 0, 0)
	dst = append32(dst, 0, 0, 1000, 0) // created, modified, time scale, duration
	dst = append32(dst, 0x10000)       // rate 1
	dst = append16(dst, 0x100)         // volume 1
	dst = appendZeros(dst, 2+8)
	dst = appendMatrix(dst)
	dst = appendZeros(dst, 24)
	dst = closeBox(append32(dst, AudioTrackID+1), mvhd) // the next track id
	for _, t := range tracks {
		dst = appendTrak(dst, t)
	}
	dst, mvex := openBox(dst, "mvex")
	dst = appendTrex(dst, VideoTrackID, otherSample)
	dst = appendTrex(dst, AudioTrackID, syncSample)
	return closeBox(closeBox(dst, mvex), moov)
}

// appendTrex appends a track's defaults: its sample entry, no duration, no size, and the flags of most samples.
func appendTrex(dst []byte, id, flags uint32) []byte {
	dst, trex := openFullBox(dst, "trex", 0, 0)
	return closeBox(append32(dst, id, 1, 0, 0, flags), trex)
}

func appendTrak(dst []byte, t *media.Track) []byte {
	dst, trak := openBox(dst, "trak")
	dst, tkhd := openFullBox(dst, "tkhd", 0, 3) // enabled, in the presentation
	dst = append32(dst, 0, 0, trackID(t), 0, 0) // created, modified, id, reserved, duration
	dst = appendZeros(dst, 8+2)
	if t.IsVideo() {
		dst = append16(dst, 1, 0, 0) // alternate group, volume, reserved
	} else {
		dst = append16(dst, 2, 0x100, 0)
	}
	dst = appendMatrix(dst)
	width, height := shownSize(t)
	dst = closeBox(append32(dst, width, height), tkhd)

	dst, mdia := openBox(dst, "mdia")
	dst, mdhd := openFullBox(dst, "mdhd", 0, 0)
	dst = append32(dst, 0, 0, uint32(t.TimeScale), 0)
	dst = closeBox(append16(dst, 0x55C4, 0), mdhd) // language "und"
	dst, hdlr := openFullBox(dst, "hdlr", 0, 0)
	handler, name := "soun", "Audio"
	if t.IsVideo() {
		handler, name = "vide", "Video"
	}
	dst = append(append32(dst, 0), handler...)
	dst = append(appendZeros(dst, 12), name...)
	dst = closeBox(append(dst, 0), hdlr)
	dst = appendMinf(dst, t)
	return closeBox(closeBox(dst, mdia), trak)
}

func appendMinf(dst []byte, t *media.Track) []byte {
	dst, minf := openBox(dst, "minf")
	if t.IsVideo() {
		var vmhd int
		dst, vmhd = openFullBox(dst, "vmhd", 0, 1)
		dst = closeBox(appendZeros(dst, 8), vmhd)
	} else {
		var smhd int
		dst, smhd = openFullBox(dst, "smhd", 0, 0)
		dst = closeBox(appendZeros(dst, 4), smhd)
	}
	dst, dinf := openBox(dst, "dinf")
	dst, dref := openFullBox(dst, "dref", 0, 0)
	dst = append32(dst, 1)
	dst, url := openFullBox(dst, "url ", 0, 1) // the media is in this file
	dst = closeBox(closeBox(closeBox(dst, url), dref), dinf)

	dst, stbl := openBox(dst, "stbl")
	dst, stsd := openFullBox(dst, "stsd", 0, 0)
	dst = append32(dst, 1)
	if t.IsVideo() {
		dst = appendVisualEntry(dst, t)
	} else {
		dst = appendAudioEntry(dst, t)
	}
	dst = closeBox(dst, stsd)
	for _, kind := range [...]string{"stts", "stsc", "stco"} {
		var empty int
		dst, empty = openFullBox(dst, kind, 0, 0)
		dst = closeBox(append32(dst, 0), empty)
	}
	dst, stsz := openFullBox(dst, "stsz", 0, 0)
	dst = closeBox(append32(dst, 0, 0), stsz)
	return closeBox(closeBox(dst, stbl), minf)
}

// appendVisualEntry appends the sample entry of a video track (ISO/IEC 14496-12, 12.1.3), which its codec names.
func appendVisualEntry(dst []byte, t *media.Track) []byte {
	dst, entry := openBox(dst, t.Codec.Describe().SampleEntry)
	dst = append16(appendZeros(dst, 6), 1) // reserved, data reference
	dst = appendZeros(dst, 16)
	dst = append16(dst, uint16(t.Width), uint16(t.Height))
	dst = append32(dst, 72<<16, 72<<16, 0) // dots an inch
	dst = append16(dst, 1)                 // a sample is one frame
	dst = appendZeros(dst, 32)             // no compressor name
	dst = append16(dst, 24, 0xFFFF)        // depth, predefined
	dst = appendConfig(dst, t)

	d := h264.ParseDisplay(t.SPS)
	if d.Colour {
		var colr int
		dst, colr = openBox(dst, "colr")
		dst = append(dst, "nclx"...)
		dst = append16(dst, uint16(d.Primaries), uint16(d.Transfer), uint16(d.Matrix))
		var full byte
		if d.FullRange {
			full = 0x80
		}
		dst = closeBox(append(dst, full), colr)
	}
	dst, pasp := openBox(dst, "pasp")
	dst = closeBox(append32(dst, d.SARWidth, d.SARHeight), pasp)
	return closeBox(dst, entry)
}

// appendAudioEntry appends the sample entry of an audio track (ISO/IEC 14496-12, 12.2.3), which its codec names.
func appendAudioEntry(dst []byte, t *media.Track) []byte {
	dst, entry := openBox(dst, t.Codec.Describe().SampleEntry)
	dst = append16(appendZeros(dst, 6), 1) // reserved, data reference
	dst = appendZeros(dst, 8)
	dst = append16(dst, uint16(t.Channels), 16, 0, 0) // channels, sample size, predefined, reserved
	rate := uint32(t.SampleRate)
	if rate > math.MaxUint16 {
		rate = 0 // does not fit; the configuration tells it
	}
	dst = append32(dst, rate<<16)
	return closeBox(appendConfig(dst, t), entry)
}

// appendConfig appends the box with a track's configuration.
func appendConfig(dst []byte, t *media.Track) []byte {
	name := t.Codec.Describe().ConfigBox
	if name == "esds" {
		return appendESDS(dst, t)
	}
	dst, box := openBox(dst, name)
	return closeBox(append(dst, t.Config...), box)
}

// appendESDS appends the configuration of MPEG-4 audio (ISO/IEC 14496-14, 5.6).
func appendESDS(dst []byte, t *media.Track) []byte {
	// Descriptors of ISO/IEC 14496-1, 7.2.6, each a tag, a length and its content.
	dst, esds := openFullBox(dst, "esds", 0, 0)
	const esHead, configHead, infoHead, slSize = 2 + 3, 2 + 13, 2, 2 + 1
	dst = append(dst, 3, byte(esHead-2+configHead+infoHead+len(t.Config)+slSize), 0, 0, 0)
	dst = append(dst, 4, byte(configHead-2+infoHead+len(t.Config)), 0x40, 0x15, 0, 0, 0) // MPEG-4 audio, a stream of it
	dst = append32(dst, uint32(t.Bitrate), uint32(t.Bitrate))                            // highest, average
	dst = append(append(dst, 5, byte(len(t.Config))), t.Config...)
	dst = append(dst, 6, 1, 2) // predefined: MP4
	return closeBox(dst, esds)
}

// appendMatrix appends the identity matrix.
func appendMatrix(dst []byte) []byte {
	return append32(dst, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
}

// shownSize returns the size of the picture as shown, in 16.16 fixed point: with square pixels.
func shownSize(t *media.Track) (width, height uint32) {
	if !t.IsVideo() {
		return 0, 0
	}
	d := h264.ParseDisplay(t.SPS)
	w := uint64(t.Width) << 16 * uint64(d.SARWidth) / uint64(d.SARHeight)
	return uint32(min(w, math.MaxUint32)), uint32(t.Height) << 16
}
