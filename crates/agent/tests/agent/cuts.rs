//! Real connections that break at every byte, in either direction, and that bring a few bytes at a time.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use procession_agent::{AgentConfig, Key, WebSocket, run_with};
use procession_model::LossKind;
use procession_protocol::{FrameReader, FromServer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use crate::made::{Kept, MadeMachine, config, welcome};

/// How many frames have to come over the broken and the whole connection.
const FRAMES: usize = 4;
const AT_ONCE: usize = 150;

/// A connection that ends after so many bytes.
struct Cut {
    stream: TcpStream,
    read_left: usize,
    write_left: usize,
    /// The most that is read or written at once.
    piece: usize,
}

impl Cut {
    fn whole(stream: TcpStream) -> Self {
        Self { stream, read_left: usize::MAX, write_left: usize::MAX, piece: usize::MAX }
    }
}

fn is_cut() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl AsyncRead for Cut {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = self.read_left.min(self.piece).min(buf.remaining());
        if self.read_left == 0 {
            return Poll::Ready(Err(is_cut()));
        }
        let mut bytes = vec![0; room.min(4_096)];
        let mut piece = ReadBuf::new(&mut bytes);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut piece);
        buf.put_slice(piece.filled());
        self.read_left -= piece.filled().len();
        polled
    }
}

impl AsyncWrite for Cut {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let room = self.write_left.min(self.piece).min(bytes.len());
        if self.write_left == 0 {
            return Poll::Ready(Err(is_cut()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, &bytes[..room]);
        if let Poll::Ready(Ok(length)) = polled {
            self.write_left -= length;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Serves one connection until it breaks or has brought enough.
async fn serve(stream: Cut, kept: &mut Kept) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut server = accept_async(stream).await?;
    let mut frames = FrameReader::default();
    while let Some(message) = server.next().await {
        match message? {
            Message::Text(text) if text.contains("\"hello\"") => {
                let resume = kept.last_sequence > 0;
                server.send(Message::text(welcome(kept.last_sequence, resume).to_json())).await?;
            }
            Message::Binary(bytes) => {
                kept.take(&frames.read(bytes).unwrap());
                if kept.taken.len() >= FRAMES {
                    return Ok(());
                }
                let message = FromServer::Acknowledged { sequence: kept.last_sequence };
                server.send(Message::text(message.to_json())).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// An agent whose first connection is this one and whose next ones are whole. Returns how many connections it took.
async fn watch(first: impl FnOnce(TcpStream) -> Cut) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let connect = WebSocket::new(address, Key::parse("secret.key").unwrap(), None);
    let config = AgentConfig { interval: Duration::from_millis(50), ..config() };
    let agent = tokio::spawn(run_with(Box::new(MadeMachine::default()), config, connect, pending()));
    let mut kept = Kept::default();
    let mut connections = 1;
    let mut stream = first(listener.accept().await.unwrap().0);
    while serve(stream, &mut kept).await.is_err() || kept.taken.len() < FRAMES {
        connections += 1;
        stream = Cut::whole(listener.accept().await.unwrap().0);
    }
    agent.abort();
    let numbers: Vec<_> = kept.taken.iter().map(|(sequence, number)| (*sequence, *number)).collect();
    let all: Vec<_> = (1..=u32::try_from(FRAMES).unwrap()).map(|number| (u64::from(number), number)).collect();
    assert_eq!(numbers, all, "each once, in order");
    // Made time runs faster than ours, which looks like sleep.
    assert!(kept.losses.iter().all(|loss| loss.kind == LossKind::Missed), "{:?}", kept.losses);
    connections
}

/// Runs one agent for every offset, many at a time, until one does not notice that its connection was to be cut.
async fn cut_everywhere(cut: fn(TcpStream, usize) -> Cut) -> usize {
    let mut offset = 0;
    loop {
        let agents: Vec<_> =
            (offset..offset + AT_ONCE).map(|at| tokio::spawn(watch(move |stream| cut(stream, at)))).collect();
        offset += AT_ONCE;
        let mut uncut = false;
        for agent in agents {
            uncut |= agent.await.unwrap() == 1;
        }
        if uncut {
            return offset;
        }
    }
}

/// Rows 7 and 15, on the wire.
#[tokio::test]
async fn a_connection_cut_at_every_byte_loses_and_doubles_nothing() {
    let from_agent = cut_everywhere(|stream, at| Cut { read_left: at, ..Cut::whole(stream) }).await;
    assert!(from_agent > 600, "the greeting alone is longer: {from_agent}");
    cut_everywhere(|stream, at| Cut { write_left: at, ..Cut::whole(stream) }).await;
}

#[tokio::test]
async fn pieces_are_as_good_as_whole_messages() {
    // Servers take a greeting of single bytes for an attack.
    assert_eq!(watch(|stream| Cut { piece: 7, ..Cut::whole(stream) }).await, 1);
}
