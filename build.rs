//! Tells the binary which compiler made it: `switchboard_build_info{rustc}`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUSTC");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    if let Ok(version) = version {
        println!("cargo::rustc-env=SWITCHBOARD_RUSTC={}", String::from_utf8_lossy(&version.stdout).trim());
    }
}
