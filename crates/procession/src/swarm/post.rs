//! A kept connection that posts and reads short answers: a tenth of what a whole HTTP client costs, which a machine that also
//! runs the server under measurement has to pay.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf, Bytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::target::Target;

/// The longest answer that is read: the server tells at most a hundred problems of an upload.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How much of a refusal is told.
const TOLD_BYTES_MAX: usize = 300;

/// A kept connection.
pub(super) struct Connection {
    stream: TcpStream,
    /// The request up to the length of its body.
    head: Vec<u8>,
    /// What has come of the answer.
    answer: Vec<u8>,
}

/// How a server answered.
pub(super) enum Answer {
    /// With a status of 2xx.
    Taken,
    /// With another one.
    Refused(String),
}

impl Connection {
    /// Connects, to post JSON to `path`.
    pub(super) async fn open(target: &Target, path: &str) -> Result<Self> {
        let stream = target.connect().await.with_context(|| format!("cannot connect to {}", target.authority))?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: ",
            target.authority, target.authorization
        );
        Ok(Self { stream, head: head.into_bytes(), answer: Vec::new() })
    }

    /// Posts a body that is in two parts, of which the second may be shared, and waits for the answer.
    pub(super) async fn post(&mut self, begin: &str, rest: Bytes) -> Result<Answer> {
        let length = format!("{}\r\n\r\n", begin.len() + rest.len());
        let head = [&self.head[..], length.as_bytes(), begin.as_bytes()].concat();
        self.stream.write_all_buf(&mut Buf::chain(&head[..], rest)).await?;
        self.answer.clear();
        let body_at = loop {
            self.read_more().await?;
            if let Some(end) = self.answer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = std::str::from_utf8(&self.answer[..body_at]).context("the head of an answer")?;
        let status: u16 = head.get(9..12).and_then(|status| status.parse().ok()).context("an answer with a status")?;
        let end = body_at + content_length(head).context("an answer that tells its length")?;
        while self.answer.len() < end {
            self.read_more().await?;
        }
        if (200..300).contains(&status) {
            return Ok(Answer::Taken);
        }
        let body = String::from_utf8_lossy(&self.answer[body_at..end.min(body_at + TOLD_BYTES_MAX)]);
        Ok(Answer::Refused(format!("{status}: {body}")))
    }

    async fn read_more(&mut self) -> Result<()> {
        ensure!(self.answer.len() < ANSWER_BYTES_MAX, "an answer of more than {ANSWER_BYTES_MAX} bytes");
        if self.stream.read_buf(&mut self.answer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

fn content_length(head: &str) -> Option<usize> {
    let (_, length) = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    length.trim().parse().ok()
}
