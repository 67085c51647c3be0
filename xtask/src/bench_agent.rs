//! `cargo xtask bench agent`: what watching costs a machine. Everything is built first, so that nothing builds while it is
//! measured; then every table is made in the same run. `-- --built` takes what a run before has built.

use anyhow::Result;

use crate::bench::table_of_json_lines;
use crate::command::{cargo, command, output_of, run};
use crate::workspace;

/// Processes that are made for the table of ways to look.
const POPULATIONS: [&str; 2] = ["1000", "100"];
const ROUNDS: &str = "2";
/// Processes of the machine on which the whole agent is measured, and for how many seconds.
const WHOLE: [&str; 3] = ["300", "30", "5s"];
/// Collector, and how many processes begin and end at once within five seconds. The first one is what an agent has with
/// the right to load programs into the kernel, the second with that to the kernel's events, the third without any.
const WATCHES: [(&str, &str); 4] = [("auto", "5"), ("events", "5"), ("polling", "5"), ("events", "38")];

/// Among the arguments: all of it is built already.
const BUILT: &str = "--built";

/// The tables, as Markdown.
pub(crate) fn measure(more: &[String]) -> Result<String> {
    if !more.iter().any(|word| word == BUILT) {
        build()?;
    }
    let release = workspace::target().join("release/examples");
    let agent = workspace::target().join("small/procession-agent");
    let example = |name: &str, arguments: &[&str]| {
        let path = release.join(name);
        output_of(command(&path.to_string_lossy(), arguments))
    };
    let mut text = String::from("CPU time of one look, for each process; the loop that only reads comes first.\n\n");
    let looks =
        POPULATIONS.iter().map(|population| example("cost", &[population, ROUNDS])).collect::<Result<String>>()?;
    text.push_str(&table(&looks));
    text.push_str("\nThe whole agent (profile `small`) while it sends to a server that acknowledges everything.\n\n");
    let agent = agent.to_string_lossy();
    let whole = WATCHES
        .iter()
        .map(|(collector, lives)| example("whole", &[&[&*agent], &WHOLE[..], &[*collector, *lives]].concat()))
        .collect::<Result<String>>()?;
    text.push_str(&table(&whole));
    text.push_str("\nProcesses that were started and gone at once.\n\n");
    // Events need a right that not everyone has who measures.
    let storms = ["events", "bpf"].map(|collector| {
        let storm = example("fork_storm", &["20000", collector]);
        storm.unwrap_or_else(|error| format!("{collector}: not measured: {error:#}\n"))
    });
    let storm = storms.concat();
    text.push_str(&format!("```text\n{storm}```\n"));
    Ok(text)
}

fn table(printed: &str) -> String {
    table_of_json_lines(printed).unwrap_or_else(|| printed.to_owned())
}

fn build() -> Result<()> {
    for arguments in [
        &["build", "--locked", "--release", "--package", "procession-agent", "--example", "cost", "--example", "whole"]
            [..],
        &["build", "--locked", "--release", "--package", "procession-probe", "--example", "fork_storm"],
        &["build", "--locked", "--profile", "small", "--package", "procession-agent", "--bin", "procession-agent"],
    ] {
        run(cargo(arguments))?;
    }
    Ok(())
}
