package rawpath

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestList(t *testing.T) {
	want := List{"/srv/data", "/srv/caf\xe9", "", "\xff\x00\u00e9"}
	data, err := json.Marshal(struct{ Paths List }{want})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Paths List }
	if err := json.Unmarshal(data, &got); err != nil || !slices.Equal(got.Paths, want) {
		t.Errorf("%q, %v", got.Paths, err)
	}
	if data, _ := json.Marshal(List{"a", "é"}); string(data) != `["a","é"]` {
		t.Errorf("paths in UTF-8 are %s", data)
	}
	for _, bad := range []string{`"x"`, `[1]`, `[[]]`, `[{"base64":1}]`} {
		if err := json.Unmarshal([]byte(bad), &List{}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
