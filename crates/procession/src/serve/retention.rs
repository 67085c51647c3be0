//! How much history is kept, and the task that lets the rest go while the server runs.

use std::sync::Arc;
use std::time::Duration;

use procession_store::{History, Retention, StoreError};
use tokio::sync::watch;

use crate::failure::Failure;
use crate::moment;

/// Time between two rounds.
const ROUND: Duration = Duration::from_secs(600);
/// Time after the start until the first one: starting comes first.
const FIRST_ROUND: Duration = Duration::from_secs(30);

#[derive(Clone, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// How long every snapshot is kept [default: 14d]
    #[arg(long, env = "PROCESSION_KEEP_RAW", value_name = "TIME", value_parser = moment::duration)]
    keep_raw: Option<Duration>,
    /// How long steps of a minute are kept [default: 90d]
    #[arg(long, env = "PROCESSION_KEEP_MINUTES", value_name = "TIME", value_parser = moment::duration)]
    keep_minutes: Option<Duration>,
    /// How long steps of a quarter of an hour are kept [default: 730d]
    #[arg(long, env = "PROCESSION_KEEP_QUARTERS", value_name = "TIME", value_parser = moment::duration)]
    keep_quarters: Option<Duration>,
    /// How many gigabytes (10^9 bytes) the history may take, the oldest goes first [default: no cap]
    #[arg(long, env = "PROCESSION_KEEP_GIGABYTES", value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    keep_gigabytes: Option<u64>,
}

/// The same in the settings file.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    raw: Option<String>,
    minutes: Option<String>,
    quarters: Option<String>,
    gigabytes: Option<u64>,
}

impl Options {
    /// What flags and file together say.
    pub(super) fn with(&self, settings: &Settings) -> Result<Retention, Failure> {
        let mut retention = Retention::default();
        let given = [self.keep_raw, self.keep_minutes, self.keep_quarters];
        let set = [("raw", &settings.raw), ("minutes", &settings.minutes), ("quarters", &settings.quarters)];
        for (level, (given, (name, set))) in given.into_iter().zip(set).enumerate() {
            let set = set.as_deref().map(moment::duration).transpose();
            let set = set.map_err(|error| Failure::usage(format!("the setting keep.{name}: {error}")))?;
            if let Some(length) = given.or(set) {
                retention.keep_ms[level] = Some(i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
            }
        }
        retention.bytes_max =
            self.keep_gigabytes.or(settings.gigabytes).map(|gigabytes| gigabytes.saturating_mul(1_000_000_000));
        Ok(retention)
    }
}

/// Lets go of what is too old or too much, until `ended` closes.
pub(super) async fn keep_to(history: Arc<impl History>, retention: Retention, mut ended: watch::Receiver<()>) {
    let mut wait = FIRST_ROUND;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = ended.changed() => return,
        }
        wait = ROUND;
        match round(&*history, retention).await {
            Ok(0) => {}
            Ok(bytes) => tracing::info!(bytes, "let go of old history"),
            Err(error) => tracing::error!(%error, "old history stays for now"),
        }
    }
}

/// All that is due, in small pieces so that ingest is not held up. Returns its bytes.
async fn round(history: &impl History, retention: Retention) -> Result<u64, StoreError> {
    let mut bytes = 0;
    loop {
        let retired = history.retire(moment::now(), retention).await?;
        if retired.blocks == 0 {
            return Ok(bytes);
        }
        bytes += retired.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_defaults() {
        let options = Options { keep_raw: Some(Duration::from_secs(60)), ..Options::default() };
        let settings =
            Settings { raw: Some("1d".into()), minutes: Some("2d".into()), gigabytes: Some(5), ..Settings::default() };
        let retention = options.with(&settings).unwrap();
        let quarters = Retention::default().keep_ms[2];
        assert_eq!(retention.keep_ms, [Some(60_000), Some(2 * 86_400_000), quarters]);
        assert_eq!(retention.bytes_max, Some(5_000_000_000));
        assert!(options.with(&Settings { raw: Some("long".into()), ..Settings::default() }).is_err());
    }
}
