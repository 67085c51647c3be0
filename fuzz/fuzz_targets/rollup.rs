//! Any bytes are a rollup whose parts are the same when they are read alone, or an error. Checksums are not looked at here.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| procession_store::fuzzing::rollup(bytes));
