// franz-go, obeying the line protocol of lines.py: what it produces and administers.
// Its consumers are in consuming.go.

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
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
