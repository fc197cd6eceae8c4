// SPDX-License-Identifier: MIT

package derp

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// doc/start/derper.md says of each flag and each page of derper what stands for
// it here, or that nothing does: none is left out.
func TestGuideNamesAll(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "tailscale.com/cmd/derper").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "derper.go"))
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../../doc/start/derper.md")
	if err != nil {
		t.Fatal(err)
	}
	for what, found := range map[string]string{
		"-": `= flag\.\w+\("([^"]+)"`,
		"":  `\bmux\.Handle(?:Func)?\("([^"]+)"`,
	} {
		all := regexp.MustCompile(found).FindAllStringSubmatch(string(source), -1)
		if len(all) < 8 {
			t.Errorf("%d matches of %s in derper.go", len(all), found)
		}
		for _, m := range all {
			name := regexp.QuoteMeta(what + m[1])
			if m[1] != "/derp" && !regexp.MustCompile("`"+name+"[` =]").Match(guide) {
				t.Errorf("the guide does not name %s%s", what, m[1])
			}
		}
	}
}
