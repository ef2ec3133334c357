// IBM/sarama, obeying the line protocol of lines.py.
//
// Its consumers deliver to channels by themselves; a mailbox keeps what arrives until a story asks.

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
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
	// More and quicker than the defaults, which give up on a broker's death before or after a story can tell.
	settings.Metadata.Retry.Max, settings.Metadata.Retry.Backoff = 100, backoff
	settings.Producer.Retry.Max, settings.Producer.Retry.Backoff = 100, backoff
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

func (story *story) OpenReader(order Order) (Reader, error) {
	settings := story.settings()
	if order.CommittedOnly {
		settings.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	consumer, err := sarama.NewConsumer(story.addresses, settings)
	if err != nil {
		return nil, err
	}
	opened := &reader{
		consumer: consumer, topic: order.Topic, partitions: map[int32]sarama.PartitionConsumer{},
	}
	word, number := Where(order.Start)
	start, isWord := map[string]int64{"beginning": sarama.OffsetOldest, "end": sarama.OffsetNewest}[word]
	if !isWord {
		start = number
	}
	for _, partition := range order.PartitionList() {
		if err := opened.read(partition, start); err != nil {
			return nil, err
		}
	}
	return opened, nil
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

type reader struct {
	Mailbox
	consumer   sarama.Consumer
	topic      string
	partitions map[int32]sarama.PartitionConsumer
}

func (reader *reader) read(partition int32, start int64) error {
	opened, err := reader.consumer.ConsumePartition(reader.topic, partition, start)
	if err != nil {
		return err
	}
	reader.partitions[partition] = opened
	go func() {
		for message := range opened.Messages() {
			reader.Put(received(message))
		}
	}()
	return nil
}

// Seek is to close the partition and to open it elsewhere: the library has no other way.
func (reader *reader) Seek(partition int32, offset int64) error {
	if err := reader.partitions[partition].Close(); err != nil {
		return err
	}
	reader.Clear()
	return reader.read(partition, offset)
}

func (reader *reader) Pause(partition int32) error {
	reader.partitions[partition].Pause()
	return nil
}

func (reader *reader) Resume(partition int32) error {
	reader.partitions[partition].Resume()
	return nil
}

func (reader *reader) Close() error {
	for _, opened := range reader.partitions {
		if err := opened.Close(); err != nil {
			return err
		}
	}
	return reader.consumer.Close()
}

func received(message *sarama.ConsumerMessage) Record {
	timestamp, headers := message.Timestamp.UnixMilli(), []Header{}
	for _, header := range message.Headers {
		headers = append(headers, Header{string(header.Key), header.Value})
	}
	return Record{message.Value, message.Key, headers, &message.Partition, &timestamp, &message.Offset}
}

type member struct {
	Mailbox
	group      sarama.ConsumerGroup
	topic      string
	stop       context.CancelFunc
	stopped    chan struct{}
	autoCommit bool
	mutex      sync.Mutex
	session    sarama.ConsumerGroupSession
	owned      map[int32]bool
	read       map[int32]int64
	failures   []error
	rebalances int
}

func (story *story) Join(order Order) (Member, error) {
	strategies := map[string]func() sarama.BalanceStrategy{
		"range":              sarama.NewBalanceStrategyRange,
		"roundrobin":         sarama.NewBalanceStrategyRoundRobin,
		"sticky":             sarama.NewBalanceStrategySticky,
		"cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky,
	}
	settings := story.settings()
	settings.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategies[order.Strategy]()}
	settings.Consumer.Offsets.AutoCommit.Enable = order.AutoCommit
	settings.Consumer.Return.Errors = true
	if order.Instance != nil {
		settings.Consumer.Group.InstanceId = *order.Instance
	}
	group, err := sarama.NewConsumerGroup(story.addresses, order.Group, settings)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	joined := &member{
		group: group, topic: order.Topic, stop: stop, stopped: make(chan struct{}), autoCommit: order.AutoCommit,
		owned: map[int32]bool{}, read: map[int32]int64{},
	}
	go joined.consume(ctx)
	go joined.listen()
	return joined, nil
}

// consume lives through one session after the other, as the library's documentation has it.
func (member *member) consume(ctx context.Context) {
	defer close(member.stopped)
	for ctx.Err() == nil {
		err := member.group.Consume(ctx, []string{member.topic}, member)
		if errors.Is(err, sarama.ErrClosedConsumerGroup) {
			return
		}
		member.failed(err)
	}
}

func (member *member) listen() {
	for err := range member.group.Errors() {
		member.failed(err)
	}
}

// failed keeps what the library complains of: mostly passing, as a lost coordinator is, but a commit is told.
func (member *member) failed(err error) {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	if err != nil {
		member.failures = append(member.failures, err)
	}
}

func (member *member) Setup(session sarama.ConsumerGroupSession) error {
	member.mutex.Lock()
	defer member.mutex.Unlock()
	member.session = session
	member.rebalances++
	return nil
}

func (member *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim owns a partition for as long as it lasts.
func (member *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	partition := claim.Partition()
	member.mutex.Lock()
	member.owned[partition] = true
	member.mutex.Unlock()
	defer func() {
		member.mutex.Lock()
		delete(member.owned, partition)
		member.mutex.Unlock()
	}()
	for message := range claim.Messages() {
		member.mutex.Lock()
		member.read[partition] = message.Offset + 1
		member.mutex.Unlock()
		if member.autoCommit {
			session.MarkMessage(message, "")
		}
		member.Put(received(message))
	}
	return nil
}

func (member *member) Poll(wait time.Duration) (Polled, error) {
	records, err := member.Take(1, wait)
	if err != nil {
		return Polled{}, err
	}
	more, err := member.Take(1_000_000, 0)
	member.mutex.Lock()
	defer member.mutex.Unlock()
	owned := []int32{}
	for partition := range member.owned {
		owned = append(owned, partition)
	}
	slices.Sort(owned)
	return Polled{append(records, more...), owned, member.rebalances}, err
}

// Commit marks and commits. The library returns no error, so a complaint meanwhile is taken for one.
func (member *member) Commit(offsets map[int32]int64) error {
	member.mutex.Lock()
	session := member.session
	if offsets == nil {
		offsets = map[int32]int64{}
		for partition, offset := range member.read {
			offsets[partition] = offset
		}
	}
	member.failures = nil
	member.mutex.Unlock()
	for partition, offset := range offsets {
		session.MarkOffset(member.topic, partition, offset, "")
	}
	session.Commit()
	member.mutex.Lock()
	defer member.mutex.Unlock()
	return errors.Join(member.failures...)
}

func (member *member) Leave() error {
	member.stop()
	<-member.stopped
	return member.group.Close()
}
