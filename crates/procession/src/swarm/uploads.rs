//! A simulated host that sends the published JSON uploads over a kept connection.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use procession_model::Timestamp;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::figures::Figures;
use super::post::{Answer, Connection};
use super::target::Target;
use super::{Pace, SimulatedHost};
use crate::moment;

const PATH: &str = "/api/process-snapshots/";

/// Runs until the end of the simulation.
pub(super) async fn host(host: SimulatedHost, pace: Pace, target: Arc<Target>, figures: Arc<Figures>) {
    sleep_until(host.first_due).await;
    if let Err(error) = session(&host, pace, &target, &figures).await {
        figures.trouble(format!("{}: {error:#}", host.name));
    }
}

async fn session(host: &SimulatedHost, pace: Pace, target: &Target, figures: &Figures) -> Result<()> {
    let hostname = serde_json::to_string(&host.name)?;
    let mut connection = Connection::open(target, PATH).await?;
    let mut due = Instant::now();
    let mut last_time = Timestamp::default();
    for tick in 0_usize.. {
        if due >= pace.end {
            break;
        }
        sleep_until(due).await;
        last_time = moment::now().max(last_time.plus_ms(1));
        let begin = format!("{{\"hostname\":{hostname},\"snapshot_time\":\"{}\"", moment::write(last_time));
        figures.sent();
        let sent = connection.post(&begin, host.pattern.upload(tick));
        match timeout_at(pace.last_answers, sent).await.context("the last answer did not come")?? {
            Answer::Taken => figures.acknowledged_since(due),
            Answer::Refused(why) => figures.refused(why),
        }
        due = if pace.interval.is_zero() { Instant::now() } else { due + pace.interval };
    }
    Ok(())
}
