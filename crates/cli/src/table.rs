//! Tables for people: plain columns, a rule under the head, nothing coloured.

use comfy_table::{CellAlignment, ContentArrangement, ContentLineStyle, LineStyle, Row, Table, TableStyle};
use joulebar_core::power::summary::{RailSummary, SummaryRail};

use crate::format;

const STYLE: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─'))
    .content_lines(ContentLineStyle::none());

/// Lays rows out under a head. The first `words` columns are set left, the others, which hold numbers, right.
#[must_use]
pub fn layout<R: Into<Row>>(head: &[&str], words: usize, rows: impl IntoIterator<Item = R>) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    table.add_rows(rows);
    let last = head.len().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
        column.set_cell_alignment(if index < words { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.trim_fmt()
}

/// The name of a rail on the screen.
#[must_use]
pub fn rail_name(rail: SummaryRail) -> &'static str {
    match rail {
        SummaryRail::Cpu => "CPU",
        SummaryRail::Gpu => "GPU",
        SummaryRail::Ane => "ANE",
        SummaryRail::Dram => "DRAM",
        SummaryRail::Soc => "SoC",
        SummaryRail::System => "System",
    }
}

/// Power and energy of each rail.
#[must_use]
pub fn rails(rails: &[RailSummary]) -> String {
    let rows = rails.iter().map(|rail| {
        let powers = [rail.min_mw, rail.avg_mw, rail.p50_mw, rail.p95_mw, rail.max_mw].map(format::power);
        let mut row = vec![rail_name(rail.rail).to_owned()];
        row.extend(powers);
        row.push(format::or_dash(rail.energy_j, format::energy));
        row
    });
    layout(&["rail", "min", "avg", "p50", "p95", "max", "energy"], 1, rows)
}
