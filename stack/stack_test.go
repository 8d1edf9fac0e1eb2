package stack_test

import (
	"net/http"
	"testing"

	"github.com/githabideri/fraktalia/stack/stacktest"
)

func TestStackAnswers(t *testing.T) {
	server := stacktest.Start(t, "")
	response, err := http.Get(server.Address + "/_matrix/client/versions")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
}
