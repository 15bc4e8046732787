// SPDX-License-Identifier: GPL-2.0

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The least that can be executed, so that what is measured is exec.
    for program in ["execns-true", "execns-probe", "execns-fuzz-agent"] {
        for arg in [
            "-nostartfiles",
            "-nostdlib",
            "-static",
            "-Wl,--build-id=none",
            "-Wl,-z,noseparate-code",
            "-Wl,-z,norelro",
        ] {
            println!("cargo::rustc-link-arg-bin={program}={arg}");
        }
    }
}
