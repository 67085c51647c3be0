//! Rules of the tree that no compiler checks. Function length is clippy's (`too_many_lines` in clippy.toml).

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::command::{command, output_of};
use crate::workspace;

/// The most lines a file of code may have.
const FILE_LINES_MAX: usize = 499;
/// Files of code by their endings.
const CODE: &[&str] = &["rs", "js", "mjs", "ts", "css", "html", "py", "sh"];
/// Files that are not text, or that a tool writes.
const NOT_WRITTEN_BY_HAND: &[&str] =
    &["png", "svg", "ico", "woff2", "bin", "zst", "gz", "lock", "snap", "json", "jsonl"];

/// Every file keeps to the rules.
pub(crate) fn run() -> Result<()> {
    let listed = output_of(command("git", &["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let mut found = Vec::new();
    let mut checked = 0;
    for path in listed.lines().filter(|path| workspace::root().join(path).is_file()) {
        let bytes = std::fs::read(workspace::root().join(path)).with_context(|| path.to_owned())?;
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        checked += 1;
        found.extend(breaches(path, text).into_iter().map(|breach| format!("{path}{breach}")));
    }
    if !found.is_empty() {
        bail!("{} breach(es) of the tree's rules:\n  {}", found.len(), found.join("\n  "));
    }
    println!("{checked} files keep to the rules");
    Ok(())
}

fn breaches(path: &str, text: &str) -> Vec<String> {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let mut found = foreign_places(path, text);
    if NOT_WRITTEN_BY_HAND.contains(&ending) {
        return found;
    }
    let lines = text.lines().count();
    if CODE.contains(&ending) && lines > FILE_LINES_MAX {
        found.push(format!(": {lines} lines, {FILE_LINES_MAX} at most: split it by purpose"));
    }
    match ending {
        "rs" => found.extend(rust_breaches(path, text)),
        "md" => found.extend(dead_links(path, text)),
        _ => {}
    }
    found.extend(
        text.lines()
            .enumerate()
            .filter(|(_, line)| line.ends_with([' ', '\t', '\r']))
            .map(at("white space at the end")),
    );
    found
}

/// Names `path:line: message` for the lines found.
fn at(message: &'static str) -> impl Fn((usize, &str)) -> String {
    move |(index, _)| format!(":{}: {message}", index + 1)
}

fn rust_breaches(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(": must begin with a module doc (`//!`) that says what it is for".into());
    }
    // Written in two parts so that this file does not find itself.
    let attribute = concat!("[al", "low(");
    found.extend(
        text.lines()
            .enumerate()
            .filter(|(_, line)| line.contains(attribute))
            .map(at("use `#[expect(…, reason = …)]`: it says why and tells when it is not needed any more")),
    );
    let name = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if ["util", "utils", "common", "helpers", "misc"].contains(&name) {
        found.push(": the name says nothing about its purpose".into());
    }
    found
}

/// Links in documents to files that are not there.
fn dead_links(path: &str, text: &str) -> Vec<String> {
    let folder = workspace::root().join(path).parent().map(Path::to_owned).unwrap_or_default();
    let dead = |line: &str| {
        line.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next()).any(|target| {
            let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            !elsewhere && !folder.join(target).exists()
        })
    };
    text.lines().enumerate().filter(|(_, line)| dead(line)).map(at("a link to a file that is not there")).collect()
}

/// Places of the machine on which a file was written: its folders, its package mirrors.
fn foreign_places(path: &str, text: &str) -> Vec<String> {
    let root = workspace::root().to_string_lossy();
    let names_root = |line: &str| root.len() > 1 && line.contains(&*root);
    let mut found: Vec<String> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| names_root(line))
        .map(at("names the folder of this checkout"))
        .collect();
    if path.ends_with("package-lock.json") {
        let foreign = |line: &str| {
            line.trim_start()
                .strip_prefix("\"resolved\": \"")
                .is_some_and(|url| !url.starts_with("https://registry.npmjs.org/"))
        };
        found.extend(
            text.lines().enumerate().filter(|(_, line)| foreign(line)).map(at("resolved from a private mirror")),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let text = format!("//! Doc.\n{}", "fn f() {}\n".repeat(FILE_LINES_MAX));
        assert_eq!(breaches("src/long.rs", &text).len(), 1);
    }

    #[test]
    fn a_file_without_a_doc_and_with_a_silenced_lint_is_found() {
        let text = concat!("#[al", "low(dead_code)]\nfn f() {} \n");
        assert_eq!(breaches("src/utils.rs", text).len(), 4);
    }

    #[test]
    fn a_dead_link_is_found() {
        assert_eq!(dead_links("README.md", "[a](Cargo.toml) [b](https://x/) [c](#top)\n[d](nowhere.md)").len(), 1);
    }

    #[test]
    fn a_private_mirror_is_found() {
        let text = "  \"resolved\": \"https://registry.npmjs.org/a\"\n  \"resolved\": \"http://10.0.0.1/a\"\n";
        assert_eq!(foreign_places("e2e/package-lock.json", text).len(), 1);
    }
}
