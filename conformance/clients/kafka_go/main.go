// segmentio/kafka-go, obeying the line protocol of lines.py: what it produces and administers.
// Its consumers are in consuming.go.

package main

import (
	"context"
	"errors"
	"strings"
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
