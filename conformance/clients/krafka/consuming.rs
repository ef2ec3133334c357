//! A consumer, be it of partitions assigned by hand or a member of a group; and its topic.

use crate::{Answer, Failure, lines};
use krafka::consumer::{Consumer, ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(50);
/// Longer than a rebalance takes: a poll that ends inside one leaves it, and the next one begins anew.
const LONG: Duration = Duration::from_secs(5);

/// How often the member was told of partitions. Shared with the listener that hears of them.
#[derive(Clone, Default)]
pub struct Rebalances(Arc<AtomicU64>);

impl ConsumerRebalanceListener for Rebalances {
    async fn on_partitions_assigned(&self, _partitions: &[TopicPartition]) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    // Nothing to hand over: stories commit when they say so.
    async fn on_partitions_revoked(&self, _partitions: &[TopicPartition]) {}
}

/// What was polled and not yet asked for, or why there will be no more.
#[derive(Default)]
struct Mailbox {
    records: VecDeque<Value>,
    failure: Option<String>,
}

/// A reader polls when it is asked; a member has a task that does nothing else.
pub struct Consuming {
    consumer: Arc<Consumer>,
    topic: String,
    rebalances: Rebalances,
    mailbox: Arc<Mutex<Mailbox>>,
}

impl Consuming {
    pub fn reader(consumer: Consumer, topic: &str) -> Consuming {
        Consuming {
            consumer: Arc::new(consumer),
            topic: topic.to_owned(),
            rebalances: Rebalances::default(),
            mailbox: Arc::default(),
        }
    }

    pub fn member(consumer: Consumer, topic: &str, rebalances: Rebalances) -> Consuming {
        let joined = Consuming {
            rebalances,
            ..Consuming::reader(consumer, topic)
        };
        let (consumer, mailbox) = (joined.consumer.clone(), joined.mailbox.clone());
        tokio::spawn(async move {
            while !consumer.is_closed() && receive(&consumer, &mailbox, LONG).await {}
        });
        joined
    }

    /// So many records, or what there is when the wait is over. A lock is never held across an await.
    pub async fn take(&mut self, order: &Value) -> Answer {
        let count = lines::number(order, "count") as usize;
        let end = Instant::now() + lines::duration(order, "wait_ms");
        while self.delivered()? < count && Instant::now() < end {
            receive(&self.consumer, &self.mailbox, SHORT).await;
        }
        let records = &mut self.mailbox.lock().expect("no holder panics").records;
        let count = count.min(records.len());
        Ok(records.drain(..count).collect())
    }

    pub async fn poll(&mut self, order: &Value) -> Answer {
        let end = Instant::now() + lines::duration(order, "wait_ms");
        while self.delivered()? == 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let records: Value = self
            .mailbox
            .lock()
            .expect("no holder panics")
            .records
            .drain(..)
            .collect();
        let owned = self
            .consumer
            .assignment()
            .await
            .remove(&self.topic)
            .unwrap_or_default();
        let rebalances = self.rebalances.0.load(Ordering::Relaxed);
        Ok(json!({ "records": records, "owned": owned, "rebalances": rebalances }))
    }

    fn delivered(&self) -> Result<usize, Failure> {
        let mailbox = self.mailbox.lock().expect("no holder panics");
        match &mailbox.failure {
            Some(failure) => Err(failure.clone().into()),
            None => Ok(mailbox.records.len()),
        }
    }

    pub async fn seek(&mut self, order: &Value) -> Answer {
        self.mailbox
            .lock()
            .expect("no holder panics")
            .records
            .clear();
        let (partition, offset) = (lines::partition(order), lines::number(order, "offset"));
        self.consumer.seek(&self.topic, partition, offset).await?;
        Ok(Value::Null)
    }

    pub async fn pause(&mut self, order: &Value) -> Answer {
        self.consumer
            .pause(&self.topic, &[lines::partition(order)])
            .await;
        Ok(Value::Null)
    }

    pub async fn resume(&mut self, order: &Value) -> Answer {
        self.consumer
            .resume(&self.topic, &[lines::partition(order)])
            .await;
        Ok(Value::Null)
    }

    pub async fn commit(&mut self, order: &Value) -> Answer {
        let Some(offsets) = order["offsets"].as_object() else {
            self.consumer.commit().await?;
            return Ok(Value::Null);
        };
        let mut chosen = Vec::new();
        for (partition, offset) in offsets {
            let at = TopicPartition::new(&self.topic, partition.parse()?);
            chosen.push((
                at,
                OffsetAndMetadata::new(offset.as_i64().unwrap_or_default()),
            ));
        }
        self.consumer.commit_offsets(chosen).await?;
        Ok(Value::Null)
    }

    pub async fn close(&mut self) -> Answer {
        self.consumer.close().await?;
        Ok(Value::Null)
    }
}

/// Poll once into the mailbox; whether it makes sense to go on.
async fn receive(consumer: &Consumer, mailbox: &Mutex<Mailbox>, wait: Duration) -> bool {
    let polled = consumer.poll(wait).await;
    let mut mailbox = mailbox.lock().expect("no holder panics");
    match polled {
        Ok(records) => mailbox.records.extend(records.iter().map(lines::received)),
        Err(failed) => mailbox.failure = Some(failed.to_string()),
    }
    mailbox.failure.is_none()
}
