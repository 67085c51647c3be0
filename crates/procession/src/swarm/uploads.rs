//! A simulated host that sends the published JSON uploads over a kept connection.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use procession_model::Timestamp;
use procession_server::upload;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::figures::Figures;
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
    let body = Body::of(host);
    let stream = target.connect().await.with_context(|| format!("cannot connect to {}", target.authority))?;
    let (mut requests, connection) = handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut due = Instant::now();
    let mut last_time = Timestamp::default();
    while due < pace.end {
        sleep_until(due).await;
        last_time = moment::now().max(last_time.plus_ms(1));
        figures.sent();
        let sent = upload(&mut requests, target, body.at(last_time));
        match timeout_at(pace.last_answers, sent).await.context("the last answer did not come")? {
            Ok(()) => figures.acknowledged_since(due),
            Err(error) => {
                figures.refused(format!("{error:#}"));
                if requests.is_closed() {
                    return Err(error);
                }
            }
        }
        due = if pace.interval.is_zero() { Instant::now() } else { due + pace.interval };
    }
    drop(requests);
    driver.await?.context("closing")
}

async fn upload(requests: &mut SendRequest<Full<Bytes>>, target: &Target, body: Bytes) -> Result<()> {
    requests.ready().await?;
    let request = Request::post(PATH)
        .header("host", &target.authority)
        .header("authorization", &target.authorization)
        .header("content-type", "application/json")
        .body(Full::new(body))?;
    let response = requests.send_request(request).await?;
    let status = response.status();
    let answer = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        let answer = String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned();
        bail!("{status}: {answer}");
    }
    Ok(())
}

/// An upload body with a place for the time.
struct Body {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Body {
    /// A time whose text occurs nowhere else in the body.
    const PLACEHOLDER: Timestamp = Timestamp::from_ms(-62_000_000_000_123);

    fn of(host: &SimulatedHost) -> Self {
        let mut snapshot = host.pattern.snapshot().clone();
        snapshot.time = Self::PLACEHOLDER;
        let mut body = Vec::new();
        upload::write(&host.name, &snapshot, &mut body);
        let mark = moment::write(Self::PLACEHOLDER).into_bytes();
        let place = body.windows(mark.len()).position(|window| window == mark);
        let after = place.map(|place| body[place + mark.len()..].to_vec()).unwrap_or_default();
        body.truncate(place.unwrap_or(body.len()));
        Self { before: body, after }
    }

    fn at(&self, time: Timestamp) -> Bytes {
        [&self.before[..], moment::write(time).as_bytes(), &self.after].concat().into()
    }
}
