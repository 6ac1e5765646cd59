//! Files and folders that are not for everybody: made with the mode that was asked for, whatever the process's umask.
//!
//! A file system that knows no modes (FAT, some network shares) is no reason not to write: what it refuses is ignored.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Makes a folder, and those above it that are missing. One that is there keeps its mode: it may be shared with others, as
/// `/var/log` is, or be somebody's decision.
///
/// # Errors
/// It cannot be made, or something else is in its place.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    if !path.is_dir() {
        DirBuilder::new().recursive(true).mode(mode).create(path)?;
        let _ = fs::set_permissions(path, Permissions::from_mode(mode));
    }
    Ok(())
}

/// Opens a file, and makes it if it is missing. From one that is there, rights beyond `mode` are taken away.
///
/// # Errors
/// Those of [`OpenOptions::open`].
pub fn open(path: &Path, options: &OpenOptions, mode: u32) -> io::Result<File> {
    match options.clone().create_new(true).mode(mode).open(path) {
        Ok(file) => {
            let _ = file.set_permissions(Permissions::from_mode(mode));
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            narrow(path, mode);
            options.clone().create(true).mode(mode).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Writes a whole file, which takes the place of what was there.
///
/// # Errors
/// Those of [`fs::write`].
pub fn write(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let mut file = open(path, OpenOptions::new().write(true).truncate(true), mode)?;
    io::Write::write_all(&mut file, text)
}

/// Takes rights beyond `mode` away.
pub fn narrow(path: &Path, mode: u32) {
    let Ok(found) = fs::metadata(path).map(|found| found.permissions().mode()) else { return };
    if found & 0o777 & !mode != 0 {
        let _ = fs::set_permissions(path, Permissions::from_mode(found & mode));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_made_has_the_mode_asked_for_and_what_is_there_is_never_opened_wider() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("a/b");
        make_folder(&folder, 0o770).expect("made");
        assert_eq!(mode(&folder), 0o770, "more than a usual umask lets through");
        make_folder(&folder, 0o700).expect("there");
        assert_eq!(mode(&folder), 0o770, "a folder that is there keeps its own");
        let file = folder.join("file");
        write(&file, b"one", 0o660).expect("written");
        assert_eq!(mode(&file), 0o660);
        write(&file, b"2", 0o640).expect("written");
        assert_eq!((mode(&file), fs::read(&file).expect("read")), (0o640, b"2".to_vec()));
        write(&file, b"3", 0o666).expect("written");
        assert_eq!(mode(&file), 0o640);
        assert!(make_folder(&file, 0o700).is_err());
    }
}
