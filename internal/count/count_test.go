package count

import (
	"math"
	"testing"
)

func TestOneIsNotSeveral(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Of(1, "file"), "1 file"},
		{Of(int64(0), "file"), "0 files"},
		{Of(2000, "restore point"), "2,000 restore points"},
		{Of(1, "entry"), "1 entry"},
		{Of(3, "entry"), "3 entries"},
		{Of(uint64(math.MaxUint64), "frame"), "9,223,372,036,854,775,807 frames"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
