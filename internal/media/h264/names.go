package h264

import (
	"fmt"

	"github.com/rivus-live/rivus/internal/media"
)

// The profile_idc values (H.264, Annex A) that this package tells apart.
const (
	profileBaseline = 66
	profileMain     = 77
	profileExtended = 88
)

// Profile returns the name of the track's profile, for instance "Baseline" or "High". Constrained variants bear the
// name of their profile.
func Profile(t *media.Track) string {
	switch idc := t.SPS[1]; idc {
	case 44:
		return "CAVLC 4:4:4 Intra"
	case profileBaseline:
		return "Baseline"
	case profileMain:
		return "Main"
	case profileExtended:
		return "Extended"
	case 100:
		return "High"
	case 110:
		return "High 10"
	case 122:
		return "High 4:2:2"
	case 244:
		return "High 4:4:4 Predictive"
	default:
		return fmt.Sprintf("profile %d", idc)
	}
}

// Level returns the track's level, for instance "4.2" or "1b".
func Level(t *media.Track) string {
	profile, constraints, level := t.SPS[1], t.SPS[2], t.SPS[3]
	const constraintSet3 = 0x10
	switch profile {
	case profileBaseline, profileMain, profileExtended: // these tell 1b from 1.1 by a flag (H.264, A.3.1)
		if level == 11 && constraints&constraintSet3 != 0 {
			return "1b"
		}
	}
	if level == 9 {
		return "1b"
	}
	return fmt.Sprintf("%d.%d", level/10, level%10)
}
