package main

import "notices/cmd/internal/submit"

// duration is an option that reads what notices.toml calls a duration.
type duration = submit.Duration
