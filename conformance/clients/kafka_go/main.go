// segmentio/kafka-go, obeying the line protocol of lines.py.
//
// A member is its ConsumerGroup with a Reader for each partition, since its group Reader tells nobody what
// it owns. A reader reads when it is asked.

package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

func main() { Serve(open) }

type story struct {
	timers    Timers
	addresses []string
	client    *kafka.Client
	writers   map[string]*kafka.Writer
}

func open(order Order) (Story, error) {
	opened := &story{timers: order.Timers, writers: map[string]*kafka.Writer{}}
	opened.addresses = strings.Split(order.Bootstrap, ",")
	opened.client = &kafka.Client{
		Addr: kafka.TCP(opened.addresses...), Timeout: Ms(order.Timers.RequestTimeoutMs),
		Transport: opened.transport(),
	}
	return opened, nil
}

func (story *story) Lacks() map[string]string {
	assignors := "kafka-go has the range and round-robin assignors, and one by rack"
	transactions := "kafka-go has the requests of transactions and no producer that sends them"
	return map[string]string{
		"EMPTY":        "kafka-go reads an empty value as nil",
		"NULL_HEADER":  "kafka-go reads an empty header as nil",
		"RESET":        "kafka-go goes on asking for an offset that is out of range",
		"PAUSE":        "kafka-go cannot pause a reader",
		"STICKY":       assignors,
		"COOPERATIVE":  assignors,
		"STATIC":       "kafka-go has no group.instance.id",
		"IDEMPOTENCE":  "kafka-go's Writer has no idempotence",
		"TRANSACTIONS": transactions,
	}
}

func (story *story) transport() *kafka.Transport {
	// How long what it knows of topics and leaders is good for: six seconds by default.
	return &kafka.Transport{MetadataTTL: 200 * time.Millisecond}
}

func (story *story) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), Ms(story.timers.DeadlineMs))
}

// sent is what a message carries through the Writer: where it belongs, and its place among the offsets.
type sent struct {
	partition *int32
	index     int
	offsets   []int64
}

func (story *story) Produce(order Order) ([]int64, error) {
	manner := order.Acks + order.Codec
	if story.writers[manner] == nil {
		story.writers[manner] = story.writer(order)
	}
	offsets := make([]int64, len(order.Records))
	var messages []kafka.Message
	for index, record := range order.Records {
		message := kafka.Message{Topic: order.Topic, Key: record.Key, Value: record.Value}
		message.WriterData = sent{record.Partition, index, offsets}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: header.Name, Value: header.Value})
		}
		if record.TimestampMs != nil {
			message.Time = time.UnixMilli(*record.TimestampMs)
		}
		messages = append(messages, message)
	}
	ctx, cancel := story.context()
	defer cancel()
	if err := story.writers[manner].WriteMessages(ctx, messages...); err != nil {
		return nil, err
	}
	if order.Acks == "0" {
		return nil, nil
	}
	return offsets, nil
}

func (story *story) writer(order Order) *kafka.Writer {
	acks := map[string]kafka.RequiredAcks{
		"0": kafka.RequireNone, "1": kafka.RequireOne, "all": kafka.RequireAll,
	}
	codecs := map[string]kafka.Compression{
		"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
	}
	backoff := Ms(story.timers.RetryBackoffMs)
	return &kafka.Writer{
		Addr:            kafka.TCP(story.addresses...),
		Balancer:        kafka.BalancerFunc(chosenElseByKey),
		RequiredAcks:    acks[order.Acks],
		Compression:     codecs[order.Codec],
		BatchTimeout:    time.Millisecond,
		WriteBackoffMin: backoff,
		WriteBackoffMax: 5 * backoff,
		MaxAttempts:     100,
		ReadTimeout:     Ms(story.timers.RequestTimeoutMs),
		Transport:       story.transport(),
		// WriteMessages itself does not tell the offsets.
		Completion: func(messages []kafka.Message, err error) {
			for _, message := range messages {
				data := message.WriterData.(sent)
				data.offsets[data.index] = message.Offset
			}
		},
	}
}

var byKey kafka.Hash

// chosenElseByKey is the partition that the record names, or else what the library would have chosen.
func chosenElseByKey(message kafka.Message, partitions ...int) int {
	if chosen := message.WriterData.(sent).partition; chosen != nil {
		return int(*chosen)
	}
	return byKey.Balance(message, partitions...)
}

func (story *story) Transact(Order) error { return errors.New(story.Lacks()["TRANSACTIONS"]) }

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

func (story *story) OffsetAt(order Order) (*int64, error) {
	word, number := Where(order.Moment)
	partition := int(order.Partition)
	switch word {
	case "earliest":
		return story.offsetAt(order.Topic, kafka.FirstOffsetOf(partition))
	case "latest":
		return story.offsetAt(order.Topic, kafka.LastOffsetOf(partition))
	}
	return story.offsetAt(order.Topic, kafka.TimeOffsetOf(partition, time.UnixMilli(number)))
}

func (story *story) offsetAt(topic string, asked kafka.OffsetRequest) (*int64, error) {
	ctx, cancel := story.context()
	defer cancel()
	listed, err := story.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {asked}},
	})
	if err != nil {
		return nil, err
	}
	found := listed.Topics[topic][0]
	switch asked.Timestamp {
	case kafka.FirstOffset:
		return &found.FirstOffset, found.Error
	case kafka.LastOffset:
		return &found.LastOffset, found.Error
	}
	for offset := range found.Offsets {
		if offset >= 0 {
			return &offset, found.Error
		}
	}
	return nil, found.Error
}

func (story *story) CreateTopic(order Order) error {
	ctx, cancel := story.context()
	defer cancel()
	wanted := kafka.TopicConfig{
		Topic: order.Topic, NumPartitions: int(order.PartitionTotal()), ReplicationFactor: 1,
	}
	done, err := story.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{wanted}})
	if err != nil {
		return err
	}
	return done.Errors[order.Topic]
}

func (story *story) AddPartitions(order Order) error {
	ctx, cancel := story.context()
	defer cancel()
	wanted := kafka.TopicPartitionsConfig{Name: order.Topic, Count: order.PartitionTotal()}
	done, err := story.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{wanted},
	})
	if err != nil {
		return err
	}
	return done.Errors[order.Topic]
}

func (story *story) DeleteTopic(order Order) error {
	ctx, cancel := story.context()
	defer cancel()
	done, err := story.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{order.Topic}})
	if err != nil {
		return err
	}
	return done.Errors[order.Topic]
}

func (story *story) PartitionCount(order Order) (*int, error) {
	ctx, cancel := story.context()
	defer cancel()
	metadata, err := story.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{order.Topic}})
	if err != nil {
		return nil, err
	}
	described := metadata.Topics[0]
	if errors.Is(described.Error, kafka.UnknownTopicOrPartition) {
		return nil, nil
	}
	count := len(described.Partitions)
	return &count, described.Error
}

func (story *story) Close() error {
	for _, writer := range story.writers {
		if err := writer.Close(); err != nil {
			return err
		}
		writer.Transport.(*kafka.Transport).CloseIdleConnections()
	}
	story.client.Transport.(*kafka.Transport).CloseIdleConnections()
	return nil
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
