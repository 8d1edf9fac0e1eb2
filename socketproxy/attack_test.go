package socketproxy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/githabideri/fraktalia/sandbox/sandboxtest"
)

// plain is a container that may be made; every attack on it is this and one
// thing more.
func plain(image string) map[string]any {
	return map[string]any{"Image": image, "Cmd": []string{"x"}, "Labels": map[string]any{"io.fraktalia.image": "probe"},
		"HostConfig": map[string]any{"NetworkMode": "none", "AutoRemove": true, "CapDrop": []string{"ALL"}}}
}

// The ways from a container to the machine that are fields of its HostConfig.
func TestNoContainerGetsAtTheMachine(t *testing.T) {
	d := newDoor(t)
	answer := d.ask(t, http.MethodPost, "/v1.41/containers/create", plain(d.image))
	if answer.status != http.StatusCreated {
		t.Fatalf("a plain probe is not made, so that attacks are not either proves nothing: %+v", answer)
	}
	d.direct(t, http.MethodDelete, "/v1.41/containers/"+answer.id(t)+"?force=1", nil)
	for name, value := range map[string]any{
		"Privileged":        true,
		"Binds":             []string{"/:/host"},
		"Mounts":            []any{map[string]any{"Type": "bind", "Source": "/", "Target": "/host"}},
		"VolumesFrom":       []string{d.foreign},
		"VolumeDriver":      "local",
		"PidMode":           "host",
		"IpcMode":           "host",
		"UTSMode":           "host",
		"UsernsMode":        "host",
		"CgroupnsMode":      "host",
		"CapAdd":            []string{"SYS_ADMIN"},
		"CapDrop":           []string{"NET_RAW"},
		"Devices":           []any{map[string]any{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}},
		"DeviceCgroupRules": []string{"a *:* rwm"},
		"DeviceRequests":    []any{map[string]any{"Driver": "nvidia", "Count": -1}},
		"SecurityOpt":       []string{"seccomp=unconfined"},
		"CgroupParent":      "/",
		"Cgroup":            "container:" + d.foreign,
		"Sysctls":           map[string]any{"kernel.shm_rmid_forced": "1"},
		"Runtime":           "other",
		"GroupAdd":          []string{"docker"},
		"Links":             []string{d.foreign + ":x"},
		"ExtraHosts":        []string{"registry:10.0.0.1"},
		"PortBindings":      map[string]any{"80/tcp": []any{map[string]any{"HostPort": "80"}}},
		"PublishAllPorts":   true,
		"OomScoreAdj":       -1000,
		"OomKillDisable":    true,
		"ShmSize":           1 << 40,
		"Tmpfs":             map[string]any{"/x": "exec"},
		"StorageOpt":        map[string]any{"size": "1t"},
		"MaskedPaths":       []string{"/x"},
		"ReadonlyPaths":     []string{"/x"},
		"LogConfig":         map[string]any{"Type": "syslog", "Config": map[string]any{"syslog-address": "tcp://10.0.0.1:514"}},
		"RestartPolicy":     map[string]any{"Name": "always"},
		"ContainerIDFile":   "/etc/x",
		"NetworkMode":       "host",
		"AutoRemove":        "true",
		"PidsLimit":         -1,
		"Memory":            "all",
	} {
		body := plain(d.image)
		body["HostConfig"].(map[string]any)[name] = value
		d.wantRefused(t, http.MethodPost, "/v1.41/containers/create", body)
	}
	for _, network := range []string{"host", "container:" + d.foreign, "ingress", "somebodys", "ns:/proc/1/ns/net"} {
		body := plain(d.image)
		body["HostConfig"].(map[string]any)["NetworkMode"] = network
		d.wantRefused(t, http.MethodPost, "/v1.41/containers/create", body)
	}
}

// The same by other fields of the body, and by its spelling.
func TestNoContainerIsMadeByOtherWords(t *testing.T) {
	d := newDoor(t)
	for name, value := range map[string]any{
		"Volumes":          map[string]any{"/x": map[string]any{"a": "b"}},
		"NetworkingConfig": map[string]any{"EndpointsConfig": map[string]any{"somebodys": map[string]any{"NetworkID": "x"}}},
		"Labels":           map[string]any{"io.fraktalia.image": "probe", "openclaw.sandbox": "1"},
		"Env":              []string{"LD_PRELOAD=x"},
		"Healthcheck":      map[string]any{"Test": []string{"CMD", "x"}},
		"StopSignal":       "SIGKILL",
		"MacAddress":       "02:42:ac:11:00:02",
		"OpenStdin":        true,
		"hostconfig":       map[string]any{"Privileged": true},
		"HOSTCONFIG":       map[string]any{"Binds": []string{"/:/host"}},
		"HostConfig\u0000": map[string]any{"Privileged": true},
	} {
		body := plain(d.image)
		body[name] = value
		d.wantRefused(t, http.MethodPost, "/v1.41/containers/create", body)
	}
	text, err := json.Marshal(plain(d.image))
	check(t, err)
	open := strings.TrimSuffix(string(text), "}")
	for _, body := range []string{
		open + `,"HostConfig":{"Privileged":true}}`,
		open + `,"HostConfig":{"privileged":true}}`,
		open + `,"HostConfig":{"Privileged":false,"Privileged":true}}`,
		open + `} {"HostConfig":{"Privileged":true}}`,
		open + `,"HostConfig":[{"Privileged":true}]}`,
		`[` + string(text) + `]`, ``, `null`, `"x"`, `{`, `{}`,
		strings.Replace(string(text), `"probe"`, `"sandbox"`, 1),
		`{"Image":"x","Pad":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		d.wantRefused(t, http.MethodPost, "/v1.41/containers/create", body)
	}
	d.wantRefused(t, http.MethodPost, "/v1.41/containers/create?name=taken", plain(d.image))
	d.wantRefused(t, http.MethodPost, "/v1.41/containers/create?platform=linux/arm64", plain(d.image))
}

// What says nothing is left out: an empty list of masked paths would open /proc.
func TestEmptyFieldsAreLeftOut(t *testing.T) {
	d := newDoor(t)
	body := plain(d.image)
	maps.Copy(body["HostConfig"].(map[string]any), map[string]any{"MaskedPaths": []string{}, "ReadonlyPaths": []string{}, "Privileged": false})
	answer := d.ask(t, http.MethodPost, "/v1.41/containers/create", body)
	id := answer.id(t)
	defer d.direct(t, http.MethodDelete, "/v1.41/containers/"+id+"?force=1", nil)
	var made struct {
		HostConfig struct{ MaskedPaths, ReadonlyPaths []string }
	}
	check(t, json.Unmarshal([]byte(d.direct(t, http.MethodGet, "/v1.41/containers/"+id+"/json", nil).body), &made))
	if !slices.Contains(made.HostConfig.MaskedPaths, "/proc/kcore") || !slices.Contains(made.HostConfig.ReadonlyPaths, "/proc/sys") {
		t.Errorf("%+v", made)
	}
}

// Somebody else's container is neither looked into nor touched, by name or id.
func TestForeignContainersAreLeftAlone(t *testing.T) {
	d := newDoor(t)
	command := map[string]any{"Cmd": []string{"/server", ":1"}, "AttachStdin": true, "AttachStdout": true, "AttachStderr": true}
	for _, id := range []string{d.foreign, d.foreign[:12], d.foreignName} {
		for _, request := range []string{
			"GET /containers/%s/json", "GET /containers/%s/json?size=1", "GET /containers/%s/logs?stdout=1&tail=5", "GET /containers/%s/stats?stream=0&one-shot=1",
			"GET /containers/%s/top?ps_args=-o+pid,ppid,stat,etimes,args", "DELETE /containers/%s?force=1", "POST /containers/%s/start",
		} {
			method, path, _ := strings.Cut(fmt.Sprintf(request, id), " ")
			d.wantRefused(t, method, "/v1.41"+path, nil)
		}
		d.wantRefused(t, http.MethodPost, "/v1.41/containers/"+id+"/exec", command)
	}
	if answer := d.ask(t, http.MethodGet, "/v1.41/containers/"+d.sandbox+"/json", nil); answer.status != http.StatusOK {
		t.Errorf("nor is a sandbox: %+v", answer)
	}
	if answer := d.ask(t, http.MethodGet, "/v1.41/containers/nobody/json", nil); answer.status != http.StatusNotFound {
		t.Errorf("one that is not there: %+v", answer)
	}
	d.wantRefused(t, http.MethodPost, "/v1.41/containers/"+d.sandbox+"/start", nil)
}

// Whatever is not on the list: files in and out, changes, volumes, plugins,
// the cluster, sessions of builders, of containers that are ours, too.
func TestWhatIsNotOnTheList(t *testing.T) {
	d := newDoor(t)
	for _, request := range []string{
		"GET /containers/%s/archive?path=/etc", "PUT /containers/%s/archive?path=/", "HEAD /containers/%s/archive?path=/", "POST /containers/%s/copy",
		"POST /containers/%s/update", "POST /containers/%s/rename?name=x", "POST /containers/%s/attach?stream=1&stdin=1", "GET /containers/%s/attach/ws",
		"GET /containers/%s/export", "GET /containers/%s/changes", "POST /containers/%s/kill", "POST /containers/%s/stop", "POST /containers/%s/restart",
		"POST /containers/%s/pause", "POST /containers/%s/wait", "POST /containers/%s/resize", "POST /commit?container=%s",
		"POST /images/load", "GET /images/get?names=x", "GET /images/x/get", "POST /images/x/push", "POST /images/prune", "POST /containers/prune", "POST /build/prune",
		"POST /build/cancel?id=x", "POST /volumes/create", "GET /volumes", "DELETE /volumes/x", "POST /volumes/prune", "GET /plugins", "POST /plugins/pull?remote=x", "POST /plugins/x/enable",
		"POST /swarm/init", "GET /swarm", "POST /services/create", "GET /secrets", "GET /configs", "GET /nodes", "GET /tasks", "POST /session", "POST /grpc", "POST /auth",
		"GET /distribution/x/json", "GET /networks", "POST /networks/create", "DELETE /networks/fraktalia", "POST /networks/fraktalia/connect", "POST /networks/prune",
		"GET /containers/json?filters=%7B%22name%22:%7B%22a%22:true%7D%7D", "GET /containers/json?filters=%7B%22label%22:%7B%22password=x%22:true%7D%7D",
		"GET /containers/json?filters=%7B%22label%22:%5B%22password%22%5D%7D", "GET /containers/json?size=1", "GET /events?filters=%7B%22image%22:%7B%22x%22:true%7D%7D",
		"GET /networks/somebodys", "GET /system/df", "POST /v1.41/containers/create", "GET /", "GET /debug/pprof/", "OPTIONS /info", "POST /info", "PUT /containers/create",
	} {
		if strings.Contains(request, "%s") { // others have percent signs of their own
			request = fmt.Sprintf(request, d.sandbox)
		}
		method, path, _ := strings.Cut(request, " ")
		d.wantRefused(t, method, "/v1.41"+path, nil)
	}
}

// Commands run as the container's own user, without privileges, and only those
// that were judged are begun.
func TestCommandsThatWouldBeMore(t *testing.T) {
	d := newDoor(t)
	path := "/v1.41/containers/" + d.sandbox + "/exec"
	command := func() map[string]any {
		return map[string]any{"Cmd": []string{"/server", ":1"}, "AttachStdin": true, "AttachStdout": true, "AttachStderr": true}
	}
	if answer := d.ask(t, http.MethodPost, path, command()); answer.status != http.StatusCreated {
		t.Fatalf("a plain command is not prepared: %+v", answer)
	}
	for name, value := range map[string]any{"Privileged": true, "User": "root", "Tty": true, "Env": []string{"A=b"}, "WorkingDir": "/x", "DetachKeys": "a", "privileged": true} {
		body := command()
		body[name] = value
		d.wantRefused(t, http.MethodPost, path, body)
	}
	for container, privileged := range map[string]bool{d.sandbox: true, d.foreign: false} {
		body := command()
		body["Privileged"] = privileged
		made := d.direct(t, http.MethodPost, "/v1.41/containers/"+container+"/exec", body).id(t)
		d.wantRefused(t, http.MethodPost, "/v1.41/exec/"+made+"/start", map[string]any{"Detach": true})
		d.wantUpgradeRefused(t, "/v1.41/exec/"+made+"/start")
		if container == d.foreign {
			d.wantRefused(t, http.MethodGet, "/v1.41/exec/"+made+"/json", nil)
		}
	}
	made := d.ask(t, http.MethodPost, path, command()).id(t)
	d.wantRefused(t, http.MethodPost, "/v1.41/exec/"+made+"/start", map[string]any{"Detach": true})
}

// Tags that others run, and images that are theirs, stay as they are.
func TestImagesThatAreNotOurs(t *testing.T) {
	d := newDoor(t)
	for _, path := range []string{
		"/images/" + d.image + "/tag?repo=debian&tag=bookworm-slim", "/images/" + d.image + "/tag?repo=registry.example/x&tag=y", "/images/" + d.image + "/tag?repo=docker.io/library/debian",
		"/images/" + d.image + "/tag?repo=" + d.name + "&tag=live&tag=live-candidate", "/images/create?fromImage=registry.example/evil&tag=latest",
		"/images/create?fromImage=debian&tag=sid", "/images/create?fromSrc=http://169.254.169.254/&repo=fraktalia-probe:latest", "/images/create?fromSrc=-&repo=debian&tag=bookworm-slim",
		"/images/create?fromSrc=-&fromImage=debian&repo=fraktalia-probe:latest", "/images/create?repo=x",
	} {
		d.wantRefused(t, http.MethodPost, "/v1.41"+path, nil)
	}
	for _, name := range []string{d.image, d.imageID(t), strings.TrimPrefix(d.imageID(t), "sha256:")[:12], "sha256:" + strings.TrimPrefix(d.imageID(t), "sha256:")} {
		d.wantRefused(t, http.MethodDelete, "/v1.41/images/"+name, nil)
	}
	d.wantRefused(t, http.MethodDelete, "/v1.41/images/"+d.name+":live-previous?force=1", nil)
	live := d.name + ":live"
	if answer := d.ask(t, http.MethodPost, "/v1.41/images/"+d.image+"/tag?repo="+d.name+"&tag=live", nil); answer.status != http.StatusCreated {
		t.Errorf("our own name is not given: %+v", answer)
	}
	if answer := d.ask(t, http.MethodDelete, "/v1.41/images/"+live, nil); answer.status != http.StatusOK {
		t.Errorf("nor taken away: %+v", answer)
	}
	if sandboxtest.Docker(t, "images", "-q", d.image) == "" {
		t.Error("the image is gone with it")
	}
}

// Builds that would fetch, mount, or reach what is the machine's.
func TestBuildsThatWouldBeMore(t *testing.T) {
	d := newDoor(t)
	good := "/v1.41/build?version=2&t=" + d.name + ":live-candidate"
	for _, more := range []string{
		"&networkmode=host", "&networkmode=container:" + d.foreign, "&remote=http://169.254.169.254/x", "&session=abc", "&outputs=" + `[{"Type":"local","Attrs":{"dest":"/"}}]`,
		"&extrahosts=" + `["a:10.0.0.1"]`, "&cgroupparent=/", "&securityopt=" + `["seccomp=unconfined"]`, "&ulimits=" + `[{"Name":"nofile","Hard":1,"Soft":1}]`, "&shmsize=9999999999",
		"&cachefrom=" + `["evil"]`, "&squash=1", "&platform=linux/arm64", "&pull=1", "&dockerfile=../../etc/shadow", "&target=x", "&entitlements=" + `["security.insecure"]`, "&t=debian:bookworm-slim",
		"&networkmode=default&networkmode=host", "&isolation=process", "&buildid=x", "&q=1", "&cpusetcpus=1", "&NETWORKMODE=host",
	} {
		d.wantRefused(t, http.MethodPost, strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", "[", "%5B", "]", "%5D").Replace(good+more), "")
	}
	for _, path := range []string{"/v1.41/build?version=2", "/v1.41/build?version=2&t=debian:bookworm-slim", "/v1.41/build?version=2&t=" + d.name + ":live", "/v1.41/build?version=3&t=" + d.name + ":live-candidate",
		"/v1.41/build?t=" + d.name + ":live-candidate;remote=x&version=2"} {
		d.wantRefused(t, http.MethodPost, path, "")
	}
}
