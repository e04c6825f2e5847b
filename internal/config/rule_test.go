package config

import (
	"errors"
	"strings"
	"testing"
)

const rulesToml = `
[[source]]
sender = "prod"
source = "db-*"
keep_last = 3
lock = "30d"
quota = "2TB"
max_objects = 9

[[source]]
sender = "prod"
keep_last = 7
keep_daily = 14
lock = "0s"

[[source]]
min_age = "24h"
keep_yearly = 0
`

func TestFirstRuleThatGivesAKeyCounts(t *testing.T) {
	c, err := ParseReceiver("/x", []byte(receiverToml+rulesToml))
	if err != nil {
		t.Fatal(err)
	}
	db, etc, other := c.RuleFor("prod", "db-main"), c.RuleFor("prod", "etc"), c.RuleFor("dev", "db-main")
	if *db.KeepLast != 3 || *db.KeepDaily != 14 || *db.Lock != 30*day || *db.Quota != 2e12 || *db.MaxObjects != 9 || *db.MinAge != day || *db.KeepYearly != 0 || db.KeepWeekly != nil {
		t.Errorf("db-main: %+v", db)
	}
	if *etc.KeepLast != 7 || *etc.Lock != 0 || etc.Quota != nil {
		t.Errorf("etc: %+v", etc)
	}
	if other.KeepLast != nil || other.Lock != nil || *other.MinAge != day {
		t.Errorf("dev: %+v", other)
	}
}

func TestRuleRefusals(t *testing.T) {
	for lines, want := range map[string]string{
		`keep_last = -1`:      "0 to",
		`keep_last = "7"`:     "whole number",
		`keep_dayly = 7`:      `did you mean "keep_daily"`,
		`lock = 30`:           "with its unit",
		`lock = "40000d"`:     "too long",
		`quota = "5"`:         "no unit",
		`max_objects = "9"`:   "whole number",
		`max_objects = -1`:    "0 to",
		`sender = "Prod"`:     "a-z",
		`source = "[a"`:       "pattern",
		`sender = ""`:         "empty",
		`min_age = "-1h"`:     "is no time",
		`keep_last = 1000000`: "0 to",
	} {
		_, err := ParseReceiver("/x", []byte(receiverToml+"[[source]]\n"+lines+"\n"))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "source[1].") {
			t.Errorf("%s: %v; want …%s…", lines, err, want)
		}
	}
	_, err := ParseReceiver("/x", []byte(receiverToml+"prune_every = \"1s\"\n"))
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "too often") {
		t.Errorf("prune_every: %v", err)
	}
}
