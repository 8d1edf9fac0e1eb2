package app

import (
	"strings"
	"testing"
)

// What npm said at the end of runs that failed: of two of them only one line helps.
func TestTheReasonOfNPM(t *testing.T) {
	for want, said := range map[string]string{
		"request to https://registry.example/openclaw failed, reason: self-signed certificate in certificate chain": `npm error code SELF_SIGNED_CERT_IN_CHAIN
npm error errno SELF_SIGNED_CERT_IN_CHAIN
npm error request to https://registry.example/openclaw failed, reason: self-signed certificate in certificate chain
npm error A complete log of this run can be found in: /home/mila/.npm/_logs/2026-11-26T14_57_23_982Z-debug-0.log`,
		"request to https://registry.example/openclaw failed, reason: getaddrinfo ENOTFOUND registry.example": `npm ERR! code ENOTFOUND
npm ERR! network request to https://registry.example/openclaw failed, reason: getaddrinfo ENOTFOUND registry.example
npm ERR! network This is a problem related to network connectivity.
npm ERR! network
npm ERR! A complete log of this run can be found in: x`,
		"ENOSPC: no space left on device, write": "npm error code ENOSPC\nnpm error ENOSPC: no space left on device, write\n",
		"":                                       "",
	} {
		if got := npmReason(strings.Split(said, "\n")); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
