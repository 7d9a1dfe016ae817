//go:build tools

// Package tools pins the livekit-server that the tests and examples run.
package tools

import _ "github.com/livekit/livekit-server/cmd/server"
