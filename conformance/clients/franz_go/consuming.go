// franz-go's consumers: polled like Java's, while their background work goes on between polls.

package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (story *story) OpenReader(order Order) (Reader, error) {
	word, number := Where(order.Start)
	starts := map[int32]kgo.Offset{}
	for _, partition := range order.PartitionList() {
		switch word {
		case "beginning":
			starts[partition] = kgo.NewOffset().AtStart()
		case "end": // the library would find the end at the first fetch, which may be too late
			end, err := story.offsetAt(order.Topic, partition, "latest", 0)
			if err != nil {
				return nil, err
			}
			starts[partition] = kgo.NewOffset().At(*end)
		default:
			starts[partition] = kgo.NewOffset().At(number)
		}
	}
	isolation := kgo.ReadUncommitted()
	if order.CommittedOnly {
		isolation = kgo.ReadCommitted()
	}
	client, err := story.client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{order.Topic: starts}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(isolation),
		kgo.FetchMaxWait(Ms(story.timers.FetchMaxWaitMs)),
	)
	return &reader{client, order.Topic}, err
}

type reader struct {
	client *kgo.Client
	topic  string
}

func (reader *reader) Take(count int, wait time.Duration) ([]Record, error) {
	records := []Record{}
	for end := time.Now().Add(wait); len(records) < count && time.Now().Before(end); {
		polled, err := poll(reader.client, time.Until(end), count-len(records))
		if err != nil {
			return nil, err
		}
		records = append(records, polled...)
	}
	return records, nil
}

func (reader *reader) Seek(partition int32, offset int64) error {
	at := kgo.EpochOffset{Epoch: -1, Offset: offset}
	reader.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{reader.topic: {partition: at}})
	return nil
}

func (reader *reader) Pause(partition int32) error {
	reader.client.PauseFetchPartitions(map[string][]int32{reader.topic: {partition}})
	return nil
}

func (reader *reader) Resume(partition int32) error {
	reader.client.ResumeFetchPartitions(map[string][]int32{reader.topic: {partition}})
	return nil
}

func (reader *reader) Close() error {
	reader.client.Close()
	return nil
}

func poll(client *kgo.Client, wait time.Duration, count int) ([]Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	fetches := client.PollRecords(ctx, count)
	for _, failed := range fetches.Errors() {
		// The news of a lost group session is no failure: the library says so and joins again by itself.
		var lost *kgo.ErrGroupSession
		if !errors.Is(failed.Err, context.DeadlineExceeded) && !errors.As(failed.Err, &lost) {
			return nil, failed.Err
		}
	}
	records := []Record{}
	fetches.EachRecord(func(found *kgo.Record) {
		timestamp := found.Timestamp.UnixMilli()
		headers := []Header{}
		for _, header := range found.Headers {
			headers = append(headers, Header{header.Key, header.Value})
		}
		records = append(records, Record{
			found.Value, found.Key, headers, &found.Partition, &timestamp, &found.Offset,
		})
	})
	return records, nil
}

type member struct {
	client     *kgo.Client
	story      *story
	topic      string
	autoCommit bool
	mutex      sync.Mutex
	owned      map[int32]bool
	rebalances int
}

func (story *story) Join(order Order) (Member, error) {
	balancers := map[string]kgo.GroupBalancer{
		"range":              kgo.RangeBalancer(),
		"roundrobin":         kgo.RoundRobinBalancer(),
		"sticky":             kgo.StickyBalancer(),
		"cooperative-sticky": kgo.CooperativeStickyBalancer(),
	}
	joined := &member{story: story, topic: order.Topic, owned: map[int32]bool{}, autoCommit: order.AutoCommit}
	options := []kgo.Opt{
		kgo.ConsumerGroup(order.Group),
		kgo.ConsumeTopics(order.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(balancers[order.Strategy]),
		kgo.SessionTimeout(Ms(story.timers.SessionTimeoutMs)),
		kgo.HeartbeatInterval(Ms(story.timers.HeartbeatIntervalMs)),
		kgo.FetchMaxWait(Ms(story.timers.FetchMaxWaitMs)),
		kgo.OnPartitionsAssigned(joined.assigned),
		kgo.OnPartitionsRevoked(joined.revoked),
		kgo.OnPartitionsLost(joined.lost),
	}
	if order.Instance != nil {
		options = append(options, kgo.InstanceID(*order.Instance))
	}
	if !order.AutoCommit {
		options = append(options, kgo.DisableAutoCommit())
	}
	var err error
	joined.client, err = story.client(options...)
	return joined, err
}

func (member *member) assigned(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	member.rebalances++
	for _, partition := range topics[member.topic] {
		member.owned[partition] = true
	}
}

// revoked commits what was read, which is up to whoever sets this callback.
func (member *member) revoked(ctx context.Context, client *kgo.Client, topics map[string][]int32) {
	if member.autoCommit {
		must(client.CommitUncommittedOffsets(ctx))
	}
	member.lost(ctx, client, topics)
}

func (member *member) lost(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	for _, partition := range topics[member.topic] {
		delete(member.owned, partition)
	}
}

func (member *member) Poll(wait time.Duration) (Polled, error) {
	records, err := poll(member.client, wait, -1)
	member.mutex.Lock()
	defer member.mutex.Unlock()
	return Polled{records, slices.AppendSeq([]int32{}, maps.Keys(member.owned)), member.rebalances}, err
}

func (member *member) Commit(offsets map[int32]int64) error {
	ctx, cancel := member.story.context()
	defer cancel()
	if offsets == nil {
		return member.client.CommitUncommittedOffsets(ctx)
	}
	chosen := map[int32]kgo.EpochOffset{}
	for partition, offset := range offsets {
		chosen[partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	var failure error
	member.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{member.topic: chosen},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
			failure = err
			if response == nil {
				return
			}
			for _, topic := range response.Topics {
				for _, partition := range topic.Partitions {
					failure = errors.Join(failure, kerr.ErrorForCode(partition.ErrorCode))
				}
			}
		})
	return failure
}

func (member *member) Leave() error {
	member.client.Close()
	return nil
}
