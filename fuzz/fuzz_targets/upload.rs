//! Any body is an upload or an error, and what is taken leads to a frame.

#![no_main]

use libfuzzer_sys::fuzz_target;
use procession_codec::HostState;
use procession_server::upload::parse;

fuzz_target!(|body: &[u8]| {
    if let Ok(upload) = parse(body) {
        drop(HostState::new().advance(&upload.snapshot));
    }
});
