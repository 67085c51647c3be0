//! The host's own counters: `stat`, `meminfo` and `loadavg` of the proc file system, and what we cost.
//!
//! Every file costs as much as some processes. Where the proc file system is our kernel's and has our pids, the time since
//! boot comes from a clock and our memory from the look at all processes; otherwise from `uptime` and `/proc/self/statm`.

use std::path::Path;
use std::time::Duration;

use procession_model::{HostMetric, HostSample};
use rustix::fd::BorrowedFd;
use rustix::time::{ClockId, clock_gettime};

use super::file::{KeptFile, leading_number};
use super::newcomers::Forks;
use crate::ProbeError;
use crate::rate::cpu_hundredths;

/// Counters since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HostCounters {
    /// Ticks of all CPUs.
    busy_ticks: u64,
    io_wait_ticks: u64,
    steal_ticks: u64,
    forks: u64,
    /// When this boot began, in seconds since the epoch, as the kernel sees it now.
    pub(super) boot_seconds: u64,
    pub(super) cpu_count: u32,
    pub(super) memory_total_bytes: Option<u64>,
    memory_used_bytes: Option<u64>,
    swap_used_bytes: Option<u64>,
    load_hundredths: Option<u64>,
    last_pid: Option<u32>,
    /// Time since boot in the ticks in which the kernel counts the starts of processes.
    pub(super) uptime_ticks: u64,
    own_cpu_us: u64,
    /// Where the look at all processes does not tell it.
    own_memory_bytes: Option<u64>,
}

/// The files, kept open.
#[derive(Debug)]
pub(super) struct HostFiles {
    stat: KeptFile,
    meminfo: KeptFile,
    loadavg: KeptFile,
    /// Of a machine whose clock is not ours.
    uptime: Option<KeptFile>,
    own_statm: Option<KeptFile>,
    ticks_per_second: u64,
    page_bytes: u64,
}

impl HostFiles {
    /// `is_ours` where the proc file system is our kernel's and has our pids.
    pub(super) fn open(proc: BorrowedFd<'_>, root: &Path, is_ours: bool) -> Result<Self, ProbeError> {
        // The real one, wherever the root is: it is about ourselves.
        let own_statm = || KeptFile::open(rustix::fs::CWD, Path::new("/"), "/proc/self/statm").ok();
        Ok(Self {
            stat: KeptFile::open(proc, root, "stat")?,
            meminfo: KeptFile::open(proc, root, "meminfo")?,
            loadavg: KeptFile::open(proc, root, "loadavg")?,
            uptime: if is_ours { None } else { Some(KeptFile::open(proc, root, "uptime")?) },
            own_statm: if is_ours { None } else { own_statm() },
            ticks_per_second: rustix::param::clock_ticks_per_second(),
            page_bytes: rustix::param::page_size() as u64,
        })
    }

    pub(super) fn read(&mut self) -> Result<HostCounters, ProbeError> {
        let mut counters = HostCounters { own_cpu_us: own_cpu_us(), ..HostCounters::default() };
        if !parse_stat(self.stat.read()?, &mut counters) {
            return Err(self.stat.missing("line of CPU counters and boot time"));
        }
        let loads = self.loadavg.read()?;
        counters.load_hundredths = decimal_hundredths(loads);
        counters.last_pid = last_pid(loads);
        parse_meminfo(self.meminfo.read()?, &mut counters);
        let uptime_hundredths = match &mut self.uptime {
            None => boottime_hundredths(),
            Some(uptime) => {
                let told = decimal_hundredths(uptime.read()?);
                told.ok_or_else(|| uptime.missing("time since boot"))?
            }
        };
        counters.uptime_ticks = uptime_hundredths.saturating_mul(self.ticks_per_second) / 100;
        if let Some(statm) = &mut self.own_statm {
            counters.own_memory_bytes = parse_statm(statm.read()?).map(|pages| pages * self.page_bytes);
        }
        Ok(counters)
    }

    pub(super) fn sample(&self, now: &HostCounters, earlier: Option<&HostCounters>, interval: Duration) -> HostSample {
        let sample = HostSample::ABSENT
            .with(HostMetric::MemoryUsed, now.memory_used_bytes)
            .with(HostMetric::SwapUsed, now.swap_used_bytes)
            .with(HostMetric::Load, now.load_hundredths)
            .with(HostMetric::AgentMemory, now.own_memory_bytes);
        let Some(earlier) = earlier else { return sample };
        let cpu = |now: u64, earlier: u64| {
            let ticks = now.saturating_sub(earlier);
            cpu_hundredths(ticks_to_us(ticks, self.ticks_per_second), interval)
        };
        sample
            .with(HostMetric::IntervalMs, u64::try_from(interval.as_millis()).ok())
            .with(HostMetric::Cpu, cpu(now.busy_ticks, earlier.busy_ticks))
            .with(HostMetric::CpuIoWait, cpu(now.io_wait_ticks, earlier.io_wait_ticks))
            .with(HostMetric::CpuSteal, cpu(now.steal_ticks, earlier.steal_ticks))
            .with(HostMetric::Forks, now.forks.saturating_sub(earlier.forks))
            .with(HostMetric::AgentCpuMicros, now.own_cpu_us.saturating_sub(earlier.own_cpu_us))
    }
}

impl HostCounters {
    /// Whether memory went to or came from swap, as far as the space in use tells.
    pub(super) fn has_swapped_since(&self, earlier: &Self) -> bool {
        self.swap_used_bytes != earlier.swap_used_bytes
    }

    /// Where the kernel counts them.
    pub(super) fn forks(&self) -> Option<Forks> {
        let last_pid = self.last_pid.filter(|_| self.forks > 0)?;
        Some(Forks { count: self.forks, last_pid })
    }
}

pub(super) const fn ticks_to_us(ticks: u64, ticks_per_second: u64) -> u64 {
    let per_second = if ticks_per_second == 0 { 100 } else { ticks_per_second };
    ticks.saturating_mul(1_000_000) / per_second
}

fn own_cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_nsec / 1_000).unwrap_or(0)
}

/// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; user and nice include the guests' time.
fn parse_stat(text: &[u8], counters: &mut HostCounters) -> bool {
    let mut found = (false, false);
    for line in lines(text) {
        if let Some(rest) = line.strip_prefix(b"cpu ") {
            let mut fields = [0; 8];
            let numbers = rest.split(|byte| *byte == b' ').filter_map(leading_number);
            fields.iter_mut().zip(numbers).for_each(|(field, number)| *field = number);
            let [user, nice, system, _idle, io_wait, irq, soft_irq, steal] = fields;
            counters.busy_ticks = user + nice + system + irq + soft_irq;
            (counters.io_wait_ticks, counters.steal_ticks) = (io_wait, steal);
            found.0 = true;
        } else if line.starts_with(b"cpu") {
            counters.cpu_count += 1;
        } else if let Some(rest) = line.strip_prefix(b"btime ") {
            counters.boot_seconds = leading_number(rest).unwrap_or(0);
            found.1 = counters.boot_seconds > 0;
        } else if let Some(rest) = line.strip_prefix(b"processes ") {
            counters.forks = leading_number(rest).unwrap_or(0);
        }
    }
    found == (true, true)
}

fn parse_meminfo(text: &[u8], counters: &mut HostCounters) {
    const KEYS: [&[u8]; 6] = [b"MemTotal:", b"MemFree:", b"MemAvailable:", b"Cached:", b"SwapTotal:", b"SwapFree:"];
    let mut found = [None; KEYS.len()];
    let mut missing = KEYS.len();
    for line in lines(text) {
        let known = KEYS.iter().zip(&mut found).find_map(|(key, found)| Some((line.strip_prefix(*key)?, found)));
        let Some((rest, found)) = known else { continue };
        *found = leading_number(rest).map(|kibibytes| kibibytes.saturating_mul(1_024));
        missing -= 1;
        if missing == 0 {
            break;
        }
    }
    let [total, free, available, cached, swap_total, swap_free] = found;
    // Kernels before 3.14 do not estimate it.
    let available = available.or_else(|| Some(free? + cached.unwrap_or(0)));
    let swap = (swap_total, swap_free);
    counters.memory_total_bytes = total;
    counters.memory_used_bytes = total.zip(available).map(|(total, available)| total.saturating_sub(available));
    counters.swap_used_bytes = swap.0.zip(swap.1).map(|(total, free)| total.saturating_sub(free));
}

/// One line may be long: that of all interrupts.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begin = 0;
    memchr::memchr_iter(b'\n', text).chain([text.len()]).map(move |end| {
        let line = text.get(begin..end).unwrap_or_default();
        begin = end + 1;
        line
    })
}

/// What `uptime` says, in the same steps.
fn boottime_hundredths() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    u64::try_from(time.tv_sec * 100 + time.tv_nsec / 10_000_000).unwrap_or(0)
}

/// The first number of `1.25 …` as 125.
fn decimal_hundredths(text: &[u8]) -> Option<u64> {
    let whole = leading_number(text)?;
    let point = text.iter().position(|byte| *byte == b'.')?;
    let digit = |index: usize| text.get(point + index).filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0');
    let hundredths = u64::from(digit(1)?) * 10 + u64::from(digit(2).unwrap_or(0));
    whole.checked_mul(100)?.checked_add(hundredths)
}

/// The last number of `0.50 0.40 0.30 1/100 4711`.
fn last_pid(text: &[u8]) -> Option<u32> {
    let pid = text.trim_ascii_end().rsplit(|byte| *byte == b' ').next().and_then(leading_number)?;
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// The second number: resident pages.
fn parse_statm(text: &[u8]) -> Option<u64> {
    text.split(|byte| *byte == b' ').nth(1).and_then(leading_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stat() {
        let text =
            b"cpu  10 1 5 100 7 2 3 4 9 0\ncpu0 5 0 0 0\ncpu1 5 0 0 0\nintr 1 2 3\nbtime 1700000000\nprocesses 77\n";
        let mut counters = HostCounters::default();
        assert!(parse_stat(text, &mut counters));
        assert_eq!((counters.busy_ticks, counters.io_wait_ticks, counters.steal_ticks), (21, 7, 4));
        assert_eq!((counters.cpu_count, counters.boot_seconds, counters.forks), (2, 1_700_000_000, 77));
        assert!(!parse_stat(b"cpu  1 2 3 4\n", &mut HostCounters::default()), "no boot time");
    }

    #[test]
    fn reads_memory() {
        let mut counters = HostCounters::default();
        parse_meminfo(b"MemTotal:  100 kB\nMemAvailable:   40 kB\nSwapTotal: 8 kB\nSwapFree: 8 kB\n", &mut counters);
        assert_eq!(counters.memory_total_bytes, Some(102_400));
        assert_eq!(counters.memory_used_bytes, Some(61_440));
        assert_eq!(counters.swap_used_bytes, Some(0));
        parse_meminfo(b"Nothing: 1\n", &mut counters);
        assert_eq!((counters.memory_used_bytes, counters.swap_used_bytes), (None, None));
    }

    #[test]
    fn reads_the_last_pid() {
        assert_eq!(last_pid(b"0.50 0.40 0.30 1/100 4711\n"), Some(4711));
        assert_eq!([last_pid(b"0.50 0.40 0.30 1/100 0\n"), last_pid(b"")], [None, None]);
    }

    #[test]
    fn reads_decimals() {
        assert_eq!(decimal_hundredths(b"1.25 0.5 2/3"), Some(125));
        assert_eq!(decimal_hundredths(b"350735.47 1.0"), Some(35_073_547));
        assert_eq!(decimal_hundredths(b"7"), None);
        assert_eq!(decimal_hundredths(b""), None);
    }
}
