//! Lists the files of the page, so that they become part of the binary. There is nothing else to build: the page is ES
//! modules, and everything that can be done at run time (addresses, compression) is done there, alike for files from disk.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders and files that are for those who work on the page.
const LEFT_OUT: [&str; 4] = [".md", ".d.ts", ".test.js", ".map"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let page = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../web");
    println!("cargo::rerun-if-changed={}", page.display());
    let mut files = Vec::new();
    collect(&page, &mut files)?;
    files.sort();
    let mut table = String::from("pub(super) const FILES: &[(&str, &[u8])] = &[\n");
    for file in &files {
        let name = file.strip_prefix(&page)?.to_string_lossy().replace('\\', "/");
        let path = fs::canonicalize(file)?;
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(table, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())?;
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("page_files.rs"), table)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    // A tree without the page still makes a server: it then says so.
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_dir = entry.file_type()?.is_dir();
        if name.starts_with('.') || (is_dir && name == "node_modules") {
            continue;
        }
        if is_dir {
            println!("cargo::rerun-if-changed={}", entry.path().display());
            collect(&entry.path(), files)?;
        } else if is_of_the_page(&name) {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn is_of_the_page(name: &str) -> bool {
    let for_tools = name.starts_with("package") || name.starts_with("tsconfig");
    let left_out = LEFT_OUT.iter().any(|end| name.ends_with(end)) || (for_tools && name.ends_with(".json"));
    !left_out
}
