// SPDX-License-Identifier: GPL-2.0

//! The command execns next to unshare(1) of util-linux: as root and as a user, in the guest.

use execns_guest::command::{EXECNS, UNSHARE, command, shell, text};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// A root file system with a shell.
const ROOT: &str = "/tmp/command.root";
/// The uid and gid of a caller without privilege.
const USER: u32 = 1000;

/// What a program tells about itself.
const PROBE: &str = r#"
    echo "ids $(id -u) $(id -g) $(id -G)"
    for file in uid_map gid_map setgroups timens_offsets; do
        echo $file $(cat /proc/self/$file 2>&1)
    done
    for kind in user mnt pid net ipc uts cgroup time; do
        echo $kind $(readlink /proc/self/ns/$kind 2>&1)
    done
    echo "directory $(pwd)"
    echo "root" $(ls /)
    echo "init $(cat /proc/1/comm 2>&1), first $([ $$ = 1 ] && echo yes)"
    echo "capabilities $(grep CapEff /proc/self/status 2>&1)"
    echo "propagation" $(cut -d' ' -f7 /proc/self/mountinfo 2>&1 | sed 's/:.*//')
"#;

/// A namespace has a number of its own each time: what counts is whether it is the caller's.
fn without_numbers(text: &str) -> String {
    let line = |line: &str| match line.split_once(' ') {
        Some((kind, link)) if link.contains(":[") => {
            let mine = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
            let state = if mine.as_os_str() == link {
                "shared"
            } else {
                "new"
            };
            format!("{kind} {state}\n")
        }
        _ => format!("{line}\n"),
    };

    text.lines().map(line).collect()
}

fn make_root() {
    for folder in ["bin", "proc", "only-here"] {
        fs::create_dir_all(format!("{ROOT}/{folder}")).unwrap();
    }
    fs::copy("/bin/busybox", format!("{ROOT}/bin/busybox")).unwrap();
    for applet in ["sh", "id", "cat", "readlink", "ls", "grep", "cut", "sed"] {
        let _ = symlink("busybox", format!("{ROOT}/bin/{applet}"));
    }
}

const ALL: &str = "--user --map-root-user --mount --pid --fork --net --ipc --uts --cgroup --time \
                   --mount-proc";

#[test]
fn programs_see_what_those_of_unshare_see() {
    make_root();
    let as_root = [
        "",
        "--fork",
        "-m",
        "-n",
        "-i",
        "-u",
        "-C",
        "-T",
        "-pf",
        "-pf --mount-proc",
        "-m --propagation unchanged",
        "-m --propagation slave",
        "-m --propagation shared",
        "-T --monotonic 1000 --boottime 2000",
        "-f --kill-child",
        "-S 7 -G 8",
        "-G 8",
        "--wd /tmp",
        "-R /tmp/command.root",
        "-R /tmp/command.root -w /bin",
        "-m -R /tmp/command.root",
        "-m -R /tmp/command.root -w /bin",
        "-pf --mount-proc=/tmp/command.root/proc",
    ];
    let as_anybody = [
        "-r",
        "-c",
        "-U --map-user 5 --map-group 6",
        "--map-user=5 --map-group=6",
        "-rm",
        "-rn -iuC",
        "-rT --monotonic=1000",
        "-rpf",
        "-rpf --mount-proc",
        "-r --kill-child=TERM",
        "-r -w /tmp",
        "-r -R /tmp/command.root",
        "-rm --root=/tmp/command.root",
        "-rpf --mount-proc -R /tmp/command.root",
        "-c -w tmp -f",
        ALL,
    ];
    let callers = as_root.iter().map(|options| (0, options)).chain(
        as_anybody
            .iter()
            .flat_map(|options| [(0, options), (USER, options)]),
    );

    for (user, options) in callers {
        let [ours, theirs] = [EXECNS, UNSHARE].map(|program| shell(program, user, options, PROBE));

        assert_eq!(
            without_numbers(&text(&ours)),
            without_numbers(&text(&theirs)),
            "uid {user}: {options}"
        );
        assert_eq!(ours.status, theirs.status, "uid {user}: {options}");
        assert!(
            ours.status.success(),
            "uid {user}: {options}: {}",
            text(&ours)
        );
    }
}

#[test]
fn it_ends_as_the_program_does() {
    for options in ["-r", "-rf", "-rpf", "-rpf --mount-proc"] {
        for script in ["exit 0", "exit 7", "exit 255"] {
            let [ours, theirs] =
                [EXECNS, UNSHARE].map(|program| shell(program, 0, options, script).status);

            assert_eq!(ours, theirs, "{options}: {script}");
        }
        for program in ["/nonexistent", "nonexistent", "/etc/passwd", "/etc"] {
            let [ours, theirs] = [EXECNS, UNSHARE].map(|which| {
                command(which, 0, options)
                    .arg(program)
                    .output()
                    .unwrap()
                    .status
            });

            assert_eq!(ours, theirs, "{options}: {program}");
        }
    }
    let script = format!("trap '' CHLD; exec {EXECNS} -rf /bin/sh -c 'exit 7'");
    let status = Command::new("/bin/sh")
        .args(["-c", &script])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(7), "with SIGCHLD ignored");
    // unshare(1) can't end by SIGKILL, since it fails to set what that does.
    for (signal, number) in [("TERM", 15), ("KILL", 9), ("INT", 2)] {
        let status = shell(EXECNS, 0, "-rf", &format!("kill -{signal} $$")).status;

        assert_eq!(status.signal(), Some(number), "{signal}");
    }
}

#[test]
fn what_can_not_be_is_said() {
    for (user, line, status, said) in [
        (USER, "-n true", 1, "type --user as well"),
        (USER, "-U --map-users 0:0:9 true", 1, "type --map-root-user"),
        (USER, "--map-auto true", 1, "newuidmap"),
        (0, "--setgroups allow -r true", 1, "--map-groups=INNER"),
        (0, "--setgroups allow true", 1, "type --user as well"),
        (0, "--monotonic 5 true", 1, "type --time as well"),
        (0, "--keep-fd 77 true", 1, "77 is not open"),
        (0, "--keep-fd 0:1 --keep-fd 2:1 true", 1, "shall be 1"),
        (0, "--map-user nobody-here true", 1, "no nobody-here in"),
        (0, "--kill-child=NONE true", 1, "kill -l"),
        (0, "--mount=/tmp/file true", 1, "--mount"),
        (0, "--no-such-option true", 1, "--no-such-option"),
        (0, "--root /nonexistent -r true", 1, "/nonexistent"),
        (0, "--wd /etc/passwd -rf true", 1, "Not a directory"),
        (0, "-r --check /nonexistent", 127, "/nonexistent"),
    ] {
        let output = command(EXECNS, user, line).output().unwrap();

        assert!(text(&output).contains(said), "{line}: {}", text(&output));
        assert_eq!(output.status.code(), Some(status), "{line}");
    }
}

/// Where there is no proc, the other half of the command is not easily found.
#[test]
fn the_other_half_is_not_taken_from_the_working_directory() {
    let folder = "/tmp/command.trap";
    let trap = format!("{folder}/execns-full");

    fs::create_dir_all(folder).unwrap();
    fs::write(&trap, "#!/bin/sh\nexit 66\n").unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let script = format!("umount -l /proc; {EXECNS} --keep-fd 88 true");
    let output = shell(EXECNS, 0, &format!("-m -w {folder}"), &script);

    assert!(
        text(&output).contains("88 is not open"),
        "{}",
        text(&output)
    );
    assert_eq!(output.status.code(), Some(1));
}

/// unshare(1) takes a relative one from where the caller is, and so leads out of the root.
#[test]
fn the_working_directory_is_in_the_root() {
    make_root();
    for options in ["", "-m", "-rm", "-rpf --mount-proc"] {
        let options = format!("{options} -R {ROOT} -w bin");
        let output = shell(EXECNS, 0, &options, "pwd; ls -d ../only-here");

        assert_eq!(text(&output), "/bin\n../only-here\n", "{options}");
    }
}

#[test]
fn ranges_of_ids_are_mapped() {
    let maps = "cd /proc/self; for i in u g; do sort -n ${i}id_map; done; id -u; id -g";

    for (options, seen) in [
        (
            "-U --map-users 0:0:10 --map-users 20:1000:5 --map-groups 0:0:3",
            "0 0 10 20 1000 5 0 0 3 0 0",
        ),
        (
            "--map-users 0,5,3 --map-groups all",
            "5 0 3 0 0 4294967295 5 0",
        ),
        // The caller's id is taken out of the range that has it.
        (
            "--map-users 0:100:10 --map-user 5 --map-groups all",
            "0 100 5 5 0 1 6 106 4 0 0 4294967295 5 0",
        ),
        (
            "--map-users 0:0:10 --map-groups all -S 3 -G 4",
            "0 0 10 0 0 4294967295 3 4",
        ),
        (
            "--map-users 0:0:10 --map-groups all -S 3 -G 4 -f",
            "0 0 10 0 0 4294967295 3 4",
        ),
    ] {
        let output = shell(EXECNS, 0, options, maps);
        let words: Vec<String> = text(&output)
            .split_whitespace()
            .map(str::to_string)
            .collect();

        assert_eq!(words.join(" "), seen, "{options}");
    }
}

#[test]
fn setgroups_is_what_is_asked_for() {
    for (options, seen) in [
        ("-U --setgroups deny", "deny"),
        ("-U --setgroups allow", "allow"),
        ("-U --map-groups all", "allow"),
        ("-f --map-groups all --map-user 0 --setgroups=deny", "deny"),
        ("-r", "deny"),
    ] {
        let output = shell(EXECNS, 0, options, "cat /proc/self/setgroups");

        assert_eq!(text(&output), format!("{seen}\n"), "{options}");
    }
}

#[test]
fn descriptors_are_those_that_are_listed() {
    let list = "cd /proc/self/fd; for i in *; do echo $i $(readlink $i); done | grep -v ^10";

    for stage in ["", "-f", "-rpf --mount-proc"] {
        let run = |options: &str| {
            let script = format!(
                "exec 5</etc/passwd 6</etc/group 7</dev/zero; exec {EXECNS} {stage} {options} -- \
                 /bin/sh -c '{list}'"
            );
            text(
                &Command::new("/bin/sh")
                    .args(["-c", &script])
                    .output()
                    .unwrap(),
            )
        };
        let links = |options: &str, number: u32| {
            let text = run(options);
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{number} ")));
            line.map(|line| line.split_once(' ').unwrap().1.to_string())
        };

        assert_eq!(links("", 5), None, "{stage}");
        assert!(links("", 0).is_some(), "{stage}");
        assert_eq!(
            links("--keep-fd 5", 5).as_deref(),
            Some("/etc/passwd"),
            "{stage}"
        );
        assert_eq!(links("--keep-fd 5", 7), None, "{stage}");
        let swap = "--keep-fd 5:6 --keep-fd 6:5 --keep-fd 5:9";
        assert_eq!(links(swap, 5).as_deref(), Some("/etc/group"), "{stage}");
        assert_eq!(links(swap, 6).as_deref(), Some("/etc/passwd"), "{stage}");
        assert_eq!(links(swap, 9).as_deref(), Some("/etc/passwd"), "{stage}");
        assert_eq!(
            links("--keep-fd 7:0", 0).as_deref(),
            Some("/dev/zero"),
            "{stage}"
        );
        let closed = "--close-stdio --keep-fd 1";
        assert!(links(closed, 1).is_some(), "{stage}");
        assert_eq!(links(closed, 2), None, "{stage}");
    }
}

#[test]
fn the_program_dies_with_the_command() {
    let script = format!("{EXECNS} -rp --kill-child sleep 1000 & sleep 1; kill -KILL $!; sleep 1");

    assert!(
        Command::new("/bin/sh")
            .args(["-c", &script])
            .status()
            .unwrap()
            .success()
    );
    let left = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep 100[0]'";
    let left = Command::new("/bin/sh").args(["-c", left]).output().unwrap();
    assert_eq!(text(&left), "");
}

#[test]
fn it_asks_the_kernel_and_shows_without_running() {
    let file = "/tmp/command.ran";

    for options in [
        "--check",
        "--show",
        "--check -rpf --mount-proc",
        "--show -rm",
    ] {
        let output = command(EXECNS, 0, options)
            .args(["--", "touch", file])
            .output()
            .unwrap();

        assert!(output.status.success(), "{options}: {}", text(&output));
        assert!(fs::metadata(file).is_err(), "{options}");
    }
    let shown = text(&shell(EXECNS, 0, "--show -r --keep-fd 0:9", ""));
    for word in [
        "user namespace",
        "0 is 0 outside",
        "descriptor 9",
        "/bin/sh",
        "denied",
    ] {
        assert!(shown.contains(word), "{word} in {shown}");
    }
    for name in ["bash", "zsh", "fish"] {
        let output = command(EXECNS, 0, "--completions")
            .arg(name)
            .output()
            .unwrap();
        assert!(text(&output).contains("mount-proc"), "{name}");
    }
}

#[test]
fn signals_are_not_ignored_for_the_program() {
    // As they are for a program whose starter is written in Rust, if it does not take care.
    let mask = "Sig[IB] /proc/self/status";
    let plain = command("/bin/grep", 0, mask).output().unwrap();

    for options in ["-r", "-rf", "-S root", "-rf -S root"] {
        let output = command(EXECNS, 0, &format!("{options} /bin/grep {mask}"))
            .output()
            .unwrap();

        assert_eq!(text(&output), text(&plain), "{options}");
    }
}
