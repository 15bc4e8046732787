// SPDX-License-Identifier: GPL-2.0

//! The names of signals.

const MAX: u32 = 64;

/// The first 31, from 1 on.
static NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// `TERM`, `SIGTERM` or `15`.
pub fn number(text: &[u8]) -> Option<u8> {
    if let Ok(number) = crate::options::number(text) {
        return (1..=MAX).contains(&number).then_some(number as u8);
    }
    let name = text.strip_prefix(b"SIG").unwrap_or(text);
    let index = NAMES
        .iter()
        .position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;

    Some(index as u8 + 1)
}

/// Without `SIG`.
pub fn name(number: u8) -> Option<&'static str> {
    NAMES.get(usize::from(number).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_those_of_the_c_library() {
        for (text, number) in [
            ("TERM", libc::SIGTERM),
            ("SIGKILL", libc::SIGKILL),
            ("usr2", libc::SIGUSR2),
            ("SYS", libc::SIGSYS),
            ("15", 15),
            ("64", 64),
        ] {
            assert_eq!(
                super::number(text.as_bytes()).map(i32::from),
                Some(number),
                "{text}"
            );
        }
        for text in ["", "0", "65", "SIG", "NONE", "-1"] {
            assert_eq!(super::number(text.as_bytes()), None, "{text}");
        }
        assert_eq!(name(9), Some("KILL"));
        assert_eq!(name(0), None);
        assert_eq!(name(32), None);
    }
}
