//! Results on stdout.

use std::io::{ErrorKind, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::{Map, Value};
use tinderbox_base::{Error, Result, files};

/// Writes text to stdout. A reader that went away (`| head`) is no error.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => {
            Err(Error::failed("cannot write the result").cause(files::describe(&cause)))
        }
        _ => Ok(()),
    }
}

/// Like [`print`], in colours where stdout is a terminal that wants them.
pub fn print_styled(text: &str) -> Result<()> {
    match anstream::AutoStream::choice(&std::io::stdout()) {
        anstream::ColorChoice::Never => print(&anstream::adapter::strip_str(text).to_string()),
        _ => print(text),
    }
}

/// Writes one JSON object in a line, with the version of its keys first.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let failed = |cause| Error::failed("cannot write the result as JSON").cause(cause);
    let mut object = Map::from_iter([("v".to_owned(), Value::from(1))]);
    if let Value::Object(fields) = serde_json::to_value(value).map_err(failed)? {
        object.extend(fields);
    }
    print(&format!("{}\n", Value::Object(object)))
}

/// Rows under a header, aligned, without lines; columns of numbers to the right.
pub struct Rows {
    table: Table,
}

impl Rows {
    /// An empty table. A column whose name starts with `>` is aligned to the right.
    pub fn new(header: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.iter().map(|name| name.trim_start_matches('>')));
        for (column, name) in table.column_iter_mut().zip(header) {
            column.set_padding((0, 2));
            if name.starts_with('>') {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { table }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.table.add_row(cells.into_iter().collect::<Vec<_>>());
    }

    /// The table's text, a line a row, without spaces at the ends.
    pub fn text(&self) -> String {
        self.table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
    }
}
