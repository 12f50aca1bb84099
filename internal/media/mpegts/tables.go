package mpegts

import (
	"encoding/binary"
	"slices"

	"github.com/rivus-live/rivus/internal/media"
)

// The packet identifiers, the same in every stream.
const (
	patPID   = 0x0000
	pmtPID   = 0x1000
	videoPID = 0x0100
	audioPID = 0x0101
	id3PID   = 0x0102

	program = 1
)

// streamMetadata is the stream type of metadata in PES packets (ISO/IEC 13818-1, table 2-34). Those of codecs are in their
// descriptions.
const streamMetadata = 0x15

const (
	// metadataPointer and metadataDescriptor name ID3 as the metadata of the program and of its stream. Bytes: tag,
	// length, application format 0xFFFF = an identifier follows, "ID3 ", format 0xFF = an identifier follows, "ID3 ",
	// service 0, then flags without locator, and the program that carries it; or without decoder configuration.
	metadataPointer    = "\x25\x0F\xFF\xFFID3 \xFFID3 \x00\x1F\x00\x01"
	metadataDescriptor = "\x26\x0D\xFF\xFFID3 \xFFID3 \x00\x0F"
)

// TablesSize is the number of bytes AppendTables writes: one packet each for PAT and PMT.
const TablesSize = 2 * packetSize

// AppendTables appends PAT and PMT. The PMT lists the tracks there are and, always, the timed-ID3 stream.
func (m *Muxer) AppendTables(dst []byte) []byte {
	dst = appendSection(dst, patPID, m.pat.next(), func(b []byte) []byte {
		b = append(b, 0x00, 0, 0, 0, 1, 0xC1, 0, 0) // table 0, length to come, stream 1, version 0, current, only section
		return append(b, 0, program, 0xE0|pmtPID>>8, pmtPID&0xFF)
	})
	return appendSection(dst, pmtPID, m.pmt.next(), m.appendProgram)
}

// appendProgram appends the PMT's section (ISO/IEC 13818-1, 2.4.4.8) up to its checksum.
func (m *Muxer) appendProgram(b []byte) []byte {
	clockPID := uint16(videoPID)
	if m.video == nil {
		clockPID = audioPID
	}
	b = append(b, 0x02, 0, 0, 0, program, 0xC1|m.version<<1, 0, 0)
	b = binary.BigEndian.AppendUint16(b, 0xE000|clockPID)
	b = append(append(b, 0xF0, byte(len(metadataPointer))), metadataPointer...)
	if m.video != nil {
		b = appendCodec(b, m.video, videoPID)
	}
	if m.audio != nil {
		b = appendCodec(b, m.audio, audioPID)
	}
	return appendStream(b, streamMetadata, id3PID, metadataDescriptor)
}

// appendCodec appends the stream of a track.
func appendCodec(b []byte, t *media.Track, pid uint16) []byte {
	d := t.Codec.Describe()
	return appendStream(b, d.StreamType, pid, d.Descriptors)
}

// appendStream appends one stream of a PMT with its descriptors.
func appendStream(b []byte, kind byte, pid uint16, descriptors string) []byte {
	b = binary.BigEndian.AppendUint16(append(b, kind), 0xE000|pid)
	return append(append(b, 0xF0, byte(len(descriptors))), descriptors...)
}

// appendSection appends one packet with one section, whose length and checksum it fills in.
func appendSection(dst []byte, pid uint16, continuity byte, fill func([]byte) []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, packetSize)
	dst = append(dst, 0x47, 0x40|byte(pid>>8), byte(pid), 0x10|continuity, 0) // the section begins at once
	section := len(dst)
	dst = fill(dst)
	const checksum, counted = 4, 3 // bytes of the checksum, and before what the length counts
	binary.BigEndian.PutUint16(dst[section+1:], 0xB000|uint16(len(dst)-section-counted+checksum))
	dst = binary.BigEndian.AppendUint32(dst, crc32(dst[section:]))
	for len(dst) < start+packetSize {
		dst = append(dst, 0xFF)
	}
	return dst
}

// crc32 is the checksum of sections (ISO/IEC 13818-1, annex A): most significant bit first, nothing inverted at the
// end, which hash/crc32 cannot do. Sections are short and rare, so it takes no table.
func crc32(b []byte) uint32 {
	crc := ^uint32(0)
	for _, c := range b {
		crc ^= uint32(c) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04C11DB7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
