package signin

import (
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// browser gives what opens an address in a person's browser; nil: there is none, or no
// screen to show it on. $BROWSER is a list of commands with : between them, in which %s
// stands for the address, as xdg-open(1) and others read it.
func browser(getenv func(string) string) func(address string) error {
	var commands []string
	if own := getenv("BROWSER"); own != "" {
		commands = strings.Split(own, ":")
	} else if getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != "" || runtime.GOOS == "darwin" || getenv("WSL_DISTRO_NAME") != "" {
		commands = []string{"xdg-open", "open", "wslview", "sensible-browser", "x-www-browser", "firefox", "chromium"}
	}
	for _, command := range commands {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		if path, err := exec.LookPath(words[0]); err == nil {
			return func(address string) error { return start(path, words[1:], address) }
		}
	}
	return nil
}

// start leaves the browser to itself: it outlives the sign-in, and what ends that does
// not end it.
func start(path string, options []string, address string) error {
	args, placed := []string{}, false
	for _, o := range options {
		placed = placed || strings.Contains(o, "%s")
		args = append(args, strings.ReplaceAll(o, "%s", address))
	}
	if !placed {
		args = append(args, address)
	}
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // that no dead process stays behind
	return nil
}
