// SPDX-License-Identifier: GPL-2.0

//! Whether what came out of a case had to, and how often what did.

use super::circumstance::Circumstance;
use super::counts::{Column, Counts};
use super::end::{AGENT, End};
use super::model::Expected;
use super::shared::Slot;
use super::snapshot::differences;
use super::strace;

/// Whether that is what had to come out. Otherwise says which call is wrong, and how.
pub fn judge(
    counts: Counts,
    slot: Slot,
    circumstance: &Circumstance,
    expected: &[Expected],
    end: End,
    program: Option<Result<String, String>>,
) -> Result<(), (usize, String)> {
    let rows = circumstance.rows();
    let begun = slot.begun();
    let last = expected.len() - 1;
    let mut failed = 0;
    let mut checks = 0;

    for (i, expected) in expected.iter().enumerate().take(begun) {
        match slot.result(i) {
            Some(Ok(())) => {
                counts.add_errno(0);
                checks += 1;
            }
            Some(Err(errno)) => {
                counts.add_errno(errno);
                failed += 1;
            }
            None => continue,
        }
        let result = slot.result(i).unwrap_or(Ok(()));
        if !expected.allows(result) {
            let is = strace::errno(result.err().unwrap_or(0));
            let mut may: Vec<_> = expected.errnos.iter().map(|e| strace::errno(*e)).collect();
            if expected.success {
                may.push("0".into());
            }
            return Err((
                i,
                format!("result of call {i}: it is {is}, not {}", may.join(" or ")),
            ));
        }
    }
    counts.add(rows, Column::Calls, begun as u64);
    counts.add(rows, Column::Failed, failed);
    counts.add(rows, Column::Checks, checks);
    let at = begun.saturating_sub(1).min(last);
    let is_program = program.is_some() || end == End::Exited(AGENT);
    if is_program {
        counts.add(rows, Column::Execs, 1);
        counts.add_errno(0);
        if begun <= last || !expected[last].success {
            return Err((at, "result: it is 0 and a program, and may not be".into()));
        }
    }
    match program {
        Some(Ok(text)) if circumstance.is_vague() || text.is_empty() => {}
        Some(Ok(text)) => {
            return Err((last, format!("the program is not as it has to be: {text}")));
        }
        Some(Err(_)) => counts.add(rows, Column::Unseen, 1),
        None if is_program => counts.add(rows, Column::Unseen, 1),
        None => {}
    }
    match end {
        End::Killed(signal) => {
            counts.add(rows, Column::Killed, 1);
            if !circumstance.may_be_killed() && !expected[at].may_die {
                return Err((at, format!("the caller was killed by signal {signal}")));
            }
        }
        End::Exited(0) if begun == expected.len() => {}
        End::Exited(status) if !is_program && !expected[at].may_die => {
            return Err((
                at,
                format!("the caller ended with {status} after {begun} calls"),
            ));
        }
        End::Exited(_) | End::Stopped => {}
    }
    if let Some((before, after)) = slot.compared() {
        let changes = differences(&before, &after);
        if !changes.is_empty() {
            return Err((
                at,
                format!("failed calls have changed the caller: {changes}"),
            ));
        }
    }
    Ok(())
}
