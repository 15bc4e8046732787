// SPDX-License-Identifier: GPL-2.0

//! What the benchmarks print for a person.

use comfy_table::{CellAlignment, Table, presets};

/// A table whose first column is text, and whose others are numbers.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();

    table
        .load_preset(presets::ASCII_BORDERS_ONLY_CONDENSED)
        .set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn verdict(holds: bool, text: &str) -> bool {
    println!("  {} {text}", if holds { "ok  " } else { "MISS" });
    holds
}

/// Says whether a number is not greater than another.
pub fn at_most(what: &str, value: f64, limit: f64) -> bool {
    verdict(
        value <= limit,
        &format!("{what}: {value:.3} (at most {limit})"),
    )
}

/// Says whether a number is not less than another.
pub fn at_least(what: &str, value: f64, limit: f64) -> bool {
    verdict(
        value >= limit,
        &format!("{what}: {value:.3} (at least {limit})"),
    )
}
