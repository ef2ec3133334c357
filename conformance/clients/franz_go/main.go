// franz-go, obeying the line protocol of lines.py.
//
// Its consumers are polled like Java's, and its background work goes on between polls.

package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func main() { Serve(open) }

type story struct {
	common    []kgo.Opt
	timers    Timers
	admin     *kadm.Client
	producers map[string]*kgo.Client
}

func open(order Order) (Story, error) {
	backoff := Ms(order.Timers.RetryBackoffMs)
	common := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(order.Bootstrap, ",")...),
		kgo.RetryBackoffFn(func(int) time.Duration { return backoff }),
		kgo.RequestTimeoutOverhead(Ms(order.Timers.RequestTimeoutMs)),
		// How old metadata must be before it is asked for again: seconds by default.
		kgo.MetadataMinAge(backoff),
	}
	client, err := kgo.NewClient(common...)
	if err != nil {
		return nil, err
	}
	return &story{common, order.Timers, kadm.NewClient(client), map[string]*kgo.Client{}}, nil
}

func (story *story) Lacks() map[string]string {
	return map[string]string{
		"STICKY":           "franz-go's eager sticky plan moves partitions that could have stayed",
		"LASTING_PRODUCER": "franz-go fails records with UNKNOWN_TOPIC_ID once their topic is a new one",
	}
}

func (story *story) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), Ms(story.timers.DeadlineMs))
}

func (story *story) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(slices.Clone(story.common), more...)...)
}

func (story *story) Produce(order Order) ([]int64, error) {
	manner := order.Acks + order.Codec
	if order.Idempotent {
		manner += "idempotent"
	}
	producer, kept := story.producers[manner]
	if !kept {
		var err error
		if producer, err = story.client(producing(order)...); err != nil {
			return nil, err
		}
		story.producers[manner] = producer
	}
	offsets, err := story.send(producer, order)
	if order.Acks == "0" {
		offsets = nil
	}
	return offsets, err
}

func producing(order Order) []kgo.Opt {
	acks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}
	codecs := map[string]kgo.CompressionCodec{
		"none":   kgo.NoCompression(),
		"gzip":   kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(),
		"lz4":    kgo.Lz4Compression(),
		"zstd":   kgo.ZstdCompression(),
	}
	options := []kgo.Opt{
		kgo.RequiredAcks(acks[order.Acks]),
		kgo.ProducerBatchCompression(codecs[order.Codec]),
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(chosenElseByKey)),
	}
	if !order.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	return options
}

// chosenElseByKey is the partition that the record names, or else what the library would have chosen.
func chosenElseByKey(topic string) func(*kgo.Record, int) int {
	byKey := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
	return func(record *kgo.Record, count int) int {
		if record.Partition >= 0 {
			return int(record.Partition)
		}
		return byKey.Partition(record, count)
	}
}

func (story *story) send(producer *kgo.Client, order Order) ([]int64, error) {
	records := make([]*kgo.Record, 0, len(order.Records))
	for _, line := range order.Records {
		record := &kgo.Record{Topic: order.Topic, Key: line.Key, Value: line.Value, Partition: -1}
		for _, header := range line.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
		if line.Partition != nil {
			record.Partition = *line.Partition
		}
		if line.TimestampMs != nil {
			record.Timestamp = time.UnixMilli(*line.TimestampMs)
		}
		records = append(records, record)
	}
	ctx, cancel := story.context()
	defer cancel()
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	offsets := make([]int64, 0, len(records))
	for _, record := range records {
		offsets = append(offsets, record.Offset)
	}
	return offsets, nil
}

func (story *story) Transact(order Order) error {
	order.Acks, order.Codec, order.Idempotent = "all", "none", true
	producer, err := story.client(append(producing(order), kgo.TransactionalID(order.TransactionalID))...)
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := producer.BeginTransaction(); err != nil {
		return err
	}
	if _, err := story.send(producer, order); err != nil {
		return err
	}
	ctx, cancel := story.context()
	defer cancel()
	return producer.EndTransaction(ctx, kgo.TransactionEndTry(order.Commit))
}

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

func (story *story) OffsetAt(order Order) (*int64, error) {
	word, number := Where(order.Moment)
	return story.offsetAt(order.Topic, order.Partition, word, number)
}

func (story *story) offsetAt(topic string, partition int32, word string, number int64) (*int64, error) {
	ctx, cancel := story.context()
	defer cancel()
	var listed kadm.ListedOffsets
	var err error
	switch word {
	case "earliest":
		listed, err = story.admin.ListStartOffsets(ctx, topic)
	case "latest":
		listed, err = story.admin.ListEndOffsets(ctx, topic)
	default:
		listed, err = story.admin.ListOffsetsAfterMilli(ctx, number, topic)
	}
	if err != nil {
		return nil, err
	}
	found, _ := listed.Lookup(topic, partition)
	// Where nothing is that young the library answers with the end, and with no timestamp.
	if word == "" && found.Timestamp < 0 {
		return nil, found.Err
	}
	return &found.Offset, found.Err
}

func (story *story) CreateTopic(order Order) error {
	ctx, cancel := story.context()
	defer cancel()
	_, err := story.admin.CreateTopic(ctx, order.PartitionTotal(), 1, nil, order.Topic)
	return err
}

func (story *story) AddPartitions(order Order) error {
	ctx, cancel := story.context()
	defer cancel()
	added, err := story.admin.UpdatePartitions(ctx, int(order.PartitionTotal()), order.Topic)
	return errors.Join(err, added.Error())
}

func (story *story) DeleteTopic(order Order) error {
	ctx, cancel := story.context()
	defer cancel()
	_, err := story.admin.DeleteTopic(ctx, order.Topic)
	return err
}

func (story *story) PartitionCount(order Order) (*int, error) {
	ctx, cancel := story.context()
	defer cancel()
	// Asked by hand, as kadm answers from the client's cache.
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &order.Topic
	request.Topics = append(request.Topics, topic)
	client, err := story.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	described := response.Topics[0]
	if err := kerr.ErrorForCode(described.ErrorCode); err != nil {
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil, nil
		}
		return nil, err
	}
	count := len(described.Partitions)
	return &count, nil
}

func (story *story) Close() error {
	for _, producer := range story.producers {
		producer.Close()
	}
	story.admin.Close()
	return nil
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
