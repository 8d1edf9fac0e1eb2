package socketproxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	// labelSandbox is OpenClaw's on its sandboxes.
	labelSandbox = "openclaw.sandbox"
	// labelImage is the program's own, on images and on its probes.
	labelImage = "io.fraktalia.image"
	probeKind  = "probe"

	// preparedLife and preparedMost bound what is kept of commands that were
	// prepared and never begun.
	preparedLife = time.Minute
	preparedMost = 1000
	// answerMost bounds an answer that is looked at before it goes back.
	answerMost = 64 << 20
)

// mine says whether labels are those of a sandbox, or of a probe.
func mine(labels map[string]string) (sandbox, probe bool) {
	return labels[labelSandbox] != "", labels[labelImage] == probeKind
}

// look asks the engine about something before it is decided on. What is not
// there is a refusal with the engine's own status.
func (v *visit) look(path string, into any) error {
	request, err := http.NewRequestWithContext(v.in.Context(), http.MethodGet, (&url.URL{Scheme: "http", Host: "docker", Path: v.version + path}).String(), nil)
	if err != nil {
		return err
	}
	response, err := v.transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var said struct{ Message string }
		if json.Unmarshal(text, &said) != nil || said.Message == "" {
			said.Message = fmt.Sprintf("the engine says %s", response.Status)
		}
		return &refusal{response.StatusCode, said.Message}
	}
	return json.Unmarshal(text, into)
}

// container is what a decision needs of one.
type container struct {
	ID     string `json:"Id"`
	Config struct{ Labels map[string]string }
}

// inspect finds the container that the request is about, and pins the request
// to it: a name could move on meanwhile.
func (v *visit) inspect(id string) (probe bool, err error) {
	var c container
	if err := v.look("/containers/"+id+"/json", &c); err != nil {
		return false, err
	}
	if c.ID == "" {
		return false, missing("there is no container %s", id)
	}
	sandbox, probe := mine(c.Config.Labels)
	if !sandbox && !probe {
		return false, refuse("container %.12s is no sandbox of OpenClaw's and no probe of ours", id)
	}
	v.pin(c.ID)
	return probe, nil
}

// pin has the path name the container by its whole id.
func (v *visit) pin(id string) {
	at := v.endpoint.path.FindStringSubmatchIndex(v.path)
	if v.endpoint.path.SubexpIndex("name") < 0 || len(at) < 4 {
		return
	}
	v.path = v.path[:at[2]] + id + v.path[at[3]:]
}

func (v *visit) ourContainer() error {
	_, err := v.inspect(v.name)
	return err
}

func (v *visit) ourProbe() error {
	probe, err := v.inspect(v.name)
	if err == nil && !probe {
		err = refuse("container %.12s is no probe of ours", v.name)
	}
	return err
}

// probe judges a container to be made.
func (v *visit) probe() error {
	labelled := false
	err := v.read(fields{
		"Image":      as[string],
		"Cmd":        as[[]string],
		"Entrypoint": as[[]string],
		"User":       as[string],
		"Labels": func(text json.RawMessage) (json.RawMessage, error) {
			labelled = true
			return fields{labelImage: exactly(probeKind)}.reduce(text)
		},
		"HostConfig": v.probeHost().reduce,
	})
	if err == nil && !labelled {
		err = refuse("a container without the label %s=%s is not made", labelImage, probeKind)
	}
	return err
}

// probeHost are the fields by which a container could get at the machine: only
// those are let through that take rights away, and some networks.
func (v *visit) probeHost() fields {
	return fields{
		"NetworkMode":    v.probeNetwork,
		"AutoRemove":     exactly(true),
		"CapDrop":        each("ALL"),
		"SecurityOpt":    each("no-new-privileges"),
		"ReadonlyRootfs": exactly(true),
		"Memory":         as[uint64],
		"PidsLimit":      as[uint32],
	}
}

func (v *visit) probeNetwork(text json.RawMessage) (json.RawMessage, error) {
	return exactly("none", "bridge", "default", v.o.Network)(text)
}

func (v *visit) knownNetwork() error {
	if v.name != "bridge" && v.name != v.o.Network {
		return refuse("the network %.60s is none of the sandboxes'", v.name)
	}
	return nil
}

// prepare judges a command to be run in a container.
func (v *visit) prepare() error {
	if err := v.read(fields{"AttachStdin": exactly(true), "AttachStdout": exactly(true), "AttachStderr": exactly(true), "Cmd": as[[]string]}); err != nil {
		return err
	}
	_, err := v.inspect(v.name)
	return err
}

// notePrepared remembers a command: only those are begun that were judged.
func (v *visit) notePrepared(response *http.Response) error {
	var made struct {
		ID string `json:"Id"`
	}
	if err := replaceBody(response, func(text []byte) ([]byte, error) { return text, json.Unmarshal(text, &made) }); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	for id, at := range v.prepared {
		if now.Sub(at) > preparedLife || len(v.prepared) >= preparedMost {
			delete(v.prepared, id)
		}
	}
	v.prepared[made.ID] = now
	return nil
}

// begin judges the start of a command: one that was prepared through us, once.
func (v *visit) begin() error {
	if v.in.Header.Get("Upgrade") == "" {
		return refuse("a command is begun by taking the connection over")
	}
	if err := v.read(fields{}); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.prepared[v.name]; !known {
		return refuse("that command was not prepared here")
	}
	delete(v.prepared, v.name)
	return nil
}

// ourCommand says whether a command runs in a container that is ours.
func (v *visit) ourCommand() error {
	var command struct{ ContainerID string }
	if err := v.look(v.path, &command); err != nil {
		return err
	}
	path := v.path
	_, err := v.inspect(command.ContainerID)
	v.path = path // of the command, not of its container
	return err
}

// shown are the fields of a foreign container that the list keeps.
func shown() []string { return []string{"Id", "Image", "ImageID", "Created", "State"} }

// narrowList leaves of foreign containers what tells which images are in use
// and which addresses are taken: their command lines and labels may hold
// passwords.
func (v *visit) narrowList(response *http.Response) error {
	return replaceBody(response, func(text []byte) ([]byte, error) {
		var list []map[string]json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
		for i, c := range list {
			var labels map[string]string
			if json.Unmarshal(c["Labels"], &labels) == nil {
				if sandbox, probe := mine(labels); sandbox || probe {
					continue
				}
			}
			list[i] = narrowed(c)
		}
		return json.Marshal(list)
	})
}

func narrowed(c map[string]json.RawMessage) map[string]json.RawMessage {
	kept := map[string]json.RawMessage{}
	for _, name := range shown() {
		if value, there := c[name]; there {
			kept[name] = value
		}
	}
	var settings struct {
		Networks map[string]struct{ IPAddress, GlobalIPv6Address string }
	}
	if json.Unmarshal(c["NetworkSettings"], &settings) == nil {
		kept["NetworkSettings"], _ = json.Marshal(settings) // plain maps and texts
	}
	return kept
}

// replaceBody puts another body in the place of an answer's.
func replaceBody(response *http.Response, with func([]byte) ([]byte, error)) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	response.Body.Close()
	if err != nil {
		return err
	}
	if text, err = with(text); err != nil {
		return fmt.Errorf("read the engine's answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	response.ContentLength = int64(len(text))
	response.Header.Set("Content-Length", fmt.Sprint(len(text)))
	return nil
}

// sieveEvents leaves out what happens to foreign containers: events carry
// labels and whole command lines.
func (v *visit) sieveEvents(response *http.Response) error {
	response.Body = &sieve{from: response.Body, decoder: json.NewDecoder(response.Body)}
	response.ContentLength = -1
	response.Header.Del("Content-Length")
	return nil
}

// sieve passes events on one by one.
type sieve struct {
	from    io.ReadCloser
	decoder *json.Decoder
	rest    []byte
}

func (s *sieve) Read(buffer []byte) (int, error) {
	for len(s.rest) == 0 {
		var event json.RawMessage
		if err := s.decoder.Decode(&event); err != nil {
			return 0, err
		}
		if passes(event) {
			s.rest = append(slices.Clone(event), '\n')
		}
	}
	n := copy(buffer, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *sieve) Close() error { return s.from.Close() }

func passes(text json.RawMessage) bool {
	var event struct {
		Type  string
		Actor struct{ Attributes map[string]string }
	}
	if json.Unmarshal(text, &event) != nil {
		return false
	}
	sandbox, probe := mine(event.Actor.Attributes)
	return event.Type == "network" || event.Type == "container" && (sandbox || probe)
}
