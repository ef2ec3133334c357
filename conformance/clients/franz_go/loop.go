// franz-go's consume-transform-produce loop, with the session that it has for that; see looping.py.

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func (story *story) Loop(order Order) (Looped, error) {
	var looped Looped
	session, err := story.session(order)
	if err != nil {
		return looped, err
	}
	defer func() { session.Close() }()
	for last := time.Now(); time.Since(last) < Ms(order.IdleMs); {
		records, err := pollSession(session)
		if err != nil {
			return looped, err
		}
		if len(records) == 0 {
			continue
		}
		last = time.Now()
		committed, err := story.pass(session, order, records)
		switch {
		case err != nil: // fenced, or lost: a new session begins where the group has come to
			looped.Restarted++
			session.Close()
			if session, err = story.session(order); err != nil {
				return looped, err
			}
		case committed:
			looped.Committed++
		default: // the session has gone back by itself
			looped.Aborted++
		}
	}
	return looped, nil
}

func (story *story) session(order Order) (*kgo.GroupTransactSession, error) {
	return kgo.NewGroupTransactSession(append(
		append([]kgo.Opt{}, story.common...),
		kgo.TransactionalID(order.TransactionalID),
		kgo.ConsumerGroup(order.Group),
		kgo.ConsumeTopics(order.Topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.SessionTimeout(Ms(story.timers.SessionTimeoutMs)),
		kgo.HeartbeatInterval(Ms(story.timers.HeartbeatIntervalMs)),
		kgo.FetchMaxWait(Ms(story.timers.FetchMaxWaitMs)),
		kgo.RequireStableFetchOffsets(),
	)...)
}

func pollSession(session *kgo.GroupTransactSession) ([]*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fetches := session.PollRecords(ctx, 1)
	for _, failed := range fetches.Errors() {
		var rejoining *kgo.ErrGroupSession // told, and mended by the library itself
		if !errors.Is(failed.Err, context.DeadlineExceeded) && !errors.As(failed.Err, &rejoining) {
			return nil, failed.Err
		}
	}
	return fetches.Records(), nil
}

func (story *story) pass(session *kgo.GroupTransactSession, order Order, records []*kgo.Record) (bool, error) {
	ctx, cancel := story.context()
	defer cancel()
	if err := session.Begin(); err != nil {
		return false, err
	}
	failed := kgo.AbortingFirstErrPromise(session.Client())
	for _, record := range records {
		key := fmt.Appendf(nil, "%d-%d", record.Partition, record.Offset)
		made := &kgo.Record{Topic: order.To, Partition: record.Partition, Key: key, Value: record.Value}
		session.Produce(ctx, made, failed.Promise())
	}
	return session.End(ctx, failed.Err() == nil)
}
