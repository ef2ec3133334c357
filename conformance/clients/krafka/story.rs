//! One story's clients, by name, and what each verb means to them.

use crate::consuming::{Consuming, Rebalances};
use crate::{Answer, Failure, lines};
use krafka::admin::{
    AdminClient, CreatePartitionsOptions, CreateTopicsOptions, DeleteTopicsOptions,
    DescribeTopicsOptions, ListOffsetsOptions, NewTopic, OffsetSpec,
};
use krafka::consumer::{
    AutoOffsetReset, ConsumerBuilder, IsolationLevel, PartitionAssignmentStrategy, TopicPartition,
};
use krafka::error::ErrorCode;
use krafka::producer::{Acks, Producer, ProducerBuilder};
use krafka::{Compression, Kafka, KrafkaError};
use serde_json::{Value, json};
use std::collections::HashMap;

pub fn lacks() -> HashMap<&'static str, &'static str> {
    HashMap::from([
        ("STICKY", "krafka's sticky assignor is the cooperative one"),
        (
            "RESET",
            "krafka delivers nothing after a seek to an offset that is out of range",
        ),
        (
            "READING_ON",
            "krafka goes on fetching from a leader that is dead and never asks who leads now",
        ),
    ])
}

pub struct Story {
    bootstrap: String,
    kafka: Kafka,
    admin: AdminClient,
    timers: Value,
    producers: HashMap<String, Producer>,
    consumers: HashMap<String, Consuming>,
}

impl Story {
    pub async fn open(order: &Value) -> Result<Story, Failure> {
        let timers = order["timers"].clone();
        let bootstrap = lines::word(order, "bootstrap").to_owned();
        let kafka = connect(&bootstrap, &timers).await?;
        let admin = kafka
            .admin()
            .retry_backoff(lines::duration(&timers, "retry_backoff_ms"));
        let (producers, consumers) = (HashMap::new(), HashMap::new());
        Ok(Story {
            bootstrap,
            kafka,
            admin,
            timers,
            producers,
            consumers,
        })
    }

    pub async fn obey(&mut self, order: &Value) -> Answer {
        match lines::word(order, "do") {
            "produce" => self.produce(order).await,
            "transact" => self.transact(order).await,
            "open_reader" => self.open_reader(order).await,
            "take" => self.consuming(order, "reader")?.take(order).await,
            "seek" => self.consuming(order, "reader")?.seek(order).await,
            "pause" => self.consuming(order, "reader")?.pause(order).await,
            "resume" => self.consuming(order, "reader")?.resume(order).await,
            "offset_at" => self.offset_at(order).await,
            "join" => self.join(order).await,
            "poll" => self.consuming(order, "member")?.poll(order).await,
            "commit" => self.consuming(order, "member")?.commit(order).await,
            "close_reader" => self.close_consumer(lines::word(order, "reader")).await,
            "leave" => self.close_consumer(lines::word(order, "member")).await,
            "close" => self.close().await,
            verb => self.administer(verb, order).await,
        }
    }

    fn consuming(&mut self, order: &Value, role: &str) -> Result<&mut Consuming, Failure> {
        let name = lines::word(order, role);
        Ok(self
            .consumers
            .get_mut(name)
            .ok_or_else(|| format!("no {role} {name}"))?)
    }

    fn producer(&self) -> ProducerBuilder {
        self.kafka
            .producer()
            .retry_backoff(lines::duration(&self.timers, "retry_backoff_ms"))
    }

    async fn produce(&mut self, order: &Value) -> Answer {
        let (acks, codec) = (lines::word(order, "acks"), lines::word(order, "codec"));
        let idempotent = order["idempotent"] == true;
        let manner = format!("{acks} {codec} {idempotent}");
        if !self.producers.contains_key(&manner) {
            let built = self
                .producer()
                .acks(acks_of(acks))
                .compression(codec_of(codec));
            self.producers
                .insert(manner.clone(), built.idempotent(idempotent).build().await?);
        }
        let producer = &self.producers[&manner];
        let mut sent = Vec::new();
        for line in order["records"].as_array().into_iter().flatten() {
            sent.push(
                producer
                    .enqueue(lines::to_send(lines::word(order, "topic"), line))
                    .await?,
            );
        }
        let mut offsets = Vec::new();
        for one in sent {
            offsets.push(one.await?.offset);
        }
        Ok(if acks == "0" {
            Value::Null
        } else {
            json!(offsets)
        })
    }

    async fn transact(&mut self, order: &Value) -> Answer {
        let name = lines::word(order, "transactional_id");
        let producer = self.producer().build_transactional(name).await?;
        producer.begin()?;
        for line in order["records"].as_array().into_iter().flatten() {
            let record = lines::to_send(lines::word(order, "topic"), line);
            let _offset = producer.send(record).await?;
        }
        if order["commit"] == true {
            producer.commit().await?;
        } else {
            producer.abort().await?;
        }
        producer.close().await?;
        Ok(Value::Null)
    }

    fn consumer(&self, builder: ConsumerBuilder) -> ConsumerBuilder {
        builder
            .auto_offset_reset(AutoOffsetReset::Earliest)
            .fetch_max_wait(lines::duration(&self.timers, "fetch_max_wait_ms"))
    }

    async fn open_reader(&mut self, order: &Value) -> Answer {
        let isolation = match order["committed_only"] == true {
            true => IsolationLevel::ReadCommitted,
            false => IsolationLevel::ReadUncommitted,
        };
        let built = self
            .consumer(self.kafka.consumer_without_group())
            .isolation_level(isolation);
        let consumer = built.enable_auto_commit(false).build().await?;
        let (topic, partitions) = (lines::word(order, "topic"), lines::partitions(order));
        consumer.assign(topic, partitions.clone()).await?;
        for partition in partitions {
            match order["start"].as_i64() {
                Some(offset) => consumer.seek(topic, partition, offset).await?,
                // Asked for now: the library would find the end at the first poll, which may be too late.
                None => {
                    let end = lines::word(order, "start") == "end";
                    let spec = if end {
                        OffsetSpec::Latest
                    } else {
                        OffsetSpec::Earliest
                    };
                    let offset = self
                        .listed(topic, partition, spec)
                        .await?
                        .unwrap_or_default();
                    consumer.seek(topic, partition, offset).await?;
                }
            }
        }
        let opened = Consuming::reader(consumer, topic);
        self.consumers
            .insert(lines::word(order, "reader").to_owned(), opened);
        Ok(Value::Null)
    }

    async fn offset_at(&self, order: &Value) -> Answer {
        let (topic, partition) = (lines::word(order, "topic"), lines::partition(order));
        let spec = match lines::word(order, "moment") {
            "earliest" => OffsetSpec::Earliest,
            "latest" => OffsetSpec::Latest,
            _ => {
                return self
                    .offset_by_time(topic, partition, lines::number(order, "moment"))
                    .await;
            }
        };
        Ok(json!(self.listed(topic, partition, spec).await?))
    }

    /// Through a consumer: the admin client asks on and on where nothing is that young.
    async fn offset_by_time(&self, topic: &str, partition: i32, moment: i64) -> Answer {
        let consumer = self.kafka.consumer_without_group().build().await?;
        let mut found = consumer
            .offsets_for_times(&[(topic, partition)], moment)
            .await;
        let offset = found
            .remove(&(topic.to_owned(), partition))
            .ok_or("not answered")??;
        consumer.close().await?;
        Ok(json!((offset >= 0).then_some(offset)))
    }

    async fn listed(
        &self,
        topic: &str,
        partition: i32,
        spec: OffsetSpec,
    ) -> Result<Option<i64>, Failure> {
        let at = TopicPartition::new(topic, partition);
        let asked = [(at.clone(), spec)];
        let mut listed = self
            .admin
            .list_offsets(asked, ListOffsetsOptions::default())
            .await?;
        let offset = listed.remove(&at).ok_or("not answered")??.offset;
        Ok((offset >= 0).then_some(offset))
    }

    async fn join(&mut self, order: &Value) -> Answer {
        let strategy = match lines::word(order, "strategy") {
            "range" => PartitionAssignmentStrategy::Range,
            "roundrobin" => PartitionAssignmentStrategy::RoundRobin,
            _ => PartitionAssignmentStrategy::CooperativeSticky,
        };
        let rebalances = Rebalances::default();
        // Connections of its own: members that share them wait behind each other's JoinGroup.
        let kafka = connect(&self.bootstrap, &self.timers).await?;
        let mut built = self
            .consumer(kafka.consumer(lines::word(order, "group")))
            .session_timeout(lines::duration(&self.timers, "session_timeout_ms"))
            .heartbeat_interval(lines::duration(&self.timers, "heartbeat_interval_ms"))
            .enable_auto_commit(order["auto_commit"] == true)
            .partition_assignment_strategy(strategy)
            .rebalance_listener(rebalances.clone());
        if let Some(instance) = order["instance"].as_str() {
            built = built.group_instance_id(instance);
        }
        let consumer = built.build().await?;
        let topic = lines::word(order, "topic");
        consumer.subscribe([topic]).await?;
        let joined = Consuming::member(consumer, topic, rebalances);
        self.consumers
            .insert(lines::word(order, "member").to_owned(), joined);
        Ok(Value::Null)
    }

    async fn close_consumer(&mut self, name: &str) -> Answer {
        match self.consumers.remove(name) {
            Some(mut consuming) => consuming.close().await,
            None => Ok(Value::Null),
        }
    }

    async fn administer(&self, verb: &str, order: &Value) -> Answer {
        let topic = lines::word(order, "topic");
        let count = lines::number(order, "partitions") as i32;
        let mut done = match verb {
            "create_topic" => {
                let wanted = [NewTopic::new(topic, count, 1)?];
                self.admin
                    .create_topics(wanted, CreateTopicsOptions::default())
                    .await?
            }
            "add_partitions" => {
                let total = [(topic, count)];
                self.admin
                    .create_partitions(total, CreatePartitionsOptions::default())
                    .await?
            }
            "delete_topic" => {
                self.admin
                    .delete_topics([topic], DeleteTopicsOptions::default())
                    .await?
            }
            "partition_count" => return self.partition_count(topic).await,
            _ => return Err(format!("no verb {verb}").into()),
        };
        done.remove(topic).ok_or("not answered")??;
        Ok(Value::Null)
    }

    async fn partition_count(&self, topic: &str) -> Answer {
        let mut described = self
            .admin
            .describe_topics([topic], DescribeTopicsOptions::default())
            .await?;
        match described.remove(topic).ok_or("not answered")? {
            Ok(found) => Ok(json!(found.partitions.len())),
            Err(KrafkaError::Broker {
                code: ErrorCode::UnknownTopicOrPartition,
                ..
            }) => Ok(Value::Null),
            Err(failed) => Err(failed.into()),
        }
    }

    async fn close(&mut self) -> Answer {
        for (_, mut consuming) in self.consumers.drain() {
            consuming.close().await?;
        }
        for (_, producer) in self.producers.drain() {
            producer.close().await?;
        }
        self.admin.close().await?;
        Ok(Value::Null)
    }
}

async fn connect(bootstrap: &str, timers: &Value) -> Result<Kafka, Failure> {
    Ok(Kafka::builder(bootstrap)
        .request_timeout(lines::duration(timers, "request_timeout_ms"))
        .allow_auto_create_topics(false)
        .connect()
        .await?)
}

fn acks_of(word: &str) -> Acks {
    match word {
        "0" => Acks::None,
        "1" => Acks::Leader,
        _ => Acks::All,
    }
}

fn codec_of(word: &str) -> Compression {
    match word {
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => Compression::None,
    }
}
