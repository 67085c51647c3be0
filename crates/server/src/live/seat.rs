//! A host's seat: which agent is connected for it, and what to make of another one that comes meanwhile.
//!
//! Who is on a seat may be gone without a word, so a newcomer waits for a while first. If then the one before was heard of, both
//! run: another boot means another machine, and so a clone.

use std::sync::Arc;

use procession_model::Timestamp;

/// How long a newcomer waits at least, in milliseconds. An agent is told to come again after as long.
pub(crate) const WAIT_MS_MIN: i64 = 15_000;
/// After so many of its intervals without a snapshot an agent is taken for gone.
const SILENT_INTERVALS: i64 = 2;

/// An agent that wants a seat. Either may be empty: not told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer<'a> {
    pub(crate) agent_id: &'a str,
    pub(crate) boot_id: &'a str,
}

/// When the host was heard of, how often it should be, and what time it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) last: Option<Timestamp>,
    pub(super) interval_ms: u64,
    pub(super) now: Timestamp,
}

/// Why an agent does not get the seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Another agent has it, which may be gone, or on the same machine: come again.
    Wait,
    /// A running machine of another boot has it, with the same agent id.
    Twin,
    /// A running machine of another boot has it, with another agent id.
    Namesake,
}

/// Who is connected for a host.
#[derive(Clone, Debug, Default)]
pub(super) struct Seat {
    connections: u32,
    /// Of whoever is or was connected last.
    agent_id: Arc<str>,
    boot_id: Arc<str>,
    contender: Option<Box<Contender>>,
}

#[derive(Clone, Debug)]
struct Contender {
    agent_id: String,
    boot_id: String,
    since: Timestamp,
}

impl Seat {
    pub(super) fn is_taken(&self) -> bool {
        self.connections > 0
    }

    pub(super) fn leave(&mut self) {
        self.connections = self.connections.saturating_sub(1);
    }

    /// An agent without an id is taken for any; connections of the same agent may overlap.
    pub(super) fn take(&mut self, newcomer: Newcomer<'_>, heard: Heard) -> Result<(), Taken> {
        let differ = |known: &str, new: &str| !known.is_empty() && !new.is_empty() && known != new;
        let other_agent = differ(&self.agent_id, newcomer.agent_id);
        let other_boot = differ(&self.boot_id, newcomer.boot_id);
        if self.is_taken() && (other_agent || other_boot) {
            self.contend(newcomer, heard, other_agent, other_boot)?;
        }
        self.contender = None;
        self.connections += 1;
        if !newcomer.agent_id.is_empty() {
            (self.agent_id, self.boot_id) = (newcomer.agent_id.into(), newcomer.boot_id.into());
        }
        Ok(())
    }

    fn contend(&mut self, new: Newcomer<'_>, heard: Heard, other_agent: bool, other_boot: bool) -> Result<(), Taken> {
        let known = self.contender.as_ref();
        let Some(contender) = known.filter(|known| known.agent_id == new.agent_id && known.boot_id == new.boot_id)
        else {
            let (agent_id, boot_id) = (new.agent_id.to_owned(), new.boot_id.to_owned());
            self.contender = Some(Box::new(Contender { agent_id, boot_id, since: heard.now }));
            return Err(Taken::Wait);
        };
        let was_heard = heard.last.is_some_and(|last| last > contender.since);
        let interval_ms = i64::try_from(heard.interval_ms).unwrap_or(i64::MAX);
        let silent_ms = interval_ms.saturating_mul(SILENT_INTERVALS).max(WAIT_MS_MIN);
        match (was_heard, other_agent, other_boot) {
            (true, true, true) => Err(Taken::Namesake),
            (true, false, true) => Err(Taken::Twin),
            (false, false, true) if heard.now.since_ms(contender.since) >= silent_ms => Ok(()),
            _ => Err(Taken::Wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_ms(1_000_000);

    fn agent<'a>(agent_id: &'a str, boot_id: &'a str) -> Newcomer<'a> {
        Newcomer { agent_id, boot_id }
    }

    /// Asks for a seat `after_ms`, when the host was heard of `last_ms` after the beginning.
    fn ask(seat: &mut Seat, newcomer: Newcomer<'_>, last_ms: i64, after_ms: i64) -> Result<(), Taken> {
        let (last, now) = (Some(BEGIN.plus_ms(last_ms)), BEGIN.plus_ms(after_ms));
        seat.take(newcomer, Heard { last, interval_ms: 10_000, now })
    }

    fn taken_by(agent_id: &str, boot_id: &str) -> Seat {
        let mut seat = Seat::default();
        ask(&mut seat, agent(agent_id, boot_id), 0, 0).unwrap();
        seat
    }

    #[test]
    fn an_agent_that_comes_back_is_taken_at_once() {
        let mut seat = taken_by("a", "1");
        ask(&mut seat, agent("a", "1"), 5, 6).unwrap();
        ask(&mut seat, agent("", ""), 7, 8).unwrap();
        for _ in 0..3 {
            assert!(seat.is_taken());
            seat.leave();
        }
        assert!(!seat.is_taken());
        ask(&mut seat, agent("b", "2"), 7, 9).unwrap();
    }

    #[test]
    fn clones_that_both_run_are_told_apart() {
        let mut seat = taken_by("a", "1");
        assert_eq!(ask(&mut seat, agent("a", "2"), 90, 100), Err(Taken::Wait));
        assert_eq!(ask(&mut seat, agent("a", "2"), 101, 200), Err(Taken::Twin));
        assert_eq!(ask(&mut seat, agent("b", "2"), 201, 300), Err(Taken::Wait), "another one waits anew");
        assert_eq!(ask(&mut seat, agent("b", "2"), 301, 400), Err(Taken::Namesake));
        assert_eq!(ask(&mut seat, agent("a", "1"), 501, 502), Ok(()), "the first one stays");
    }

    #[test]
    fn after_a_boot_the_silent_connection_of_the_one_before_gives_way() {
        let mut seat = taken_by("a", "1");
        assert_eq!(ask(&mut seat, agent("a", "2"), 90, 100), Err(Taken::Wait));
        assert_eq!(ask(&mut seat, agent("a", "2"), 90, 20_099), Err(Taken::Wait), "two of its intervals");
        assert_eq!(ask(&mut seat, agent("a", "2"), 90, 20_100), Ok(()));
    }

    #[test]
    fn two_agents_on_one_machine_do_not_share_a_name() {
        let mut seat = taken_by("a", "1");
        for (last_ms, after_ms) in [(90, 100), (101, 200), (101, 90_000)] {
            assert_eq!(ask(&mut seat, agent("b", "1"), last_ms, after_ms), Err(Taken::Wait));
        }
    }
}
