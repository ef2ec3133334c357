// sarama's consumers deliver to channels by themselves; a mailbox keeps what arrives until a story asks.

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

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

// Leave says goodbye. It is said to the coordinator that the library knows, and if that one is dead it tells
// so, after it has closed everything: the member is as gone as it can be, and its session will end.
func (member *member) Leave() error {
	member.stop()
	<-member.stopped
	err := member.group.Close()
	var unreachable *net.OpError
	if errors.As(err, &unreachable) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
