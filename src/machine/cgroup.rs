//! Where this process's cgroup is, in both versions.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folders in which this process's cgroup and its ancestors may have their limits. Within a container the path in
/// `/proc/self/cgroup` may be the host's; then only the mount's root exists, and that is the container's own.
pub(super) fn folders(root: &Path, controller: &str) -> Vec<PathBuf> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut folders = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let mount = match controllers {
            "" => root.join("sys/fs/cgroup"),
            some if some.split(',').any(|name| name == controller) => root.join("sys/fs/cgroup").join(controller),
            _ => continue,
        };
        let own = mount.join(path.trim_start_matches('/'));
        folders.extend(own.ancestors().take_while(|folder| folder.starts_with(&mount)).map(Path::to_path_buf));
    }
    folders
}

/// A file of one value.
pub(super) fn read(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}
