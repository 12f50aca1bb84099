package h264

import (
	bitstream "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// Display tells how decoded pictures are to be shown, as far as the sequence parameter set says so.
type Display struct {
	// SARWidth : SARHeight is the shape of a pixel; 1:1 when not told.
	SARWidth, SARHeight uint32

	// Colour tells that the next four are given, as code points of ITU-T H.273.
	Colour                      bool
	Primaries, Transfer, Matrix uint8
	FullRange                   bool
}

// ParseDisplay reads the display information of a sequence parameter set. A damaged one says nothing.
func ParseDisplay(sps []byte) Display {
	d := Display{SARWidth: 1, SARHeight: 1}
	var s bitstream.SPS
	if len(sps) < 4 || s.Unmarshal(sps) != nil || s.VUI == nil {
		return d
	}
	v := s.VUI
	if v.AspectRatioInfoPresentFlag {
		if w, h := pixelShape(v); w != 0 && h != 0 {
			d.SARWidth, d.SARHeight = w, h
		}
	}
	if v.VideoSignalTypePresentFlag && v.ColourDescriptionPresentFlag {
		d.Colour = true
		d.Primaries, d.Transfer, d.Matrix = v.ColourPrimaries, v.TransferCharacteristics, v.MatrixCoefficients
		d.FullRange = v.VideoFullRangeFlag
	}
	return d
}

// pixelShape returns the sample aspect ratio of H.264, table E-1; 0:0 is "unspecified".
func pixelShape(v *bitstream.SPS_VUI) (width, height uint32) {
	shapes := [...][2]uint32{
		{0, 0},
		{1, 1},
		{12, 11},
		{10, 11},
		{16, 11},
		{40, 33},
		{24, 11},
		{20, 11},
		{32, 11},
		{80, 33},
		{18, 11},
		{15, 11},
		{64, 33},
		{160, 99},
		{4, 3},
		{3, 2},
		{2, 1},
	}
	const extended = 255
	switch {
	case v.AspectRatioIdc == extended:
		return uint32(v.SarWidth), uint32(v.SarHeight)
	case int(v.AspectRatioIdc) < len(shapes):
		return shapes[v.AspectRatioIdc][0], shapes[v.AspectRatioIdc][1]
	}
	return 0, 0
}
