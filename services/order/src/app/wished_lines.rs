//! What a client wishes of an order's lines: how many units of those that are there, and others beside them.

use std::collections::HashMap;

use ::store::{Error, Tx};
use contracts::FieldError;
use kernel::money::line_amount;
use kernel::{Currency, Money, Quantity};

use super::book::{Book, merge};
use super::document::Document;
use super::extend_order::{Extension, Goods, NewLine, order_form, refused, renamed};
use super::references::{Known, Needs, Sku};
use super::refusal::Refusal;
use crate::domain::form::{LineForm, PaymentForm};
use crate::domain::growth;
use crate::store::lines::{self, LineRow};
use crate::store::{code, orders, to_json_list};

/// The lines that a client wishes for.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Units that are still wanted, by line, those that were added to it among them.
    pub lines: Vec<(i32, i64)>,
    /// New lines, as of a new order.
    pub add: Vec<LineForm>,
    /// What the freight rises by.
    pub freight: Option<Money>,
    /// A discount on what is added.
    pub discount: Option<Money>,
    /// The tax of what is added, instead of the lines' own.
    pub tax: Option<Money>,
    /// Whether prices hold their tax; as those of the order, when left out.
    pub prices_include_tax: Option<bool>,
    /// What was paid for it.
    pub payments: Vec<PaymentForm>,
    /// What is known of the SKUs.
    pub known: Known,
}

impl Wish {
    /// Whether lines stay as they are.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.adds_nothing()
    }

    fn adds_nothing(&self) -> bool {
        let amounts = [self.freight, self.discount, self.tax];
        self.add.is_empty() && self.payments.is_empty() && amounts.iter().all(Option::is_none)
    }

    /// A refusal in the words of the wish: its new lines are the first of those that are added.
    pub fn named(&self, refusal: Refusal) -> Refusal {
        renamed(refusal, |field| {
            let of_line = field.strip_prefix("lines[").and_then(|rest| rest.split_once(']'));
            match of_line.map(|(index, _)| index.parse::<usize>().is_ok_and(|index| index < self.add.len())) {
                Some(false) => "lines".to_owned(),
                Some(true) => format!("add.{field}"),
                None if ["lines", "freight", "discount", "tax"].contains(&field) => format!("add.{field}"),
                None if field.starts_with("payments") => format!("add.{field}"),
                None => field.to_owned(),
            }
        })
    }
}

/// What has to be known to carry out a wish: the SKUs of new lines, and of the lines that get more units.
pub fn needs(tx: &mut Tx<'_>, id: kernel::id::OrderId, wish: &Wish) -> Result<Needs, Error> {
    let mut needs = Needs::default();
    let Some(order) = orders::find(tx, id)? else { return Ok(needs) };
    let document: Document = serde_json::from_str(&order.document)?;
    let new = |form: &LineForm| NewLine { form: form.clone(), goods: Goods::default(), extends: None };
    let extension = Extension { lines: wish.add.iter().map(new).collect(), ..Extension::default() };
    needs.add_order(&order_form(&order, &document, &extension)?);
    let rows = lines::of(tx, &[order.order_id])?.remove(&order.order_id).unwrap_or_default();
    for row in rows.iter().filter(|row| wish.lines.iter().any(|(line_no, _)| *line_no == row.line_no)) {
        needs.add_sku(&code(&row.sku)?);
    }
    Ok(needs)
}

/// The units that lines lose, and what the order has more.
pub fn steps(tx: &mut Tx<'_>, book: &Book, wish: &Wish) -> Result<(Vec<(i32, i64)>, Option<Extension>), Refusal> {
    let (cuts, more) = differences(book, &wish.lines)?;
    if more.is_empty() && wish.add.is_empty() {
        if wish.adds_nothing() {
            return Ok((cuts, None));
        }
        return Err(Refusal::invalid("add.lines", "nothing is added that this could be for"));
    }
    let mut added = new_lines(tx, book, wish)?;
    let id = book.order.order_id;
    let rows = lines::of(tx, &[id])?.remove(&id).unwrap_or_default();
    let rows: HashMap<i32, &LineRow> = rows.iter().map(|row| (row.line_no, row)).collect();
    let mut numbers = growth::numbers(&book.lines);
    for (index, line_no, units) in more {
        let row = rows.get(&line_no).ok_or(Error::Broken("a locked order's lines are in the book"))?;
        let number =
            numbers.next().ok_or_else(|| Refusal::State("the order has no number for another line".to_owned()))?;
        check_sold(&wish.known, row, index)?;
        added.push(more_units(row, (number, units), book.order.currency()?, index)?);
    }
    let amount = |money: Option<Money>| money.map_or(0, |money| money.amount);
    check_currency(book, wish)?;
    let extension = Extension {
        lines: added,
        freight: amount(wish.freight),
        discount: amount(wish.discount),
        tax: wish.tax.map(|tax| tax.amount),
        prices_include_tax: wish.prices_include_tax,
        payments: wish.payments.clone(),
    };
    Ok((cuts, Some(extension)))
}

/// Units that lines lose, each line named once, and more units by place and line.
type Differences = (Vec<(i32, i64)>, Vec<(usize, i32, i64)>);

fn differences(book: &Book, wanted: &[(i32, i64)]) -> Result<Differences, Refusal> {
    let (mut cuts, mut more) = (Vec::new(), Vec::new());
    for (index, (line_no, units)) in wanted.iter().enumerate() {
        let named = |detail: String| Refusal::invalid(format!("lines[{index}].line_no"), detail);
        let line = book.lines.iter().find(|line| line.line_no == *line_no);
        let line = line.ok_or_else(|| named(format!("the order has no line {line_no}")))?;
        let others = || wanted.iter().take(index).map(|(other, _)| *other);
        if others().any(|other| other == *line_no) {
            return Err(named("is named twice".to_owned()));
        }
        if let Some(extended) = line.extends.filter(|extended| wanted.iter().any(|(other, _)| other == extended)) {
            return Err(named(format!("its units are among those of line {extended}, which is named as well")));
        }
        let live = if line.extends.is_some() { line.live() } else { growth::live(&book.lines, *line_no) };
        match (line.extends, units.saturating_sub(live)) {
            (_, 0) => {}
            (Some(_), fewer) if fewer < 0 => cuts.push((*line_no, fewer.saturating_neg())),
            (None, fewer) if fewer < 0 => cuts.extend(growth::take_off(&book.lines, *line_no, fewer.saturating_neg())),
            (Some(extended), _) => {
                let detail =
                    format!("the line has {live} units; more are asked for of line {extended}, which it extends");
                return Err(Refusal::invalid(format!("lines[{index}].quantity"), detail));
            }
            (None, units) => more.push((index, *line_no, units)),
        }
    }
    Ok((merge(cuts), more))
}

/// The new lines, with what they sell.
fn new_lines(tx: &mut Tx<'_>, book: &Book, wish: &Wish) -> Result<Vec<NewLine>, Refusal> {
    let stored = orders::find(tx, book.order.id())?.ok_or(Error::Broken("a locked order is in the book"))?;
    let document: Document = serde_json::from_str(&stored.document).map_err(Error::from)?;
    let new = |form: &LineForm| NewLine { form: form.clone(), goods: Goods::default(), extends: None };
    let mut added: Vec<NewLine> = wish.add.iter().map(new).collect();
    let form = order_form(&stored, &document, &Extension { lines: added.clone(), ..Extension::default() })?;
    let skus = wish.known.order(&form).map_err(|refusal| wish.named(refused(refusal)))?;
    for (index, line) in added.iter_mut().enumerate() {
        // A line without a SKU is refused where it is priced.
        if let Some(sku) = skus.get(index) {
            line.goods = Goods::of(sku)?;
        }
    }
    Ok(added)
}

impl Goods {
    fn of(sku: &Sku) -> Result<Self, Error> {
        let components = to_json_list(&sku.components)?;
        Ok(Self { sku: sku.code.to_string(), category: sku.category.clone(), components })
    }
}

/// More units are sold only of what is sold.
fn check_sold(known: &Known, row: &LineRow, index: usize) -> Result<(), Refusal> {
    let (field, sku) = (format!("lines[{index}].line_no"), code(&row.sku)?);
    match known.sku(&sku) {
        Some(sku) if sku.active => Ok(()),
        Some(_) => Err(Refusal::Rule(FieldError { field, detail: format!("{sku} is not an active SKU") })),
        None => Err(Refusal::unknown(field, format!("{sku} is not a known SKU"))),
    }
}

/// More units of a line at its price, a gift's for nothing, and without its discount.
fn more_units(
    row: &LineRow,
    (line_no, units): (i32, i64),
    currency: Currency,
    index: usize,
) -> Result<NewLine, Refusal> {
    let extras = row.extras()?;
    if extras.tax_amount.is_some() && extras.tax_rate.is_none() {
        let detail = "the line's tax was told as an amount: add a line that says its own";
        return Err(Refusal::invalid(format!("lines[{index}].quantity"), detail));
    }
    let beyond =
        |error: kernel::money::MoneyError| Refusal::invalid(format!("lines[{index}].quantity"), error.to_string());
    let list = line_amount(row.unit_price, units, currency).map_err(beyond)?;
    let quantity = Quantity::try_from(units).map_err(|_| Error::Broken("more units are more than none"))?;
    let (sku, channel_sku) = row.named()?;
    let form = LineForm {
        line_no,
        sku,
        channel_sku,
        quantity,
        unit_price: None,
        unit_price_decimal: Some(row.unit_price.to_string()),
        discount: extras.gift.then(|| Money::new(list, currency)),
        tax_rate: extras.tax_rate,
        tax_amount: None,
        gift: extras.gift,
        gift_with: extras.gift_with,
    };
    Ok(NewLine { form, goods: Goods::kept(row), extends: Some(row.line_no) })
}

impl Goods {
    /// What a line sells.
    pub fn kept(row: &LineRow) -> Self {
        Self { sku: row.sku.clone(), category: row.category.clone(), components: row.components.clone() }
    }
}

fn check_currency(book: &Book, wish: &Wish) -> Result<(), Refusal> {
    let currency = book.order.currency()?;
    for (field, money) in [("freight", wish.freight), ("discount", wish.discount), ("tax", wish.tax)] {
        if let Some(money) = money.filter(|money| money.currency != currency) {
            let detail = format!("is in {}, the order in {currency}", money.currency);
            return Err(Refusal::invalid(format!("add.{field}"), detail));
        }
    }
    Ok(())
}
