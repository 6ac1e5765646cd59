//! A machine made of files.

use std::{fs, path::Path};

use tempfile::TempDir;

/// A root directory with these files.
pub(super) struct Root(TempDir);

impl Root {
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        let root = Self(tempfile::tempdir().expect("a folder"));
        root.write("proc/meminfo", "MemTotal:  2048 kB\nMemFree: 1 kB\n");
        for (path, text) in files {
            root.write(path, text);
        }
        root
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let file = self.path().join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
}
