package homeserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// poll is the pause between questions how far a long job is.
	poll = 200 * time.Millisecond
	// deleteTries and deletePause are for deletions that fail on the server.
	deleteTries = 3
	deletePause = time.Second
)

// synapseRoom is a Room as Synapse sends it.
type synapseRoom struct {
	ID         string `json:"room_id"`
	Name       string `json:"name"`
	Alias      string `json:"canonical_alias"`
	Members    int    `json:"joined_members"`
	Version    string `json:"version"`
	Encryption string `json:"encryption"`
	Public     bool   `json:"public"`
	Creator    string `json:"creator"`
}

func (r synapseRoom) room() Room {
	return Room{ID: r.ID, Name: r.Name, Alias: r.Alias, Members: r.Members, Version: r.Version,
		Encrypted: r.Encryption != "", Public: r.Public, Creator: r.Creator}
}

// ListRooms lists all rooms that the server knows, in pages of 500.
func (s *Synapse) ListRooms(ctx context.Context) ([]Room, error) {
	var rooms []Room
	for from, more := 0, true; more; {
		var page struct {
			Rooms []synapseRoom `json:"rooms"`
			Next  *int          `json:"next_batch"`
		}
		path := "/_synapse/admin/v1/rooms?order_by=name&limit=500&from=" + strconv.Itoa(from)
		if err := s.admin(ctx, request{action: "list rooms", method: http.MethodGet, path: path}, &page); err != nil {
			return nil, err
		}
		for _, r := range page.Rooms {
			rooms = append(rooms, r.room())
		}
		if more = page.Next != nil; more {
			from = *page.Next
		}
	}
	return rooms, nil
}

// Room looks one up.
func (s *Synapse) Room(ctx context.Context, roomID string) (Room, error) {
	var answer synapseRoom
	path := pathf("/_synapse/admin/v1/rooms/%s", roomID)
	err := s.user(ctx, roomID, request{action: "look up room", method: http.MethodGet, path: path}, &answer)
	return answer.room(), err
}

// PurgeHistory deletes what was said before a time and waits for the end. A
// room in which nothing was said before counts as purged.
func (s *Synapse) PurgeHistory(ctx context.Context, roomID string, before time.Time) error {
	if _, err := s.Room(ctx, roomID); err != nil {
		return err
	}
	var job struct {
		ID string `json:"purge_id"`
	}
	err := s.admin(ctx, request{
		action: "purge history",
		method: http.MethodPost,
		path:   pathf("/_synapse/admin/v1/purge_history/%s", roomID),
		body:   map[string]any{"delete_local_events": true, "purge_up_to_ts": before.UnixMilli()},
	}, &job)
	if refused(err, "M_NOT_FOUND") {
		return nil // "there is no event to be purged"
	}
	if err != nil {
		return err
	}
	return s.await(ctx, "purge history", pathf("/_synapse/admin/v1/purge_history_status/%s", job.ID))
}

// DeleteRoom removes everybody from a room, deletes it, and waits for the end.
// The server would accept a room that it does not know, so it is looked up
// first.
//
// A job that fails is tried again: Synapse writes to some tables a moment after
// somebody has left, and a deletion that meets this breaks off with "FOREIGN KEY
// constraint failed" (seen: 1.163.2 with SQLite).
func (s *Synapse) DeleteRoom(ctx context.Context, roomID string) error {
	if _, err := s.Room(ctx, roomID); err != nil {
		return err
	}
	for tried := 1; ; tried++ {
		err := s.deleteRoom(ctx, roomID)
		var failed ErrResponse
		if !errors.As(err, &failed) || failed.Status != http.StatusOK || tried == deleteTries {
			return err
		}
		if err := wait(ctx, deletePause); err != nil {
			return fmt.Errorf("delete room: %w", err)
		}
	}
}

func (s *Synapse) deleteRoom(ctx context.Context, roomID string) error {
	var job struct {
		ID string `json:"delete_id"`
	}
	err := s.admin(ctx, request{
		action: "delete room",
		method: http.MethodDelete,
		path:   pathf("/_synapse/admin/v2/rooms/%s", roomID),
		body:   map[string]bool{"purge": true, "block": false},
	}, &job)
	if err != nil {
		return err
	}
	return s.await(ctx, "delete room", pathf("/_synapse/admin/v2/rooms/delete_status/%s", job.ID))
}

// await asks for a job's status until it has ended.
func (s *Synapse) await(ctx context.Context, action, path string) error {
	for {
		var job struct{ Status, Error string }
		if err := s.admin(ctx, request{action: action, method: http.MethodGet, path: path}, &job); err != nil {
			return err
		}
		switch job.Status {
		case "complete":
			return nil
		case "failed":
			return ErrResponse{Action: action, Status: http.StatusOK, Message: job.Error}
		}
		if err := wait(ctx, poll); err != nil {
			return fmt.Errorf("%s: %w", action, err)
		}
	}
}

// RoomMedia lists the media that are named in a room's plain events.
func (s *Synapse) RoomMedia(ctx context.Context, roomID string) ([]string, error) {
	var answer struct{ Local []string }
	path := pathf("/_synapse/admin/v1/room/%s/media", roomID)
	err := s.user(ctx, roomID, request{action: "list media of room", method: http.MethodGet, path: path}, &answer)
	return answer.Local, err
}

// UserMedia lists the media that an account has uploaded, in pages of 500.
func (s *Synapse) UserMedia(ctx context.Context, userID string) ([]Media, error) {
	user, err := s.User(ctx, userID)
	if err != nil {
		return nil, err
	}
	_, server, _ := strings.Cut(user.ID, ":")
	var media []Media
	for from, more := 0, true; more; {
		var page struct {
			Media []struct {
				ID      string  `json:"media_id"`
				Name    *string `json:"upload_name"`
				Size    int64   `json:"media_length"`
				Created int64   `json:"created_ts"`
			} `json:"media"`
			Next *int `json:"next_token"`
		}
		path := pathf("/_synapse/admin/v1/users/%s/media", userID) + "?limit=500&from=" + strconv.Itoa(from)
		if err := s.user(ctx, userID, request{action: "list media of account", method: http.MethodGet, path: path}, &page); err != nil {
			return nil, err
		}
		for _, m := range page.Media {
			item := Media{MXC: "mxc://" + server + "/" + m.ID, Size: m.Size, Created: moment(m.Created)}
			if m.Name != nil {
				item.Name = *m.Name
			}
			media = append(media, item)
		}
		if more = page.Next != nil; more {
			from = *page.Next
		}
	}
	return media, nil
}

// DeleteMedia deletes one medium by its mxc address.
func (s *Synapse) DeleteMedia(ctx context.Context, mxc string) error {
	address, err := url.Parse(mxc)
	if err != nil || address.Scheme != "mxc" {
		return ErrNotFound{Action: "delete media", Name: mxc}
	}
	path := pathf("/_synapse/admin/v1/media/%s/%s", address.Host, strings.TrimPrefix(address.Path, "/"))
	return s.user(ctx, mxc, request{action: "delete media", method: http.MethodDelete, path: path}, nil)
}
