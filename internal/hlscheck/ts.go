package hlscheck

import (
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

const (
	tsPacket  = 188
	tsClock   = 90000
	patPID    = 0
	typeH264  = 0x1b
	typeAAC   = 0x0f
	timestamp = 1 << 33 // PTS and DTS wrap here
)

// counter is the first and last continuity counter of a PID in a unit.
type counter struct {
	pid         int
	first, last byte
}

// tsReader takes one part or segment of a Transport Stream apart.
type tsReader struct {
	unit    unit
	format  format
	pmt     int
	streams map[int]byte   // PID -> stream_type
	pes     map[int][]byte // the PES packet being gathered
}

// parseTS reads a part or segment of MPEG-TS. The tables must come before any media (3.1.1).
func parseTS(b []byte) (*unit, *format, error) {
	if len(b) == 0 || len(b)%tsPacket != 0 {
		return nil, nil, fmt.Errorf("%d bytes are not whole Transport Stream packets", len(b))
	}
	r := &tsReader{pmt: -1, streams: map[int]byte{}, pes: map[int][]byte{}}
	r.format.tracks = map[int]*formatTrack{}
	for ; len(b) > 0; b = b[tsPacket:] {
		if err := r.packet(b[:tsPacket]); err != nil {
			return nil, nil, err
		}
	}
	for pid := range r.pes {
		if err := r.flush(pid); err != nil {
			return nil, nil, err
		}
	}
	return &r.unit, &r.format, nil
}

func (r *tsReader) packet(b []byte) error {
	if b[0] != 0x47 {
		return errors.New("a Transport Stream packet without its sync byte")
	}
	pid := int(b[1]&0x1f)<<8 | int(b[2])
	start, payload := b[1]&0x40 != 0, b[4:]
	if pid == 0x1fff {
		return nil
	}
	if b[3]&0x20 != 0 {
		n := int(payload[0]) + 1
		if n > len(payload) {
			return errors.New("an adaptation field that is longer than its packet")
		}
		payload = payload[n:]
	}
	if b[3]&0x10 == 0 {
		return nil
	}
	if err := r.count(pid, b[3]&0x0f); err != nil {
		return err
	}
	switch {
	case pid == patPID:
		return r.readPAT(payload)
	case pid == r.pmt:
		return r.readPMT(payload)
	case r.streams[pid] == 0:
		if r.pmt < 0 {
			return fmt.Errorf("PID 0x%x before the tables", pid)
		}
		return nil
	case start:
		if err := r.flush(pid); err != nil {
			return err
		}
		r.pes[pid] = append([]byte(nil), payload...)
	case r.pes[pid] == nil:
		return fmt.Errorf("PID 0x%x goes on with a PES packet that started in an earlier resource", pid)
	default:
		r.pes[pid] = append(r.pes[pid], payload...)
	}
	return nil
}

func (r *tsReader) count(pid int, cc byte) error {
	for i := range r.unit.counters {
		c := &r.unit.counters[i]
		if c.pid != pid {
			continue
		}
		if cc != (c.last+1)&0x0f && cc != c.last {
			return fmt.Errorf("PID 0x%x: continuity counter %d after %d", pid, cc, c.last)
		}
		c.last = cc
		return nil
	}
	r.unit.counters = append(r.unit.counters, counter{pid, cc, cc})
	return nil
}

// section returns the body of a table section that fits one packet, from after the length to before the CRC.
func section(payload []byte, table byte) ([]byte, error) {
	if len(payload) < 1 || int(payload[0])+4 > len(payload) {
		return nil, errors.New("a table section is cut short")
	}
	b := payload[1+int(payload[0]):]
	n := int(b[1]&0x0f)<<8 | int(b[2])
	if b[0] != table || n < 9 || n+3 > len(b) {
		return nil, fmt.Errorf("table 0x%x expected in one packet", table)
	}
	return b[3 : 3+n-4], nil
}

func (r *tsReader) readPAT(payload []byte) error {
	b, err := section(payload, 0)
	if err != nil {
		return fmt.Errorf("PAT: %w", err)
	}
	programs := 0
	for b = b[5:]; len(b) >= 4; b = b[4:] {
		if b[0] != 0 || b[1] != 0 {
			programs++
			r.pmt = int(b[2]&0x1f)<<8 | int(b[3])
		}
	}
	if programs != 1 {
		return fmt.Errorf("PAT lists %d programs, not one", programs)
	}
	return nil
}

func (r *tsReader) readPMT(payload []byte) error {
	b, err := section(payload, 2)
	if err != nil {
		return fmt.Errorf("PMT: %w", err)
	}
	if len(b) < 9 {
		return errors.New("PMT is cut short")
	}
	skip := 9 + (int(b[7]&0x0f)<<8 | int(b[8]))
	for skip+5 <= len(b) {
		b = b[skip:]
		pid := int(b[1]&0x1f)<<8 | int(b[2])
		r.streams[pid] = b[0]
		r.format.tracks[pid] = &formatTrack{video: b[0] == typeH264, scale: tsClock}
		skip = 5 + (int(b[3]&0x0f)<<8 | int(b[4]))
	}
	return nil
}

// flush reads the PES packet gathered for the PID.
func (r *tsReader) flush(pid int) error {
	b := r.pes[pid]
	if b == nil {
		return nil
	}
	delete(r.pes, pid)
	if len(b) < 9 || b[0] != 0 || b[1] != 0 || b[2] != 1 || len(b) < 9+int(b[8]) {
		return fmt.Errorf("PID 0x%x: not a PES packet", pid)
	}
	pts, dts, ok := pesTimes(b)
	if !ok {
		return fmt.Errorf("PID 0x%x: a PES packet without a PTS", pid)
	}
	payload := b[9+int(b[8]):]
	switch r.streams[pid] {
	case typeH264:
		r.add(span{id: pid, video: true, scale: tsClock, start: dts, last: dts, end: dts, firstKey: r.readNALUs(payload)})
	case typeAAC:
		r.add(span{id: pid, scale: tsClock, start: pts, last: pts, end: pts + r.readADTS(payload), firstKey: true})
	}
	return nil
}

func (r *tsReader) add(s span) {
	s.anyKey = s.firstKey
	was := r.unit.track(s.id)
	if was == nil {
		r.unit.tracks = append(r.unit.tracks, s)
		return
	}
	was.anyKey = was.anyKey || s.firstKey
	was.last, was.end = s.last, s.end
}

func pesTimes(b []byte) (pts, dts int64, ok bool) {
	flags, n := b[7]>>6, int(b[8])
	if flags&2 == 0 || n < 5 {
		return 0, 0, false
	}
	pts = pesTime(b[9:])
	if flags == 3 && n >= 10 {
		return pts, pesTime(b[14:]), true
	}
	return pts, pts, true
}

func pesTime(b []byte) int64 {
	return int64(b[0]>>1&7)<<30 | int64(b[1])<<22 | int64(b[2]>>1)<<15 | int64(b[3])<<7 | int64(b[4]>>1)
}

// readNALUs walks an Annex B access unit, learns the format from its sequence parameter set and tells whether it is an
// IDR picture.
func (r *tsReader) readNALUs(b []byte) (idr bool) {
	var units h264.AnnexB
	if units.Unmarshal(b) != nil {
		return false
	}
	for _, n := range units {
		if len(n) == 0 {
			continue
		}
		kind := h264.NALUType(n[0] & 0x1f)
		idr = idr || kind == h264.NALUTypeIDR
		if kind == h264.NALUTypeSPS {
			r.readSPS(n)
		}
	}
	return idr
}

func (r *tsReader) readSPS(n []byte) {
	var sps h264.SPS
	if len(n) >= 4 && sps.Unmarshal(n) == nil {
		r.format.width, r.format.height = sps.Width(), sps.Height()
		r.format.addCodec(fmt.Sprintf("avc1.%02X%02X%02X", n[1], n[2], n[3]))
	}
}

// readADTS sums up the duration of the ADTS frames in b, in ticks of the clock.
func (r *tsReader) readADTS(b []byte) int64 {
	rates := [...]int64{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	var samples, rate int64
	for len(b) >= 7 && b[0] == 0xff && b[1]&0xf0 == 0xf0 {
		n, index := int(b[3]&3)<<11|int(b[4])<<3|int(b[5]>>5), int(b[2]>>2&15)
		if n < 7 || n > len(b) || index >= len(rates) {
			break
		}
		rate = rates[index]
		samples += 1024
		r.format.addCodec(fmt.Sprintf("mp4a.40.%d", b[2]>>6+1))
		b = b[n:]
	}
	if rate == 0 {
		return 0
	}
	return samples * tsClock / rate
}

func (f *format) addCodec(codec string) {
	for _, c := range f.codecs {
		if c == codec {
			return
		}
	}
	f.codecs = append(f.codecs, codec)
}
