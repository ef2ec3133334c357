//! A consumer, be it of partitions assigned by hand or a member of a group; and its topic.

use crate::{Answer, Failure, lines};
use krafka::consumer::{Consumer, ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(50);

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

pub struct Consuming {
    pub consumer: Consumer,
    pub topic: String,
    pub rebalances: Rebalances,
    /// One poll may give more than is asked for; the surplus is for the next asking.
    pub surplus: VecDeque<Value>,
}

impl Consuming {
    pub async fn take(&mut self, order: &Value) -> Answer {
        let count = lines::number(order, "count") as usize;
        let end = Instant::now() + lines::duration(order, "wait_ms");
        while self.surplus.len() < count && Instant::now() < end {
            self.receive(SHORT).await?;
        }
        let count = count.min(self.surplus.len());
        Ok(self.surplus.drain(..count).collect())
    }

    pub async fn poll(&mut self, order: &Value) -> Answer {
        self.receive(lines::duration(order, "wait_ms")).await?;
        let records: Value = self.surplus.drain(..).collect();
        let owned = self
            .consumer
            .assignment()
            .await
            .remove(&self.topic)
            .unwrap_or_default();
        let rebalances = self.rebalances.0.load(Ordering::Relaxed);
        Ok(json!({ "records": records, "owned": owned, "rebalances": rebalances }))
    }

    async fn receive(&mut self, wait: Duration) -> Result<(), Failure> {
        let records = self.consumer.poll(wait).await?;
        self.surplus.extend(records.iter().map(lines::received));
        Ok(())
    }

    pub async fn seek(&mut self, order: &Value) -> Answer {
        self.surplus.clear();
        let (partition, offset) = (lines::partition(order), lines::number(order, "offset"));
        self.consumer.seek(&self.topic, partition, offset).await?;
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
}
