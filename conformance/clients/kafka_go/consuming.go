// kafka-go's consumers: a reader reads when it is asked. A member is a ConsumerGroup with a Reader for each
// partition, since the library's group Reader tells nobody what it owns.

package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

func (story *story) OpenReader(order Order) (Reader, error) {
	partition := order.PartitionList()[0] // several would need PAUSE to be of interest
	isolation := kafka.ReadUncommitted
	if order.CommittedOnly {
		isolation = kafka.ReadCommitted
	}
	opened := story.read(order.Topic, int(partition), isolation)
	word, number := Where(order.Start)
	if word == "beginning" {
		number = kafka.FirstOffset
	} else if word == "end" { // the library would find the end at the first fetch, which may be too late
		end, err := story.offsetAt(order.Topic, kafka.LastOffsetOf(int(partition)))
		if err != nil {
			return nil, err
		}
		number = *end
	}
	return &reader{opened}, opened.SetOffset(number)
}

func (story *story) read(topic string, partition int, isolation kafka.IsolationLevel) *kafka.Reader {
	backoff := Ms(story.timers.RetryBackoffMs)
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers:        story.addresses,
		Topic:          topic,
		Partition:      partition,
		MaxWait:        Ms(story.timers.FetchMaxWaitMs),
		ReadBackoffMin: backoff,
		ReadBackoffMax: 5 * backoff,
		IsolationLevel: isolation,
	})
}

type reader struct{ *kafka.Reader }

func (reader *reader) Take(count int, wait time.Duration) ([]Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	records := []Record{}
	for len(records) < count {
		message, err := reader.ReadMessage(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		} else if err != nil {
			return nil, err
		}
		records = append(records, received(message))
	}
	return records, nil
}

func (reader *reader) Seek(_ int32, offset int64) error { return reader.SetOffset(offset) }

func (reader *reader) Pause(int32) error { return errors.ErrUnsupported }

func (reader *reader) Resume(int32) error { return errors.ErrUnsupported }

func received(message kafka.Message) Record {
	partition, timestamp, headers := int32(message.Partition), message.Time.UnixMilli(), []Header{}
	for _, header := range message.Headers {
		headers = append(headers, Header{header.Key, header.Value})
	}
	return Record{message.Value, message.Key, headers, &partition, &timestamp, &message.Offset}
}

type member struct {
	Mailbox
	story      *story
	order      Order
	group      *kafka.ConsumerGroup
	stop       context.CancelFunc
	mutex      sync.Mutex
	generation *kafka.Generation
	owned      []int32
	read       map[int]int64
	rebalances int
}

func (story *story) Join(order Order) (Member, error) {
	balancers := map[string]kafka.GroupBalancer{
		"range": kafka.RangeGroupBalancer{}, "roundrobin": kafka.RoundRobinGroupBalancer{},
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                order.Group,
		Brokers:           story.addresses,
		Topics:            []string{order.Topic},
		GroupBalancers:    []kafka.GroupBalancer{balancers[order.Strategy]},
		SessionTimeout:    Ms(story.timers.SessionTimeoutMs),
		HeartbeatInterval: Ms(story.timers.HeartbeatIntervalMs),
		JoinGroupBackoff:  Ms(story.timers.RetryBackoffMs),
		StartOffset:       kafka.FirstOffset,
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	joined := &member{story: story, order: order, group: group, stop: stop, read: map[int]int64{}}
	go joined.live(ctx)
	return joined, nil
}

// live goes from one generation to the next; one that cannot be had is asked for again, after a backoff.
func (member *member) live(ctx context.Context) {
	for {
		generation, err := member.group.Next(ctx)
		if errors.Is(err, kafka.ErrGroupClosed) || errors.Is(err, context.Canceled) {
			return
		} else if err == nil {
			member.begin(generation)
		}
	}
}

func (member *member) begin(generation *kafka.Generation) {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	member.generation, member.owned, member.read = generation, []int32{}, map[int]int64{}
	member.rebalances++
	for _, assigned := range generation.Assignments[member.order.Topic] {
		member.owned = append(member.owned, int32(assigned.ID))
		generation.Start(func(ctx context.Context) { member.consume(ctx, generation, assigned) })
	}
	generation.Start(func(ctx context.Context) {
		<-ctx.Done()
		member.mutex.Lock()
		defer member.mutex.Unlock()
		member.owned = []int32{}
	})
}

// consume reads one partition for as long as the generation lasts.
func (member *member) consume(
	ctx context.Context, generation *kafka.Generation, assigned kafka.PartitionAssignment,
) {
	reader := member.story.read(member.order.Topic, assigned.ID, kafka.ReadUncommitted)
	defer reader.Close()
	must(reader.SetOffset(assigned.Offset))
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			break // the generation is over, as the reader itself tries everything else again
		}
		member.mutex.Lock()
		member.read[assigned.ID] = message.Offset + 1
		member.mutex.Unlock()
		member.Put(received(message))
	}
	member.mutex.Lock()
	defer member.mutex.Unlock()
	if next, any := member.read[assigned.ID]; any && member.order.AutoCommit {
		// The library leaves it to the application; one that cannot commit any more has lost the partition.
		_ = generation.CommitOffsets(map[string]map[int]int64{member.order.Topic: {assigned.ID: next}})
	}
}

func (member *member) Poll(wait time.Duration) (Polled, error) {
	records, _ := member.Take(1, wait)
	more, _ := member.Take(1_000_000, 0)
	member.mutex.Lock()
	defer member.mutex.Unlock()
	owned := append([]int32{}, member.owned...)
	return Polled{append(records, more...), owned, member.rebalances}, nil
}

func (member *member) Commit(offsets map[int32]int64) error {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	chosen := map[int]int64{}
	for partition, offset := range member.read {
		chosen[partition] = offset
	}
	if offsets != nil {
		clear(chosen)
	}
	for partition, offset := range offsets {
		chosen[int(partition)] = offset
	}
	return member.generation.CommitOffsets(map[string]map[int]int64{member.order.Topic: chosen})
}

func (member *member) Leave() error {
	err := member.group.Close()
	member.stop()
	return err
}
