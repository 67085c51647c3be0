//! The ring in which the kernel leaves records (`Documentation/bpf/ringbuf.rst`).
//!
//! Not aya's reader: that maps the records twice, one after the other, so that none has an end at the beginning; each time
//! counts as memory of ours. Here they are mapped once, and the few that go over the end are put together.

use aya::maps::MapData;
use rustix::io::Errno;
use rustix::mm::ProtFlags;

use super::mapping::Mapping;

/// Before each record: its length and the two marks, and what only the kernel needs.
pub(super) const HEADER_BYTES: usize = 8;
/// Still being written.
const BUSY: u32 = 1 << 31;
/// Given up while it was written.
const DISCARDED: u32 = 1 << 30;

/// Reads records in the order in which the kernel began to write them.
#[derive(Debug)]
pub(super) struct Ring {
    /// The kernel stops where the records begin that we have not read.
    consumer: Mapping,
    /// How far the kernel is, and on the next page the records.
    producer: Mapping,
    /// Kept open: the mappings alone would keep the memory, but not say whose it is.
    _map: MapData,
    bytes: usize,
    page_bytes: usize,
    position: u64,
    record: Vec<u8>,
}

impl Ring {
    /// `bytes` is what the map was made with: a power of two.
    pub(super) fn new(map: MapData, bytes: u32) -> Result<Self, Errno> {
        let (page_bytes, bytes) = (rustix::param::page_size(), bytes as usize);
        let both = ProtFlags::READ | ProtFlags::WRITE;
        let consumer = Mapping::new(map.fd(), both, 0, page_bytes)?;
        let producer = Mapping::new(map.fd(), ProtFlags::READ, page_bytes as u64, page_bytes + bytes)?;
        let position = consumer.load_u64(0).ok_or(Errno::FAULT)?;
        Ok(Self { consumer, producer, _map: map, bytes, page_bytes, position, record: Vec::new() })
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next record, and how much of the ring it took.
    pub(super) fn next(&mut self) -> Option<(&[u8], usize)> {
        loop {
            if self.position == self.producer.load_u64(0)? {
                return None;
            }
            let at = self.place(self.position)?;
            let header = self.producer.load_u32(self.page_bytes + at)?;
            if header & BUSY != 0 {
                return None;
            }
            let length = (header & !DISCARDED) as usize;
            let took = (HEADER_BYTES + length).next_multiple_of(HEADER_BYTES);
            self.copy(at + HEADER_BYTES, length)?;
            self.position = self.position.wrapping_add(took as u64);
            self.consumer.store_u64(0, self.position);
            if header & DISCARDED == 0 {
                return Some((&self.record, took));
            }
        }
    }

    fn place(&self, position: u64) -> Option<usize> {
        usize::try_from(position & (self.bytes as u64 - 1)).ok()
    }

    /// What goes over the end is at the beginning.
    fn copy(&mut self, at: usize, length: usize) -> Option<()> {
        self.record.clear();
        let at = at % self.bytes;
        let first = length.min(self.bytes - at);
        self.producer.copy_into(self.page_bytes + at, first, &mut self.record)?;
        self.producer.copy_into(self.page_bytes, length - first, &mut self.record)
    }
}
