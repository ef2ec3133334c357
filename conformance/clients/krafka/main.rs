//! krafka, obeying the line protocol of lines.py: reads an order, has the story obey it, prints the answer.

mod consuming;
mod lines;
mod story;

use serde_json::{Value, json};
use std::io::{BufRead, Write};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Answer = Result<Value, Failure>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let mut told = None;
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line?)?;
        let answer = match obey(&mut told, &order).await {
            Ok(result) => json!({ "ok": result }),
            Err(failed) => json!({ "error": failed.to_string() }),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

async fn obey(told: &mut Option<story::Story>, order: &Value) -> Answer {
    if lines::word(order, "do") == "open" {
        *told = Some(story::Story::open(order).await?);
        return Ok(json!(story::lacks()));
    }
    told.as_mut().ok_or("`open` comes first")?.obey(order).await
}
