//! Asks for a change of members and watches it being carried out.

use crate::exit::{Failure, say};
use crate::reach::{Reach, failure, wait};
use fen_api::{Client, ClientFault};
use serde_json::json;
use std::io::IsTerminal as _;
use std::time::Duration;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Asks for a change, tells what is under way as it changes, and returns when nothing is left.
pub(super) fn carry_out(
    reach: &Reach,
    detach: bool,
    json: bool,
    done: &str,
    change: impl AsyncFnOnce(&Client) -> Result<(), ClientFault>,
) -> Result<(), Failure> {
    wait(async {
        let client = reach.client()?;
        change(&client).await.map_err(failure)?;
        if detach {
            return say(&if json {
                format!("{}\n", json!({"kept": true, "done": false}))
            } else {
                "kept; the cluster carries it out: fen cluster status\n".to_owned()
            });
        }
        watch(&client, json).await?;
        say(&if json { format!("{}\n", json!({"kept": true, "done": true})) } else { format!("{done}\n") })
    })
}

async fn watch(client: &Client, json: bool) -> Result<(), Failure> {
    let shows = !json && std::io::stderr().is_terminal();
    let mut shown: Vec<String> = Vec::new();
    loop {
        let steps = client.plan().await.map_err(failure)?;
        if steps.is_empty() {
            return Ok(());
        }
        if shows && steps != shown {
            for step in &steps {
                eprintln!("  {step}");
            }
        }
        shown = steps;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
