//! `/proc/<pid>/stat`, read without allocating. Fields by their number in proc(5).

/// What is needed of `/proc/<pid>/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat<'a> {
    /// Field 2, without its parentheses. May hold any byte but NUL, parentheses and newlines too.
    pub(super) name: &'a [u8],
    /// Field 3.
    pub(super) state: u8,
    /// Field 4; 0 for none.
    pub(super) parent_pid: u32,
    /// Field 9.
    pub(super) flags: u64,
    /// Fields 14 and 15 together.
    pub(super) cpu_ticks: u64,
    /// Field 20.
    pub(super) threads: u64,
    /// Field 22, since boot.
    pub(super) start_ticks: u64,
    /// Field 23.
    pub(super) virtual_bytes: u64,
    /// Field 24.
    pub(super) resident_pages: u64,
    /// Field 28: another one after an exec; 0 where it may not be seen.
    pub(super) start_stack: u64,
}

/// The flag of kernel threads in field 9 (`PF_KTHREAD`).
const KERNEL_THREAD: u64 = 0x0020_0000;

/// The kernel's names end within this many bytes; only where no parenthesis is found there the rest is searched.
const NAME_WINDOW_BYTES: usize = 96;

impl<'a> Stat<'a> {
    /// `None` where this is not the text of a `stat` file.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let open = text.iter().position(|byte| *byte == b'(')?;
        let window = &text[..text.len().min(open + NAME_WINDOW_BYTES)];
        let last = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b')');
        let close = last(window).or_else(|| last(text))?;
        let name = text.get(open + 1..close)?;
        let state = *text.get(close + 2)?;
        let mut fields = Fields { rest: text.get(close + 4..)? };
        let parent_pid = u32::try_from(fields.number()?).ok()?;
        fields.skip(4);
        let flags = fields.number()?;
        fields.skip(4);
        let cpu_ticks = fields.number()?.saturating_add(fields.number()?);
        fields.skip(4);
        let threads = fields.number()?;
        fields.skip(1);
        let start_ticks = fields.number()?;
        let virtual_bytes = fields.number()?;
        let resident_pages = fields.number()?;
        fields.skip(3);
        let start_stack = fields.number()?;
        Some(Self {
            name,
            state,
            parent_pid,
            flags,
            cpu_ticks,
            threads,
            start_ticks,
            virtual_bytes,
            resident_pages,
            start_stack,
        })
    }

    pub(super) const fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// The name that stays: workers of the kernel append what they work on just now (`kworker/0:1-events`), which would
    /// make them another program at every look.
    pub(super) fn lasting_name(&self) -> &'a [u8] {
        const WORKER: &[u8] = b"kworker/";
        if !self.is_kernel_thread() || !self.name.starts_with(WORKER) {
            return self.name;
        }
        let end = self.name.iter().position(|byte| matches!(byte, b'-' | b'+'));
        &self.name[..end.unwrap_or(self.name.len())]
    }
}

/// Numbers separated by single spaces.
struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
    /// The next field as a number; a negative one as 0 (memory of a process that is going away may be).
    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        let mut length = 0;
        let negative = self.rest.first() == Some(&b'-');
        for byte in &self.rest[usize::from(negative)..] {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
            length += 1;
        }
        let end = length + usize::from(negative);
        let separated = matches!(self.rest.get(end), None | Some(b' ' | b'\n'));
        if length == 0 || !separated {
            return None;
        }
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        Some(if negative { 0 } else { value })
    }

    fn skip(&mut self, fields: usize) {
        for _ in 0..fields {
            let next = self.rest.iter().position(|byte| *byte == b' ').map_or(self.rest.len(), |space| space + 1);
            self.rest = &self.rest[next..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> String {
        format!(
            "11485 ({name}) R 11406 11405 4362 0 -1 4194304 98 0 0 0 7 3 0 0 20 0 12 0 139764 3133440 414 \
             18446744073709551615 94669742616576 94669742636457 140727521036736 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"
        )
    }

    #[test]
    fn reads_the_fields() {
        let text = text("cat");
        let expected = Stat {
            name: b"cat",
            state: b'R',
            parent_pid: 11406,
            flags: 4_194_304,
            cpu_ticks: 10,
            threads: 12,
            start_ticks: 139_764,
            virtual_bytes: 3_133_440,
            resident_pages: 414,
            start_stack: 140_727_521_036_736,
        };
        assert_eq!(Stat::parse(text.as_bytes()), Some(expected));
    }

    #[test]
    fn names_may_hold_anything() {
        for name in ["", ")", "a) R 1", "((x)", "tab\tand\nnewline", "日本語", &"x".repeat(200)] {
            let text = text(name);
            let stat = Stat::parse(text.as_bytes()).unwrap();
            assert_eq!((stat.name, stat.parent_pid), (name.as_bytes(), 11406), "{name:?}");
        }
    }

    #[test]
    fn cut_or_broken_text_is_none() {
        let text = text("a b");
        let start_stack_end = text.find("140727521036736").unwrap() + 1;
        for length in 0..start_stack_end {
            assert_eq!(Stat::parse(&text.as_bytes()[..length]), None, "{length}");
        }
        assert_eq!(Stat::parse(text.replace("139764", "13976x").as_bytes()), None);
        assert_eq!(Stat::parse(text.replace("139764", "99999999999999999999").as_bytes()), None);
    }

    #[test]
    fn workers_of_the_kernel_have_a_lasting_name() {
        let worker = text("kworker/u8:2-events_unbound").replace("4194304", "69238880");
        let stat = Stat::parse(worker.as_bytes()).unwrap();
        assert!(stat.is_kernel_thread());
        assert_eq!(stat.lasting_name(), b"kworker/u8:2");
        let user = text("kworker/u8:2-events_unbound");
        assert_eq!(Stat::parse(user.as_bytes()).unwrap().lasting_name(), b"kworker/u8:2-events_unbound");
    }
}
