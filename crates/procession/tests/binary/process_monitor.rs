//! `requests` and `psutil`, in the manner of the published client.

use crate::harness::{Data, Server};
use crate::python::Python;

#[test]
fn what_psutil_sees_is_stored_and_filtered() {
    let python = Python::ready();
    let data = Data::new();
    let server = Server::start_with(&data, &["--no-local-agent", "--anonymous-process-data"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/binary/process_monitor.py");
    let output = python.program("python").args([script, &server.url, &data.key("read", &[])]).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
