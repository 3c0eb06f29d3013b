//! The table `sent_lines`: promised units on their way to the location where they are collected.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use store::{Error, Tx, statement};

use super::reserved::{self, ReservedLine};

/// Adds what was sent by a fulfilment order; the location of each line is where it goes. Parts of a line are added up.
pub fn add(tx: &mut Tx<'_>, lines: &[(String, ReservedLine)]) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let (fulfilments, lines): (Vec<String>, Vec<ReservedLine>) = lines.iter().cloned().unzip();
    let text = statement(
        "INSERT INTO sent_lines (order_id, line_no, sku, location, quantity, count_id, fulfilment) \
         SELECT order_id, line_no, sku, location, sum(quantity)::bigint, count_id, fulfilment \
         FROM unnest($1, $2, $3, $4, $5, $6, $7) AS t (order_id, line_no, sku, location, quantity, count_id, fulfilment) \
         GROUP BY fulfilment, order_id, line_no, sku, location, count_id",
    );
    reserved::bind(text, &lines).bind::<Array<Text>, _>(fulfilments).execute(tx.conn())?;
    Ok(())
}

/// What is on its way of these fulfilment orders, in the order of line, SKU and share.
pub fn of(tx: &mut Tx<'_>, fulfilments: &[String]) -> Result<HashMap<String, Vec<ReservedLine>>, Error> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        fulfilment: String,
        #[diesel(embed)]
        line: reserved::Row,
    }
    let rows: Vec<Row> = statement(
        "SELECT fulfilment, order_id AS owner, line_no, sku, location, quantity, count_id FROM sent_lines \
         WHERE fulfilment = ANY ($1) ORDER BY fulfilment, line_no, sku, count_id",
    )
    .bind::<Array<Text>, _>(fulfilments)
    .load(tx.conn())?;
    let mut lines: HashMap<String, Vec<ReservedLine>> = HashMap::new();
    for row in rows {
        lines.entry(row.fulfilment).or_default().push(row.line.line()?);
    }
    Ok(lines)
}

/// Removes what is no longer on its way.
pub fn remove(tx: &mut Tx<'_>, fulfilments: &[String]) -> Result<(), Error> {
    statement("DELETE FROM sent_lines WHERE fulfilment = ANY ($1)")
        .bind::<Array<Text>, _>(fulfilments)
        .execute(tx.conn())?;
    Ok(())
}
