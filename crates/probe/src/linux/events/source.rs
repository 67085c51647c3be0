//! Where events come from.

use super::connector::Connector;
use super::lives::Lives;
use super::taskstats::TaskStats;

/// What a message takes of the kernel's buffer, roughly: it counts its own overhead too.
const MESSAGE_BUFFER_BYTES: usize = 1_024;
/// A fork, an exec and an end.
const MESSAGES_OF_A_LIFE: usize = 3;

/// Tells what happened to processes, when it is asked.
pub(in crate::platform) trait EventSource: std::fmt::Debug + Send {
    /// How the collector is called that has its events from here.
    fn name(&self) -> &'static str;

    /// How many short lives fit into the kernel's buffer, roughly.
    fn room(&self) -> usize;

    /// Hands over everything that has come, and matches ends with what is known of them.
    fn drain(&mut self, lives: &mut Lives) -> Filled;
}

/// How full the kernel's buffer was before a drain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::platform) struct Filled {
    /// From 0 to 1.
    pub(in crate::platform) share: f64,
    pub(in crate::platform) lost: Lost,
}

/// What found no room in the kernel's buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::platform) enum Lost {
    #[default]
    Nothing,
    /// So many events.
    Events(u64),
    /// Nobody says how many.
    Unknown,
}

impl Lost {
    /// Both together.
    pub(super) const fn and(self, more: Self) -> Self {
        match (self, more) {
            (Self::Nothing, lost) | (lost, Self::Nothing) => lost,
            (Self::Events(some), Self::Events(others)) => Self::Events(some.saturating_add(others)),
            _ => Self::Unknown,
        }
    }
}

/// The proc connector, with taskstats where that is allowed.
#[derive(Debug)]
pub(super) struct Netlink {
    connector: Connector,
    task_stats: Option<TaskStats>,
}

impl Netlink {
    /// Listens. Says why where that is not to be had, and what else is missing.
    pub(super) fn open(cpu_count: u32, notes: &mut Vec<String>) -> Result<Self, String> {
        let connector = Connector::open()?;
        let task_stats = TaskStats::open(cpu_count)
            .map_err(|reason| {
                notes.push(format!("CPU time and memory of ended processes are not known (taskstats: {reason})"));
            })
            .ok();
        Ok(Self { connector, task_stats })
    }

    #[cfg(test)]
    pub(super) fn shrink_receive_buffer(&self) {
        self.connector.shrink_receive_buffer();
    }
}

impl EventSource for Netlink {
    fn name(&self) -> &'static str {
        if self.task_stats.is_some() { "proc+events+taskstats" } else { "proc+events" }
    }

    fn room(&self) -> usize {
        self.connector.receive_buffer_bytes() / (MESSAGES_OF_A_LIFE * MESSAGE_BUFFER_BYTES)
    }

    fn drain(&mut self, lives: &mut Lives) -> Filled {
        let events = self.connector.drain(|event| lives.take_event(event));
        // The last words of a task are sent before the event of its end: drained after it, they are there.
        let stats = self.task_stats.as_mut().map(|stats| stats.drain(|end| lives.take_task_end(end)));
        lives.end_drain();
        let Ok(events) = events else { return Filled { share: 1.0, lost: Lost::Unknown } };
        #[expect(clippy::cast_precision_loss, reason = "a share, roughly")]
        let share =
            (events.messages * MESSAGE_BUFFER_BYTES) as f64 / self.connector.receive_buffer_bytes().max(1) as f64;
        let stats_overflowed = stats.is_some_and(|stats| stats.is_ok_and(|stats| stats.overflowed));
        let share = if events.overflowed { 1.0 } else { share.min(1.0) };
        let lost = if events.overflowed || stats_overflowed { Lost::Unknown } else { Lost::Nothing };
        Filled { share, lost }
    }
}
