package linkquality

import "testing"

func TestPlain(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 0.0000513: "0.000051", 0.5: "0.5", 0.999: "1", 1: "1", 1.25: "1.2", 9.97: "10", 12.4: "12", 100: "100", 99.6: "100", 123456: "120,000", 1e300: "4,611,686,018,427,387,904",
	} {
		if got := Plain(x); got != want {
			t.Errorf("%g is %q, want %q", x, got, want)
		}
	}
}
