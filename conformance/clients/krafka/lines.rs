//! What stands in a line: words, numbers, and records with their bytes in base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use krafka::{ConsumerRecord, Record};
use serde_json::{Value, json};
use std::time::Duration;

pub fn word<'a>(order: &'a Value, name: &str) -> &'a str {
    order[name].as_str().unwrap_or_default()
}

pub fn number(order: &Value, name: &str) -> i64 {
    order[name].as_i64().unwrap_or_default()
}

pub fn partition(order: &Value) -> i32 {
    number(order, "partition") as i32
}

pub fn partitions(order: &Value) -> Vec<i32> {
    let listed = order["partitions"].as_array().into_iter().flatten();
    listed
        .filter_map(|one| one.as_i64())
        .map(|one| one as i32)
        .collect()
}

pub fn duration(order: &Value, name: &str) -> Duration {
    Duration::from_millis(number(order, name) as u64)
}

fn bytes(text: &Value) -> Option<Bytes> {
    text.as_str()
        .map(|text| Bytes::from(STANDARD.decode(text).unwrap_or_default()))
}

fn text(value: &Option<Bytes>) -> Value {
    value
        .as_ref()
        .map_or(Value::Null, |value| json!(STANDARD.encode(value)))
}

pub fn to_send(topic: &str, line: &Value) -> Record {
    let mut record = Record::new(topic, Bytes::new());
    record.value = bytes(&line["value"]);
    record.key = bytes(&line["key"]);
    record.partition = line["partition"].as_i64().map(|one| one as i32);
    record.timestamp = line["timestamp_ms"].as_i64();
    for pair in line["headers"].as_array().into_iter().flatten() {
        let name = pair[0].as_str().unwrap_or_default();
        record = match bytes(&pair[1]) {
            Some(value) => record.header(name, value),
            None => record.null_header(name),
        };
    }
    record
}

pub fn received(record: &ConsumerRecord) -> Value {
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|(name, value)| json!([name, text(value)]))
        .collect();
    json!({
        "value": text(&record.value),
        "key": text(&record.key),
        "headers": headers,
        "partition": record.partition,
        "timestamp_ms": record.timestamp,
        "offset": record.offset,
    })
}
