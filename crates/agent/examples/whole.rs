//! What the whole agent costs while it watches and sends: CPU time, memory, bytes on the wire.
//!
//! `cargo run --release -p procession-agent --example whole -- AGENT [PROCESSES] [SECONDS] [INTERVAL] [COLLECTOR] [LIVES]`
//! starts so many processes that the machine has that many. As on an ordinary server most of them wait; one in fifteen
//! works some milliseconds every second; and some start a program now and then that ends at once, LIVES of them in five
//! seconds: 5 is a server with timers and health checks, 38 one that scripts keep busy. Then it starts the agent program AGENT, sends its frames to a server within this bench that does nothing but acknowledge, and prints one JSON
//! object. CPU time is what the kernel counted for the agent's threads; bytes are those of the connection without TLS,
//! which adds 22 to every message.
#![cfg_attr(target_os = "linux", expect(clippy::print_stdout, reason = "its output is what it is for"))]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    Err("this bench reads the proc file system of Linux".into())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::fs;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use futures_util::{SinkExt as _, StreamExt as _};
    use procession_codec::Frame;
    use procession_codec::frame::{decode, encode};
    use procession_protocol::{FrameReader, FromServer, VERSION, Welcome};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;

    /// Ticks that are not measured: the first frame, the second look at everything, and those in which the agent finds out
    /// who rests.
    const WARM_UP_TICKS: usize = 8;
    /// One process in this many works a little every second.
    const IDLE_FOR_ONE_BUSY: usize = 15;
    /// So often one that starts others does.
    const FORKING_PERIOD: Duration = Duration::from_secs(2);
    /// Lives are counted by this.
    const LIVES_PERIOD: Duration = Duration::from_secs(5);
    /// Bytes of a message before its payload, from a client: two of header, four of mask.
    const MESSAGE_HEADER_BYTES: usize = 6;
    /// With a longer payload two more tell its length.
    const SHORT_PAYLOAD_BYTES: usize = 125;

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let mut arguments = std::env::args().skip(1);
        let agent = arguments.next().ok_or("the first argument is the agent's program")?;
        if agent == "busy" || agent == "forking" {
            be_one_of_the_population(agent == "busy");
        }
        let processes: usize = arguments.next().as_deref().unwrap_or("300").parse()?;
        let seconds: u64 = arguments.next().as_deref().unwrap_or("60").parse()?;
        let interval = arguments.next().unwrap_or_else(|| "5s".to_owned());
        let collector = arguments.next().unwrap_or_else(|| "auto".to_owned());
        let lives: u32 = arguments.next().as_deref().unwrap_or("5").parse()?;
        let forking = usize::try_from(FORKING_PERIOD.as_millis() * u128::from(lives) / LIVES_PERIOD.as_millis())?;
        let population = Population::new(processes.saturating_sub(count_processes()?), forking)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let measured = runtime.block_on(measure(&agent, [&interval, &collector], Duration::from_secs(seconds)))?;
        println!("{}", measured.to_json(fs::metadata(&agent)?.len())?);
        drop(population);
        Ok(())
    }

    /// Works for some milliseconds every second, or starts a program every two.
    fn be_one_of_the_population(busy: bool) -> ! {
        loop {
            if busy {
                let until = Instant::now() + Duration::from_millis(u64::from(std::process::id() % 8) + 1);
                while Instant::now() < until {
                    std::hint::black_box(0);
                }
                std::thread::sleep(Duration::from_secs(1));
            } else {
                drop(Command::new("true").status());
                std::thread::sleep(FORKING_PERIOD);
            }
        }
    }

    #[derive(Default)]
    struct Measured {
        ticks: usize,
        collector: String,
        message_bytes: Vec<usize>,
        /// Before they were packed.
        frame_bytes: usize,
        /// In all frames: lives between two snapshots, what they take, and changed values.
        brief: usize,
        brief_bytes: usize,
        changes: usize,
        cpu_ns: u64,
        elapsed: Duration,
        memory_kib: u64,
        processes: usize,
    }

    impl Measured {
        fn look_into(&mut self, Taken { message_bytes, frame }: &Taken) -> Result<(), Box<dyn Error>> {
            self.message_bytes.push(*message_bytes);
            self.frame_bytes += frame.len();
            let mut frame = decode(frame)?;
            self.brief += frame.brief.len();
            self.changes += frame.changes.iter().map(|changes| changes.slots.len()).sum::<usize>();
            let length = |frame: &Frame| {
                let mut bytes = Vec::new();
                encode(frame, &mut bytes);
                bytes.len()
            };
            let with = length(&frame);
            frame.brief.clear();
            self.brief_bytes += with - length(&frame);
            Ok(())
        }

        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        fn to_json(&self, binary_bytes: u64) -> Result<serde_json::Value, Box<dyn Error>> {
            let mut sorted = self.message_bytes.clone();
            sorted.sort_unstable();
            let median = sorted.get(sorted.len() / 2).ok_or("the agent sent nothing")?;
            let mean = sorted.iter().sum::<usize>() / sorted.len();
            let percent = self.cpu_ns as f64 / self.elapsed.as_nanos() as f64 * 100.0;
            Ok(serde_json::json!({
                "processes": self.processes,
                "collector": self.collector,
                "ticks": self.ticks,
                "percent_of_a_core": (percent * 1e4).round() / 1e4,
                "cpu_us_per_tick": self.cpu_ns / 1_000 / self.ticks as u64,
                "resident_MiB": (self.memory_kib as f64 / 10.24).round() / 100.0,
                "median_bytes_per_tick": median,
                "mean_bytes_per_tick": mean,
                "longest_bytes_per_tick": sorted.last(),
                "mean_frame_bytes": self.frame_bytes / self.ticks,
                "of_these_for_short_lives": self.brief_bytes / self.ticks,
                "short_lives_per_tick": self.brief / self.ticks,
                "changes_per_tick": self.changes / self.ticks,
                "program_MB": (binary_bytes as f64 / 1e4).round() / 100.0,
            }))
        }
    }

    async fn measure(
        agent: &str,
        [interval, collector]: [&str; 2],
        time: Duration,
    ) -> Result<Measured, Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let spool = tempfile::tempdir()?;
        let agent = Ended(
            Command::new(agent)
                .args(["--server", &format!("http://{}", listener.local_addr()?), "--key", "bench.key"])
                .args(["--interval", interval, "--collector", collector, "--spool"])
                .arg(spool.path())
                .current_dir(spool.path())
                .stderr(Stdio::null())
                .spawn()?,
        );
        let pid = agent.0.id();
        let (stream, _) = listener.accept().await?;
        let mut server = tokio_tungstenite::accept_async(stream).await?;
        server.next().await.ok_or("no greeting")??;
        server.send(Message::text(FromServer::Welcome(welcome()).to_json())).await?;
        let mut reader = FrameReader::default();
        for _ in 0..WARM_UP_TICKS {
            take_frame(&mut server, &mut reader).await?;
        }
        let (began, cpu_before) = (Instant::now(), cpu_ns(pid)?);
        let mut frames = Vec::new();
        while began.elapsed() < time {
            frames.push(take_frame(&mut server, &mut reader).await?);
        }
        // The acknowledgement of the last frame belongs to it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut measured = Measured {
            ticks: frames.len(),
            cpu_ns: cpu_ns(pid)? - cpu_before,
            elapsed: began.elapsed(),
            memory_kib: resident_kib(pid)?,
            processes: count_processes()?,
            collector: collector.to_owned(),
            ..Measured::default()
        };
        frames.iter().try_for_each(|frame| measured.look_into(frame))?;
        Ok(measured)
    }

    fn welcome() -> Welcome {
        Welcome {
            protocol: VERSION,
            server_version: String::new(),
            last_sequence: 0,
            resume: false,
            time_ms: 0,
            settings: procession_protocol::AgentSettings::default(),
            frame_version: procession_codec::frame::VERSION,
            packing: procession_codec::wire::VERSION,
        }
    }

    struct Taken {
        /// On the wire.
        message_bytes: usize,
        frame: Bytes,
    }

    /// Takes and acknowledges one.
    async fn take_frame(
        server: &mut WebSocketStream<TcpStream>,
        reader: &mut FrameReader,
    ) -> Result<Taken, Box<dyn Error>> {
        loop {
            if let Message::Binary(bytes) = server.next().await.ok_or("the agent has ended")?? {
                let length_bytes = if bytes.len() > SHORT_PAYLOAD_BYTES { 2 } else { 0 };
                let message_bytes = MESSAGE_HEADER_BYTES + length_bytes + bytes.len();
                let message = reader.read(bytes)?;
                let acknowledged = FromServer::Acknowledged { sequence: message.sequence };
                server.send(Message::text(acknowledged.to_json())).await?;
                return Ok(Taken { message_bytes, frame: message.frame });
            }
        }
    }

    /// The first number of a thread's `schedstat`: nanoseconds on a CPU.
    fn cpu_ns(pid: u32) -> Result<u64, Box<dyn Error>> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split_whitespace().next().ok_or("an empty schedstat")?.parse::<u64>()?;
        }
        Ok(sum)
    }

    fn resident_kib(pid: u32) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().next().ok_or("no VmRSS")?.parse()?)
    }

    fn count_processes() -> std::io::Result<usize> {
        Ok(fs::read_dir("/proc")?
            .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit()))
            .count())
    }

    /// A process that ends with the bench.
    struct Ended(Child);

    impl Drop for Ended {
        fn drop(&mut self) {
            // Whoever has ended by itself need not be ended.
            if self.0.kill().is_ok() {
                drop(self.0.wait());
            }
        }
    }

    /// Processes as an ordinary server has them: most of them wait.
    struct Population(#[expect(dead_code, reason = "they end with it")] Vec<Ended>);

    impl Population {
        fn new(processes: usize, forking: usize) -> Result<Self, Box<dyn Error>> {
            let this = std::env::current_exe()?;
            let mut population = Vec::with_capacity(processes);
            for number in 0..processes {
                let mut command = if number < forking {
                    working(&this, "forking")
                } else if number % IDLE_FOR_ONE_BUSY == 1 {
                    working(&this, "busy")
                } else {
                    Command::new("cat")
                };
                population.push(Ended(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?));
            }
            Ok(Self(population))
        }
    }

    fn working(program: &std::path::Path, how: &str) -> Command {
        let mut command = Command::new(program);
        command.arg(how);
        command
    }
}
