//! A workbook for spreadsheet programs (Office Open XML), written row by row: a row is on the disk when the next one comes.

use std::fs::File;
use std::io::{BufWriter, Seek};

use rust_xlsxwriter::{Workbook, XlsxError};
use serde_json::Value;

/// The rows of a sheet that spreadsheet programs read, the line of names among them.
pub const ROWS_PER_SHEET: u32 = 1_048_576;
/// More sheets than this no such program opens in reasonable time; and their rows take gigabytes on the disk meanwhile.
const MAX_SHEETS: u32 = 5;

/// Why a workbook cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SheetsError {
    /// The format or the disk does not take it.
    #[error("the workbook cannot be written: {0}")]
    Workbook(#[from] XlsxError),
    /// The disk does not take it.
    #[error("the workbook's file cannot be written: {0}")]
    File(#[from] std::io::Error),
    /// Too much for a spreadsheet.
    #[error("a workbook has {MAX_SHEETS} sheets at most: ask for less, or for csv")]
    TooMany,
}

/// A workbook in the making.
pub struct Sheets {
    workbook: Workbook,
    columns: &'static [&'static str],
    rows_per_sheet: u32,
    sheets: u32,
    next_row: u32,
}

impl Sheets {
    /// A workbook whose sheets have these columns and at most so many rows.
    pub fn new(columns: &'static [&'static str], rows_per_sheet: u32) -> Result<Self, SheetsError> {
        let mut sheets = Self { workbook: Workbook::new(), columns, rows_per_sheet, sheets: 0, next_row: 0 };
        sheets.begin()?;
        Ok(sheets)
    }

    fn begin(&mut self) -> Result<(), SheetsError> {
        if self.sheets == MAX_SHEETS {
            return Err(SheetsError::TooMany);
        }
        self.sheets = self.sheets.saturating_add(1);
        self.next_row = 1;
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(format!("orders {}", self.sheets))?;
        for (column, name) in (0..).zip(self.columns) {
            sheet.write_string(0, column, *name)?;
        }
        Ok(())
    }

    /// Adds an item as a row: its fields are found by the columns' names. A text stays a text whatever it begins with.
    pub fn add(&mut self, item: &Value) -> Result<(), SheetsError> {
        if self.next_row >= self.rows_per_sheet {
            self.begin()?;
        }
        let row = self.next_row;
        let last = usize::try_from(self.sheets.saturating_sub(1)).unwrap_or(usize::MAX);
        let sheet = self.workbook.worksheet_from_index(last)?;
        for (column, name) in (0..).zip(self.columns) {
            match item.get(name) {
                Some(Value::String(text)) => sheet.write_string(row, column, text)?,
                // Amounts stay below 10^15, which a double holds exactly.
                Some(Value::Number(number)) => sheet.write_number(row, column, number.as_f64().unwrap_or_default())?,
                _ => continue,
            };
        }
        self.next_row = row.saturating_add(1);
        Ok(())
    }

    /// The finished workbook, in a file without a name.
    pub fn finish(mut self) -> Result<File, SheetsError> {
        let mut file = tempfile::tempfile()?;
        self.workbook.save_to_writer(BufWriter::new(&mut file))?;
        file.rewind()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use calamine::{Data, Reader, Xlsx};
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_go_on_in_another_sheet_and_texts_stay_texts() {
        let mut sheets = Sheets::new(&["no", "units"], 3).unwrap();
        for number in 1..=5 {
            sheets.add(&json!({"units": number, "no": format!("=1+{number}"), "other": 1})).unwrap();
        }
        let mut read = Xlsx::new(BufReader::new(sheets.finish().unwrap())).unwrap();
        assert_eq!(read.sheet_names(), ["orders 1", "orders 2", "orders 3"]);
        let mut rows = |sheet: &str| -> Vec<Vec<Data>> {
            read.worksheet_range(sheet).unwrap().rows().map(<[Data]>::to_vec).collect()
        };
        let text = |text: &str| Data::String(text.to_owned());
        let names = vec![text("no"), text("units")];
        let row = |number: u8| vec![text(&format!("=1+{number}")), Data::Float(f64::from(number))];
        assert_eq!(rows("orders 1"), [names.clone(), row(1), row(2)]);
        assert_eq!(rows("orders 2"), [names.clone(), row(3), row(4)]);
        assert_eq!(rows("orders 3"), [names, row(5)]);
    }

    #[test]
    fn a_workbook_has_an_end() {
        let mut sheets = Sheets::new(&["no"], 2).unwrap();
        for _ in 0..MAX_SHEETS {
            sheets.add(&json!({"no": 1})).unwrap();
        }
        assert!(matches!(sheets.add(&json!({"no": 1})), Err(SheetsError::TooMany)));
    }
}
