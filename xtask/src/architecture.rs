//! Which crate may depend on which. The rules of `ARCHITECTURE.md`, checked against `cargo metadata`.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

use crate::command::{command, output_of};
use crate::workspace;

/// What a crate may depend on: crates of this workspace, and where it is a closed list, others.
struct Rule {
    name: &'static str,
    workspace: &'static [&'static str],
    /// `None`: any outside crate.
    outside: Option<&'static [&'static str]>,
}

const RULES: &[Rule] = &[
    Rule { name: "procession-model", workspace: &[], outside: Some(&["thiserror"]) },
    Rule {
        name: "procession-codec",
        workspace: &["procession-model"],
        outside: Some(&["crc32fast", "foldhash", "lzma-rust2", "memchr", "pco", "thiserror", "zstd"]),
    },
    Rule { name: "procession-probe", workspace: &["procession-model"], outside: None },
    Rule { name: "procession-protocol", workspace: &["procession-codec", "procession-model"], outside: None },
    Rule {
        name: "procession-agent",
        workspace: &["procession-codec", "procession-model", "procession-probe", "procession-protocol"],
        outside: None,
    },
    Rule { name: "procession-store", workspace: &["procession-codec", "procession-model"], outside: None },
    Rule {
        name: "procession-store-conformance",
        workspace: &["procession-codec", "procession-model", "procession-store"],
        outside: None,
    },
    Rule {
        name: "procession-server",
        workspace: &["procession-codec", "procession-model", "procession-protocol", "procession-store"],
        outside: None,
    },
    Rule {
        name: "procession",
        workspace: &[
            "procession-agent",
            "procession-codec",
            "procession-model",
            "procession-probe",
            "procession-protocol",
            "procession-server",
            "procession-store",
        ],
        outside: None,
    },
    Rule { name: "xtask", workspace: &[], outside: None },
];

/// Words that would bring the world into the model.
const MODEL_MUST_NOT_NAME: &[&str] =
    &["std::fs", "std::io", "std::net", "std::process", "std::env", "std::thread", "async fn", "Serialize"];

/// Every crate keeps to its rule, and every crate has one.
pub(crate) fn run() -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(workspace::root())
        .no_deps()
        .other_options(vec!["--locked".into()])
        .exec()
        .context("cargo metadata")?;
    let members: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let mut found: Vec<String> = metadata.packages.iter().flat_map(|package| breaches(package, &members)).collect();
    found.extend(world_in_model()?);
    if !found.is_empty() {
        bail!("{} breach(es) of the architecture:\n  {}", found.len(), found.join("\n  "));
    }
    println!("{} crates keep to their rules", members.len());
    Ok(())
}

fn breaches(package: &Package, members: &BTreeSet<&str>) -> Vec<String> {
    let Some(rule) = RULES.iter().find(|rule| rule.name == package.name.as_str()) else {
        return vec![format!("{} has no rule: add one to xtask/src/architecture.rs", package.name)];
    };
    let ships = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
    ships
        .filter(|dependency| {
            let name = dependency.name.as_str();
            if members.contains(name) {
                !rule.workspace.contains(&name)
            } else {
                rule.outside.is_some_and(|outside| !outside.contains(&name))
            }
        })
        .map(|dependency| format!("{} must not depend on {}", package.name, dependency.name))
        .collect()
}

fn world_in_model() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in output_of(command("git", &["ls-files", "crates/model/src"]))?.lines() {
        let text = std::fs::read_to_string(workspace::root().join(file)).context(file.to_owned())?;
        for word in MODEL_MUST_NOT_NAME.iter().filter(|word| text.contains(**word)) {
            found.push(format!(
                "{file} names {word}: the model does no input or output, is not async, has no wire format"
            ));
        }
    }
    Ok(found)
}
