//! Files of the state folder: whole or not at all, and private where they hold a secret.
use crate::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Creates a folder and its parents.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|e| Error::disk(path, e))
}

/// Writes a file under another name, then renames it: readers see the old content or the new.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace(path, bytes, 0o644)
}

/// The same, readable by the owner only.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace(path, bytes, 0o600)
}

/// Creates an empty file that is readable by the owner only.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    create(path, 0o600)
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let partial = partial_name(path);
    let written = create(&partial, mode)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&partial, path));
    written.map_err(|e| {
        let _ = fs::remove_file(&partial);
        Error::disk(path, e)
    })
}

/// The name under which a file is written before it is whole.
pub(crate) fn partial_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

/// Removes what a stop in the middle of a write has left in a folder.
pub(crate) fn remove_partial(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".partial") {
            let _ = fs::remove_file(entry.path());
        }
    }
}
