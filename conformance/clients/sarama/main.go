// IBM/sarama, obeying the line protocol of lines.py: what it produces and administers.
// Its consumers are in consuming.go.

package main

import (
	"errors"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

func main() { Serve(open) }

type story struct {
	timers    Timers
	addresses []string
	client    sarama.Client
	admin     sarama.ClusterAdmin
	producers map[string]sarama.SyncProducer
}

func open(order Order) (Story, error) {
	opened := &story{timers: order.Timers, producers: map[string]sarama.SyncProducer{}}
	opened.addresses = strings.Split(order.Bootstrap, ",")
	var err error
	if opened.client, err = sarama.NewClient(opened.addresses, opened.settings()); err != nil {
		return nil, err
	}
	opened.admin, err = sarama.NewClusterAdminFromClient(opened.client)
	return opened, err
}

func (story *story) Lacks() map[string]string {
	return map[string]string{
		"RESET": "sarama tells the application of an offset that is out of range, and resets nothing",
	}
}

func (story *story) settings() *sarama.Config {
	timers, settings := story.timers, sarama.NewConfig()
	backoff := Ms(timers.RetryBackoffMs)
	settings.Version = sarama.MaxVersion
	settings.Net.ReadTimeout = Ms(timers.RequestTimeoutMs)
	// Quicker than the defaults, and until the story's deadline: they give up before a successor is elected.
	retries := int(timers.DeadlineMs / timers.RetryBackoffMs)
	settings.Metadata.Retry.Max, settings.Metadata.Retry.Backoff = retries, backoff
	settings.Producer.Retry.Max, settings.Producer.Retry.Backoff = retries, backoff
	settings.Consumer.Retry.Backoff = backoff
	settings.Consumer.Group.Rebalance.Retry.Max = 100
	settings.Consumer.Group.Rebalance.Retry.Backoff = backoff
	settings.Consumer.MaxWaitTime = Ms(timers.FetchMaxWaitMs)
	settings.Consumer.Group.Session.Timeout = Ms(timers.SessionTimeoutMs)
	settings.Consumer.Group.Heartbeat.Interval = Ms(timers.HeartbeatIntervalMs)
	settings.Consumer.Offsets.Initial = sarama.OffsetOldest
	settings.Producer.Return.Successes = true
	settings.Producer.Partitioner = newPartitioner
	return settings
}

// partitioner takes the partition that the record names, or else what the library would have chosen.
type partitioner struct{ byKey sarama.Partitioner }

func newPartitioner(topic string) sarama.Partitioner {
	return &partitioner{sarama.NewHashPartitioner(topic)}
}

func (*partitioner) RequiresConsistency() bool { return true }

func (chooser *partitioner) Partition(message *sarama.ProducerMessage, count int32) (int32, error) {
	if message.Partition >= 0 {
		return message.Partition, nil
	}
	return chooser.byKey.Partition(message, count)
}

func (story *story) Produce(order Order) ([]int64, error) {
	manner := order.Acks + order.Codec
	if order.Idempotent {
		manner += "idempotent"
	}
	producer, kept := story.producers[manner]
	if !kept {
		var err error
		if producer, err = sarama.NewSyncProducer(story.addresses, story.producing(order)); err != nil {
			return nil, err
		}
		story.producers[manner] = producer
	}
	offsets, err := send(producer, order)
	if order.Acks == "0" {
		offsets = nil
	}
	return offsets, err
}

func (story *story) producing(order Order) *sarama.Config {
	settings := story.settings()
	settings.Producer.RequiredAcks = map[string]sarama.RequiredAcks{
		"0": sarama.NoResponse, "1": sarama.WaitForLocal, "all": sarama.WaitForAll,
	}[order.Acks]
	settings.Producer.Compression = map[string]sarama.CompressionCodec{
		"none":   sarama.CompressionNone,
		"gzip":   sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy,
		"lz4":    sarama.CompressionLZ4,
		"zstd":   sarama.CompressionZSTD,
	}[order.Codec]
	if order.Idempotent {
		settings.Producer.Idempotent = true
		settings.Net.MaxOpenRequests = 1
	}
	return settings
}

func send(producer sarama.SyncProducer, order Order) ([]int64, error) {
	var messages []*sarama.ProducerMessage
	for _, record := range order.Records {
		message := &sarama.ProducerMessage{Topic: order.Topic, Partition: -1}
		// An encoder that holds nil is not the same as no encoder: only this one is null.
		if record.Key != nil {
			message.Key = sarama.ByteEncoder(record.Key)
		}
		if record.Value != nil {
			message.Value = sarama.ByteEncoder(record.Value)
		}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers,
				sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
		}
		if record.Partition != nil {
			message.Partition = *record.Partition
		}
		if record.TimestampMs != nil {
			message.Timestamp = time.UnixMilli(*record.TimestampMs)
		}
		messages = append(messages, message)
	}
	if err := producer.SendMessages(messages); err != nil {
		var failed sarama.ProducerErrors
		if errors.As(err, &failed) {
			return nil, failed[0]
		}
		return nil, err
	}
	var offsets []int64
	for _, message := range messages {
		offsets = append(offsets, message.Offset)
	}
	return offsets, nil
}

func (story *story) Transact(order Order) error {
	order.Acks, order.Codec, order.Idempotent = "all", "none", true
	settings := story.producing(order)
	settings.Producer.Transaction.ID = order.TransactionalID
	producer, err := sarama.NewSyncProducer(story.addresses, settings)
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := producer.BeginTxn(); err != nil {
		return err
	}
	if _, err := send(producer, order); err != nil {
		return err
	}
	if order.Commit {
		return producer.CommitTxn()
	}
	return producer.AbortTxn()
}

func (story *story) OffsetAt(order Order) (*int64, error) {
	word, number := Where(order.Moment)
	moment, isWord := map[string]int64{"earliest": sarama.OffsetOldest, "latest": sarama.OffsetNewest}[word]
	if !isWord {
		moment = number
	}
	offset, err := story.client.GetOffset(order.Topic, order.Partition, moment)
	if err != nil || offset < 0 {
		return nil, err
	}
	return &offset, nil
}

func (story *story) CreateTopic(order Order) error {
	wanted := &sarama.TopicDetail{NumPartitions: order.PartitionTotal(), ReplicationFactor: 1}
	return story.admin.CreateTopic(order.Topic, wanted, false)
}

func (story *story) AddPartitions(order Order) error {
	return story.admin.CreatePartitions(order.Topic, order.PartitionTotal(), nil, false)
}

func (story *story) DeleteTopic(order Order) error { return story.admin.DeleteTopic(order.Topic) }

func (story *story) PartitionCount(order Order) (*int, error) {
	described, err := story.admin.DescribeTopics([]string{order.Topic})
	if err != nil {
		return nil, err
	}
	switch described[0].Err {
	case sarama.ErrNoError:
		count := len(described[0].Partitions)
		return &count, nil
	case sarama.ErrUnknownTopicOrPartition:
		return nil, nil
	}
	return nil, described[0].Err
}

func (story *story) Close() error {
	for _, producer := range story.producers {
		if err := producer.Close(); err != nil {
			return err
		}
	}
	return story.admin.Close() // and with it the client
}
