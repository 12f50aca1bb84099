package rtmptest

// AppendAVCHeader appends the body of a video message that carries an AVCDecoderConfigurationRecord.
func AppendAVCHeader(dst, config []byte) []byte {
	return append(append(dst, 0x17, 0, 0, 0, 0), config...)
}

// AppendAVC appends the body of a video message that carries an access unit with 4-byte NAL unit lengths. offset is the
// composition time in milliseconds.
func AppendAVC(dst []byte, key bool, offset int32, unit []byte) []byte {
	first := byte(0x27)
	if key {
		first = 0x17
	}
	return append(append(dst, first, 1, byte(offset>>16), byte(offset>>8), byte(offset)), unit...)
}

// AppendAACHeader appends the body of an audio message that carries an AudioSpecificConfig.
func AppendAACHeader(dst, config []byte) []byte { return append(append(dst, 0xAF, 0), config...) }

// AppendAAC appends the body of an audio message that carries one raw AAC access unit.
func AppendAAC(dst, unit []byte) []byte { return append(append(dst, 0xAF, 1), unit...) }
