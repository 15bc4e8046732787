// SPDX-License-Identifier: GPL-2.0

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();

    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=front.ld");
    // It is not relocated: that is what a start-up file would do.
    for arg in [
        "-nostartfiles",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--build-id=none",
        "-Wl,-z,norelro",
    ] {
        println!("cargo::rustc-link-arg-bin=execns={arg}");
    }
    println!("cargo::rustc-link-arg-bin=execns=-Wl,-T,{folder}/front.ld");
}
