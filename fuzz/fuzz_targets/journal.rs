//! Any bytes are a row of the journal, damaged in places or not, and what is whole of it comes back.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| procession_store::fuzzing::journal_row(bytes));
