//! What a channel's update makes of an order's lines: the difference between what it says now and what it said last, so that
//! what was changed here meanwhile stays.

use ::store::{Error, Tx};
use kernel::{Money, Quantity};

use super::book::Book;
use super::document::Document;
use super::extend_order::{Extension, Goods, NewLine};
use super::place_orders::Place;
use crate::domain::form::LineForm;
use crate::domain::growth;
use crate::domain::sent::{Sent, SentLine};
use crate::store::lines::{self, LineRow};
use crate::store::orders::OrderRow;

/// What an update changes of lines.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Units that lines lose, each line named once.
    pub cuts: Vec<(i32, i64)>,
    /// What the order has more.
    pub extension: Option<Extension>,
}

/// Why an update of lines is none: a field of it cannot be changed so.
#[derive(Debug)]
pub enum Refusal {
    /// This one.
    Contradicts(&'static str),
    /// What is stored cannot be read.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// What the channel said of an order to which nothing was added yet.
pub fn as_placed(tx: &mut Tx<'_>, order: &OrderRow, document: &Document) -> Result<Sent, Error> {
    let rows = lines::of(tx, &[order.order_id])?.remove(&order.order_id).unwrap_or_default();
    said(&rows, order, document)
}

/// What an order says of its lines as its channel hands it in.
pub fn said(rows: &[LineRow], order: &OrderRow, document: &Document) -> Result<Sent, Error> {
    let line = |row: &LineRow| -> Result<SentLine, Error> {
        let (line_no, quantity, discount) = (row.line_no, row.quantity, row.own_discount);
        Ok(SentLine { line_no, quantity, discount, tax: told_tax(row)? })
    };
    Ok(Sent {
        lines: rows.iter().map(line).collect::<Result<_, _>>()?,
        freight: order.freight_amount,
        discount: document.discount.map_or(0, |discount| discount.amount),
    })
}

/// The tax of a line that was told as an amount, its own or a share.
fn told_tax(row: &LineRow) -> Result<Option<i64>, Error> {
    let extras = row.extras()?;
    Ok(extras.tax_amount.filter(|_| extras.tax_rate.is_none()))
}

/// Works out what an update changes of the lines in the book, given what the channel said before and says now.
pub fn compare(
    book: &Book,
    rows: &[LineRow],
    (before, now): (&Sent, &Sent),
    place: &Place,
) -> Result<Changed, Refusal> {
    let (mut cuts, mut added) = (Vec::new(), Vec::new());
    let mut numbers = growth::numbers(&book.lines);
    for row in &place.lines {
        let known = rows.iter().find(|it| it.line_no == row.line_no);
        let said = before.line(row.line_no);
        let live = growth::live(&book.lines, row.line_no);
        let more = row.quantity.saturating_sub(said.quantity.max(live));
        match known {
            None => added.push(new_line(place, row, (row.line_no, row.quantity), said, None)?),
            Some(known) if !is_same(known, row) => return Err(Refusal::Contradicts("lines")),
            Some(_) if more > 0 => {
                let number = numbers.next().ok_or(Refusal::Contradicts("lines"))?;
                added.push(new_line(place, row, (number, more), said, Some(row.line_no))?);
            }
            // Another discount on the same units is another price.
            Some(_) if row.quantity == said.quantity && row.own_discount != said.discount => {
                return Err(Refusal::Contradicts("lines"));
            }
            Some(_) if row.quantity < said.quantity && row.quantity < live => {
                cuts.extend(growth::take_off(&book.lines, row.line_no, live.saturating_sub(row.quantity)));
            }
            Some(_) => {}
        }
    }
    // A line that is not sent any more is not wanted; one that was never sent was added here.
    let is_sent = |line_no: i32| place.lines.iter().any(|row| row.line_no == line_no);
    for said in before.lines.iter().filter(|said| said.quantity > 0 && !is_sent(said.line_no)) {
        let live = growth::live(&book.lines, said.line_no);
        cuts.extend(growth::take_off(&book.lines, said.line_no, live));
    }
    let extension =
        if added.is_empty() { None } else { Some(extension(added, (before, now), place, !cuts.is_empty())?) };
    Ok(Changed { cuts, extension })
}

/// Whether only units differ, and what follows them.
fn is_same(known: &LineRow, sent: &LineRow) -> bool {
    let kept = |row: &LineRow| row.extras().ok().map(|extras| (extras.gift, extras.gift_with, extras.tax_rate));
    known.sku == sent.sku && known.unit_price == sent.unit_price && kept(known) == kept(sent)
}

/// So many units of a line as it is sent, with what it says more than it said.
fn new_line(
    place: &Place,
    row: &LineRow,
    (line_no, units): (i32, i64),
    said: SentLine,
    extends: Option<i32>,
) -> Result<NewLine, Refusal> {
    let (currency, extras) = (place.order.currency()?, row.extras()?);
    let more = |now: i64, before: i64| {
        let more = now.checked_sub(before).filter(|more| *more >= 0).ok_or(Refusal::Contradicts("lines"))?;
        Ok::<Money, Refusal>(Money::new(more, currency))
    };
    // A tax of the whole order is told of the whole order.
    let tax = told_tax(row)?.filter(|_| !place.has_tax).map(|tax| more(tax, said.tax.unwrap_or_default()));
    let (sku, channel_sku) = row.named()?;
    let form = LineForm {
        line_no,
        sku,
        channel_sku,
        quantity: Quantity::try_from(units).map_err(|_| Error::Broken("sent lines have units"))?,
        unit_price: None,
        unit_price_decimal: Some(row.unit_price.to_string()),
        discount: Some(more(row.own_discount, said.discount)?),
        tax_rate: extras.tax_rate,
        tax_amount: tax.transpose()?,
        gift: extras.gift,
        gift_with: extras.gift_with,
    };
    Ok(NewLine { form, goods: Goods::kept(row), extends })
}

/// What the whole order says more than it said. Where it loses units as well, what goes back for those is worked out here.
fn extension(
    lines: Vec<NewLine>,
    (before, now): (&Sent, &Sent),
    place: &Place,
    loses: bool,
) -> Result<Extension, Refusal> {
    let more = |now: i64, before: i64, field: &'static str| match now.saturating_sub(before) {
        more if more >= 0 => Ok(more),
        _ if loses => Ok(0),
        _ => Err(Refusal::Contradicts(field)),
    };
    Ok(Extension {
        lines,
        freight: more(now.freight, before.freight, "freight")?,
        discount: more(now.discount, before.discount, "discount")?,
        tax: if place.has_tax { Some(more(now.tax(), before.tax(), "tax")?) } else { None },
        prices_include_tax: place.prices_include_tax,
        payments: Vec::new(),
    })
}
