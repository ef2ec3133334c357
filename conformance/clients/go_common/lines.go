// The line protocol of lines.py for clients written in Go: a client fills Story, Reader and Member.
//
// It is compiled into each of them. []byte is base64 and a nil one is null, as encoding/json has it.

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Record is one record, to be sent or as it was received.
type Record struct {
	Value       []byte   `json:"value"`
	Key         []byte   `json:"key"`
	Headers     []Header `json:"headers"`
	Partition   *int32   `json:"partition"`
	TimestampMs *int64   `json:"timestamp_ms"`
	Offset      *int64   `json:"offset"`
}

// Header is a pair, and a pair is an array in JSON.
type Header struct {
	Name  string
	Value []byte
}

func (header Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{header.Name, header.Value})
}

func (header *Header) UnmarshalJSON(line []byte) error {
	return json.Unmarshal(line, &[]any{&header.Name, &header.Value})
}

// Order has the arguments of every verb; each takes its own.
type Order struct {
	Do              string          `json:"do"`
	Bootstrap       string          `json:"bootstrap"`
	Timers          Timers          `json:"timers"`
	Topic           string          `json:"topic"`
	Records         []Record        `json:"records"`
	Acks            string          `json:"acks"`
	Codec           string          `json:"codec"`
	Idempotent      bool            `json:"idempotent"`
	TransactionalID string          `json:"transactional_id"`
	Commit          bool            `json:"commit"`
	Reader          string          `json:"reader"`
	Partition       int32           `json:"partition"`
	Partitions      json.RawMessage `json:"partitions"`
	Start           json.RawMessage `json:"start"`
	Moment          json.RawMessage `json:"moment"`
	CommittedOnly   bool            `json:"committed_only"`
	Count           int             `json:"count"`
	WaitMs          int64           `json:"wait_ms"`
	Offset          int64           `json:"offset"`
	Member          string          `json:"member"`
	Group           string          `json:"group"`
	Strategy        string          `json:"strategy"`
	Instance        *string         `json:"instance"`
	AutoCommit      bool            `json:"auto_commit"`
	Offsets         map[int32]int64 `json:"offsets"`
	To              string          `json:"to"`
	IdleMs          int64           `json:"idle_ms"`
	Broken          bool            `json:"broken"`
}

// PartitionList is `partitions` where the verb wants them by number.
func (order Order) PartitionList() (numbers []int32) {
	must(json.Unmarshal(order.Partitions, &numbers))
	return numbers
}

// PartitionTotal is `partitions` where the verb wants to know how many.
func (order Order) PartitionTotal() (total int32) {
	must(json.Unmarshal(order.Partitions, &total))
	return total
}

// Where is what a start or a moment says: a word, or else a number.
func Where(given json.RawMessage) (word string, number int64) {
	if json.Unmarshal(given, &word) != nil {
		must(json.Unmarshal(given, &number))
	}
	return word, number
}

// Timers are the timers that the stories rely on.
type Timers struct {
	SessionTimeoutMs    int64 `json:"session_timeout_ms"`
	HeartbeatIntervalMs int64 `json:"heartbeat_interval_ms"`
	RetryBackoffMs      int64 `json:"retry_backoff_ms"`
	FetchMaxWaitMs      int64 `json:"fetch_max_wait_ms"`
	RequestTimeoutMs    int64 `json:"request_timeout_ms"`
	DeadlineMs          int64 `json:"deadline_ms"`
}

// Ms is a duration of so many milliseconds.
func Ms(count int64) time.Duration { return time.Duration(count) * time.Millisecond }

// Story is one client library against one cluster.
type Story interface {
	Lacks() map[string]string
	Produce(Order) ([]int64, error)
	Transact(Order) error
	OpenReader(Order) (Reader, error)
	OffsetAt(Order) (*int64, error)
	Join(Order) (Member, error)
	CreateTopic(Order) error
	AddPartitions(Order) error
	DeleteTopic(Order) error
	PartitionCount(Order) (*int, error)
	Close() error
}

// Looper is a story whose library has all that a consume-transform-produce loop needs.
type Looper interface {
	Loop(Order) (Looped, error)
}

// Looped is what a loop says it did.
type Looped struct {
	Committed int `json:"committed"`
	Aborted   int `json:"aborted"`
	Restarted int `json:"restarted"`
}

// Reader is a consumer without a group.
type Reader interface {
	Take(count int, wait time.Duration) ([]Record, error)
	Seek(partition int32, offset int64) error
	Pause(partition int32) error
	Resume(partition int32) error
	Close() error
}

// Member is a consumer in a group.
type Member interface {
	Poll(wait time.Duration) (Polled, error)
	Commit(offsets map[int32]int64) error
	Leave() error
}

// Polled is what a member knows after a poll.
type Polled struct {
	Records    []Record `json:"records"`
	Owned      []int32  `json:"owned"`
	Rebalances int      `json:"rebalances"`
}

// Serve obeys orders until there are no more.
func Serve(open func(Order) (Story, error)) {
	answers := os.Stdout
	os.Stdout = os.Stderr // a library that prints must not be taken for an answer
	orders := bufio.NewReader(os.Stdin)
	played := &cast{open: open, readers: map[string]Reader{}, members: map[string]Member{}}
	for {
		line, err := orders.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		must(err)
		var order Order
		must(json.Unmarshal(line, &order))
		var answer map[string]any
		if result, err := played.obey(order); err != nil {
			answer = map[string]any{"error": err.Error()}
		} else {
			answer = map[string]any{"ok": result}
		}
		encoded, err := json.Marshal(answer)
		must(err)
		fmt.Fprintln(answers, string(encoded))
	}
}

// cast is a story with its readers and members by name.
type cast struct {
	open    func(Order) (Story, error)
	story   Story
	readers map[string]Reader
	members map[string]Member
}

func (cast *cast) obey(order Order) (any, error) {
	switch order.Do {
	case "open":
		story, err := cast.open(order)
		if err != nil {
			return nil, err
		}
		cast.story = story
		return story.Lacks(), nil
	case "produce":
		return cast.story.Produce(order)
	case "transact":
		return nil, cast.story.Transact(order)
	case "loop":
		return cast.story.(Looper).Loop(order)
	case "offset_at":
		return cast.story.OffsetAt(order)
	case "create_topic":
		return nil, cast.story.CreateTopic(order)
	case "add_partitions":
		return nil, cast.story.AddPartitions(order)
	case "delete_topic":
		return nil, cast.story.DeleteTopic(order)
	case "partition_count":
		return cast.story.PartitionCount(order)
	case "close":
		return nil, cast.close()
	}
	return cast.obeyConsuming(order)
}

func (cast *cast) obeyConsuming(order Order) (any, error) {
	reader, member := cast.readers[order.Reader], cast.members[order.Member]
	switch order.Do {
	case "open_reader":
		opened, err := cast.story.OpenReader(order)
		if err == nil {
			cast.readers[order.Reader] = opened
		}
		return nil, err
	case "take":
		return reader.Take(order.Count, Ms(order.WaitMs))
	case "seek":
		return nil, reader.Seek(order.Partition, order.Offset)
	case "pause":
		return nil, reader.Pause(order.Partition)
	case "resume":
		return nil, reader.Resume(order.Partition)
	case "close_reader":
		delete(cast.readers, order.Reader)
		return nil, reader.Close()
	case "join":
		joined, err := cast.story.Join(order)
		if err == nil {
			cast.members[order.Member] = joined
		}
		return nil, err
	case "poll":
		return member.Poll(Ms(order.WaitMs))
	case "commit":
		return nil, member.Commit(order.Offsets)
	case "leave":
		delete(cast.members, order.Member)
		return nil, member.Leave()
	}
	return nil, fmt.Errorf("no verb %q", order.Do)
}

// close is the end of a story: whoever is left behind goes first.
func (cast *cast) close() error {
	for name, member := range cast.members {
		delete(cast.members, name)
		if err := member.Leave(); err != nil {
			return err
		}
	}
	for name, reader := range cast.readers {
		delete(cast.readers, name)
		if err := reader.Close(); err != nil {
			return err
		}
	}
	return cast.story.Close()
}

// Mailbox takes what a library's own goroutines deliver until a story asks for it.
type Mailbox struct {
	mutex   sync.Mutex
	records []Record
	failure error
}

// Put delivers a record.
func (box *Mailbox) Put(record Record) {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	box.records = append(box.records, record)
}

// Fail delivers a failure; the first one is told to whoever asks next.
func (box *Mailbox) Fail(err error) {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	if box.failure == nil {
		box.failure = err
	}
}

// Take gives so many records, or what there is when the wait is over.
func (box *Mailbox) Take(count int, wait time.Duration) ([]Record, error) {
	for end := time.Now().Add(wait); ; time.Sleep(2 * time.Millisecond) {
		box.mutex.Lock()
		if len(box.records) >= count || box.failure != nil || time.Now().After(end) {
			break
		}
		box.mutex.Unlock()
	}
	defer box.mutex.Unlock()
	taken := append([]Record{}, box.records[:min(count, len(box.records))]...)
	box.records = box.records[len(taken):]
	return taken, box.failure
}

// Clear forgets what was delivered and not yet asked for.
func (box *Mailbox) Clear() {
	box.mutex.Lock()
	defer box.mutex.Unlock()
	box.records = nil
}

// must is for what cannot happen unless the two sides disagree about the protocol.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
