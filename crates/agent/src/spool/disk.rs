//! What the spool asks of the file system, in one place: tests note it here and cut the power anywhere in between.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[cfg(test)]
use super::power_cut_tests::{Step, note};

/// A file that is only appended to.
#[derive(Debug)]
pub(super) struct AppendedFile {
    path: PathBuf,
    file: File,
}

impl AppendedFile {
    /// A new one; readable by nobody else.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let mut options = fs::OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        #[cfg(test)]
        note(Step::Create(path.clone()));
        Ok(Self { path, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        note(Step::Append(self.path.clone(), bytes.to_vec()));
        self.file.write_all(bytes)
    }

    /// What was written survives the loss of power from here on, if its folder's entry does.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()?;
        #[cfg(test)]
        note(Step::Sync(self.path.clone()));
        Ok(())
    }
}

/// A new file or folder survives the loss of power once its folder does.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent().filter(|_| cfg!(unix)) else { return Ok(()) };
    // What is relative has no other name for where it is.
    File::open(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?.sync_all()?;
    #[cfg(test)]
    note(Step::SyncFolder(folder.to_owned()));
    Ok(())
}

/// A folder for nobody else, and those above it that are missing. It survives the loss of power.
pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
        #[cfg(test)]
        note(Step::CreateFolder(folder.to_owned()));
        sync_folder_of(folder)?;
    }
    Ok(())
}

/// Puts a file with these bytes in the place of another: after the loss of power it is the one or the other.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    // Left by a crash.
    if new.exists() {
        remove_file(&new)?;
    }
    let mut file = AppendedFile::create(new.clone())?;
    file.append(bytes)?;
    file.sync()?;
    fs::rename(&new, path)?;
    #[cfg(test)]
    note(Step::Rename(new, path.to_owned()));
    sync_folder_of(path)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    #[cfg(test)]
    note(Step::Remove(path.to_owned()));
    Ok(())
}

/// With all that is in it.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)?;
    #[cfg(test)]
    note(Step::Remove(path.to_owned()));
    Ok(())
}
