package status

import (
	"fmt"
	"testing"
	"time"
)

func TestMovingFollowsWhatArrives(t *testing.T) {
	var m Moving
	now := noon
	for range 40 { // 1000 bytes a second
		now = now.Add(time.Second)
		m.Add("prod/etc/a", 1000, now)
	}
	m.Transfers(now)
	for range 10 {
		now = now.Add(time.Second)
		m.Add("prod/etc/a", 2000, now)
	}
	m.Add("prod/etc/b", 1, now)
	all := m.Transfers(now)
	if len(all) != 2 || all[0].Bytes != 60000 || all[0].Rate != 2000 || !all[0].Began.Equal(noon.Add(time.Second)) || !all[0].Last.Equal(now) {
		t.Errorf("%+v", all)
	}
	if all = m.Transfers(now.Add(movingIdle + time.Second)); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestMovingIsBounded(t *testing.T) {
	var m Moving
	for i := range 3 * movingMost {
		m.Add(fmt.Sprint(i), 1, noon)
	}
	if n := len(m.Transfers(noon)); n != movingMost {
		t.Errorf("%d snapshots", n)
	}
	m.Add("later", 1, noon.Add(time.Hour))
	if all := m.Transfers(noon.Add(time.Hour)); len(all) != 1 || all[0].Snapshot != "later" {
		t.Errorf("%+v", all)
	}
}
