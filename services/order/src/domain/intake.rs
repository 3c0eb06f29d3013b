//! What makes an order acceptable: limits, and amounts that add up to the minor unit.

use contracts::FieldError;
use contracts::events::{FulfilmentKind, OrderTotals};
use kernel::money::{MAX_AMOUNT, line_amount};
use kernel::{Currency, Money, allocate};
use rust_decimal::Decimal;

use super::coupons;
use super::extras::Extras;
use super::faults::Faults;
use super::form::{FulfilmentForm, LineForm, OrderForm, PaymentForm};
use super::gifts;
use super::growth::MAX_LINE_NO;
use super::payment_terms::{PaymentTerms, PaymentTermsForm};
use super::tax;

/// The most lines of an order. The longest invoice in published retail data has 1,114; a wholesale order may be longer.
pub const MAX_LINES: usize = 2_000;
/// The most identities of a buyer: more than one person has in one channel.
pub const MAX_IDENTITIES: usize = 10;
/// The most payments of an order: cards, vouchers and points together stay far below.
pub const MAX_PAYMENTS: usize = 20;
/// The longest order number, in characters: the longest platform's has 40.
pub const MAX_NUMBER_LENGTH: usize = 64;
/// The longest name, address field, identity or payment reference, in characters.
pub const MAX_TEXT_LENGTH: usize = 256;
/// The longest remark or reason, in characters.
pub const MAX_NOTE_LENGTH: usize = 1_000;
/// The most decimals of a unit price: finer than any published price list.
pub const MAX_PRICE_DECIMALS: usize = 12;
/// The most digits before the point of a unit price: with the decimals it still computes exactly.
pub const MAX_PRICE_DIGITS: usize = 14;

/// Why a form is not acceptable, every offending field named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A value is out of range or contradicts another.
    Invalid(Vec<FieldError>),
    /// The amounts do not add up.
    Amounts(Vec<FieldError>),
}

/// What an order costs, line by line, in the order of the form's lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Each line's amounts.
    pub lines: Vec<PricedLine>,
    /// Their sums.
    pub totals: OrderTotals,
    /// The tax that comes on top of prices, of all lines.
    pub added_tax_amount: i64,
}

/// What a line costs, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedLine {
    /// The price of one unit in major units, exactly as given.
    pub unit_price: Decimal,
    /// Unit price × quantity, rounded once.
    pub list_amount: i64,
    /// The line's own discount.
    pub own_discount: i64,
    /// The line's own discount and its shares of the order's and of coupons.
    pub discount_amount: i64,
    /// Its tax, where that comes on top of prices.
    pub added_tax_amount: i64,
    /// List − discount + added tax.
    pub paid_amount: i64,
    /// The line's share of the freight.
    pub freight_amount: i64,
    /// What it has beyond the usual.
    pub extras: Extras,
}

/// Checks a form and computes its amounts.
pub fn check(form: &OrderForm) -> Result<Priced, Refusal> {
    check_numbered(form, MAX_LINE_NO)
}

/// As [`check`], with line numbers up to another one.
pub fn check_numbered(form: &OrderForm, highest: i32) -> Result<Priced, Refusal> {
    let mut faults = Faults::default();
    if form.lines.iter().any(|line| !(1..=highest).contains(&line.line_no)) {
        faults.add("lines", format!("are numbered from 1 to {highest}"));
    }
    check_head(form, &mut faults);
    let prices = check_lines(form, &mut faults);
    faults.into_result().map_err(Refusal::Invalid)?;
    let priced = price(form, &prices)?;
    check_payments(form, priced.totals.total_amount)?;
    Ok(priced)
}

fn check_head(form: &OrderForm, faults: &mut Faults) {
    let currency = form.currency;
    faults.text("channel_order_no", &form.channel_order_no, MAX_NUMBER_LENGTH);
    faults.optional_text("parent_order_no", form.parent_order_no.as_deref(), MAX_NUMBER_LENGTH);
    if form.parent_order_no.as_ref() == Some(&form.channel_order_no) {
        faults.add("parent_order_no", "is the number of another order");
    }
    faults.optional_text("note", form.note.as_deref(), MAX_NOTE_LENGTH);
    faults.amount("freight", form.freight, currency);
    faults.amount("discount", form.discount, currency);
    faults.buyer(&form.buyer);
    check_fulfilment(&form.fulfilment, faults);
    tax::check(form, faults);
    coupons::check(form.coupons.as_deref().unwrap_or_default(), &form.lines, currency, faults);
    if let Some(terms) = &form.payment_terms {
        check_terms(terms, currency, faults);
    }
    let payments: &[PaymentForm] = form.payments.as_deref().unwrap_or_default();
    if payments.len() > MAX_PAYMENTS {
        faults.add("payments", format!("has at most {MAX_PAYMENTS} entries"));
    }
    for (index, payment) in payments.iter().enumerate().take(MAX_PAYMENTS) {
        faults.payment(&format!("payments[{index}]."), payment, currency);
    }
}

fn check_terms(terms: &PaymentTermsForm, currency: Currency, faults: &mut Faults) {
    if terms.kind == PaymentTerms::Settled {
        faults.add("payment_terms.type", "is left out for an order that is paid");
    }
    if terms.pay_by.is_some() && !terms.kind.is_in_advance() {
        faults.add("payment_terms.pay_by", "has no place in an order that is paid on delivery");
    }
    faults.amount("payment_terms.deposit", terms.deposit, currency);
    let is_presale = terms.kind == PaymentTerms::Presale;
    for (name, is_there) in [("deposit", terms.deposit.is_some()), ("balance_by", terms.balance_by.is_some())] {
        if is_there != is_presale {
            let detail = if is_presale { "is needed" } else { "belongs to a presale" };
            faults.add(format!("payment_terms.{name}"), detail);
        }
    }
}

fn check_fulfilment(fulfilment: &FulfilmentForm, faults: &mut Faults) {
    match (fulfilment.kind, &fulfilment.ship_to, &fulfilment.location) {
        (FulfilmentKind::Ship, None, _) => faults.add("fulfilment.ship_to", "is needed to ship"),
        (FulfilmentKind::Ship, Some(_), Some(_)) => {
            faults.add("fulfilment.location", "is where a pickup is collected; a shipment's is found by sourcing");
        }
        (FulfilmentKind::Ship, Some(address), None) => faults.address("fulfilment.ship_to", address),
        (FulfilmentKind::Pickup, _, None) => faults.add("fulfilment.location", "is needed to collect"),
        (FulfilmentKind::Pickup, Some(_), Some(_)) => faults.add("fulfilment.ship_to", "has no place in a pickup"),
        (FulfilmentKind::Pickup, None, Some(_)) => {}
    }
}

/// Checks each line's shape; answers the unit prices it could read.
fn check_lines(form: &OrderForm, faults: &mut Faults) -> Vec<Decimal> {
    if form.lines.is_empty() || form.lines.len() > MAX_LINES {
        faults.add("lines", format!("has 1 to {MAX_LINES} entries"));
        return Vec::new();
    }
    let mut numbers: Vec<i32> = form.lines.iter().map(|line| line.line_no).collect();
    numbers.sort_unstable();
    if let Some(twice) = numbers.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some(*a),
        _ => None,
    }) {
        faults.add("lines", format!("have numbers of their own; {twice} is there twice"));
    }
    let mut prices = Vec::with_capacity(form.lines.len());
    for (index, line) in form.lines.iter().enumerate() {
        match (&line.sku, &line.channel_sku) {
            (Some(_), Some(_)) => {
                faults.add(format!("lines[{index}].channel_sku"), "is given instead of sku, not with it")
            }
            (None, None) => faults.add(format!("lines[{index}].sku"), "is missing"),
            _ => {}
        }
        faults.amount(&format!("lines[{index}].discount"), line.discount, form.currency);
        match unit_price(line, form.currency) {
            Ok(price) => prices.push(price),
            Err((field, detail)) => faults.add(format!("lines[{index}].{field}"), detail),
        }
    }
    gifts::check(&form.lines, faults);
    prices
}

fn unit_price(line: &LineForm, currency: Currency) -> Result<Decimal, (&'static str, String)> {
    match (line.unit_price, &line.unit_price_decimal) {
        (Some(_), Some(_)) => Err(("unit_price_decimal", "is given instead of unit_price, not with it".to_owned())),
        (None, None) => Err(("unit_price", "is missing".to_owned())),
        (Some(money), None) => money_price(money, currency).map_err(|detail| ("unit_price", detail)),
        (None, Some(text)) => parse_price(text).map_err(|detail| ("unit_price_decimal", detail)),
    }
}

/// A price in minor units as an exact decimal of the major unit.
pub fn money_price(money: Money, currency: Currency) -> Result<Decimal, String> {
    if money.currency != currency {
        return Err(format!("is in {}, the order in {currency}", money.currency));
    }
    if !(0..=MAX_AMOUNT).contains(&money.amount) {
        return Err(format!("lies between 0 and {MAX_AMOUNT} minor units"));
    }
    Ok(Decimal::new(money.amount, currency.minor_digits()))
}

/// An exact decimal: digits, and after a point at most [`MAX_PRICE_DECIMALS`] more.
pub fn parse_price(text: &str) -> Result<Decimal, String> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |part: &str, max: usize| (1..=max).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let fits = digits(whole, MAX_PRICE_DIGITS) && fraction.is_none_or(|part| digits(part, MAX_PRICE_DECIMALS));
    let price = if fits { Decimal::from_str_exact(text).ok() } else { None };
    price.ok_or_else(|| {
        format!(
            "is a plain decimal of at most {MAX_PRICE_DIGITS} digits and {MAX_PRICE_DECIMALS} decimals, such as 2.555"
        )
    })
}

/// Computes every amount: list amounts rounded once per line, the order's discount, coupons and freight shared out by
/// largest remainder, ties to the earlier line.
fn price(form: &OrderForm, prices: &[Decimal]) -> Result<Priced, Refusal> {
    let mut faults = Faults::default();
    let mut lists = Vec::with_capacity(form.lines.len());
    let mut nets = Vec::with_capacity(form.lines.len());
    for (index, (line, unit_price)) in form.lines.iter().zip(prices).enumerate() {
        match line_amount(*unit_price, line.quantity.get(), form.currency) {
            Err(error) => faults.add(format!("lines[{index}].unit_price"), error.to_string()),
            Ok(list) => {
                let own = amount(line.discount);
                if own > list {
                    faults.add(format!("lines[{index}].discount"), format!("is {own}, the line only {list}"));
                }
                if line.gift && own < list {
                    let detail = "costs nothing: its price is 0, or its own discount all of it";
                    faults.add(format!("lines[{index}].gift"), detail);
                }
                lists.push(list);
                nets.push(list.saturating_sub(own));
            }
        }
    }
    let net_amount = nets.iter().try_fold(0_i64, |sum, net| sum.checked_add(*net)).unwrap_or(i64::MAX);
    if amount(form.discount) > net_amount {
        faults.add("discount", format!("is {}, the lines only {net_amount}", amount(form.discount)));
    }
    faults.into_result().map_err(Refusal::Amounts)?;
    let shares = share(amount(form.discount), &nets);
    let costs: Vec<i64> = nets.iter().zip(&shares).map(|(net, share)| net.saturating_sub(*share)).collect();
    let used = form.coupons.as_deref().unwrap_or_default();
    let (mut coupons, nets) = coupons::share_out(used, &form.lines, &costs).map_err(Refusal::Amounts)?;
    let taxes = tax::of_lines(form, &nets).map_err(Refusal::Amounts)?;
    let added: Vec<i64> = taxes.iter().map(|it| it.filter(|_| tax::is_added(form)).unwrap_or_default()).collect();
    let paid: Vec<i64> = nets.iter().zip(&added).map(|(net, tax)| net.saturating_add(*tax)).collect();
    let quantities: Vec<i64> = form.lines.iter().map(|line| line.quantity.get()).collect();
    // Freight follows what is paid; where nothing is paid for any line, it follows the units.
    let weights = if paid.iter().all(|amount| *amount == 0) { &quantities } else { &paid };
    let freights = share(amount(form.freight), weights);
    let mut lines = Vec::with_capacity(form.lines.len());
    for (index, (line, unit_price)) in form.lines.iter().zip(prices).enumerate() {
        let at = |amounts: &[i64]| amounts.get(index).copied().unwrap_or_default();
        lines.push(PricedLine {
            unit_price: *unit_price,
            list_amount: at(&lists),
            own_discount: amount(line.discount),
            discount_amount: at(&lists).saturating_sub(at(&nets)),
            added_tax_amount: at(&added),
            paid_amount: at(&paid),
            freight_amount: at(&freights),
            extras: Extras {
                coupons: coupons.get_mut(index).map(std::mem::take).unwrap_or_default(),
                tax_rate: line.tax_rate.as_deref().and_then(|text| tax::rate(text).ok()).map(|rate| rate.to_string()),
                tax_amount: taxes.get(index).copied().flatten(),
                gift: line.gift,
                gift_with: line.gift_with,
                extends: None,
            },
        });
    }
    let totals = add_up(&lines, amount(form.freight)).ok_or_else(|| {
        let detail = format!("add up to more than the limit of {MAX_AMOUNT} minor units");
        Refusal::Amounts(vec![FieldError { field: "lines".to_owned(), detail }])
    })?;
    let added_tax_amount = lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line.added_tax_amount));
    Ok(Priced { lines, totals, added_tax_amount })
}

fn amount(money: Option<Money>) -> i64 {
    money.map_or(0, |money| money.amount)
}

fn share(total: i64, weights: &[i64]) -> Vec<i64> {
    // `None` only means that every weight is zero, and then there is nothing to share out.
    allocate(total, weights).unwrap_or_else(|| vec![0; weights.len()])
}

fn add_up(lines: &[PricedLine], freight_amount: i64) -> Option<OrderTotals> {
    let sum = |part: fn(&PricedLine) -> i64| lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(part(line)));
    let list_amount = sum(|line| line.list_amount)?;
    let discount_amount = sum(|line| line.discount_amount)?;
    let total_amount = sum(|line| line.paid_amount)?.checked_add(freight_amount)?;
    let within = list_amount <= MAX_AMOUNT && total_amount <= MAX_AMOUNT;
    within.then_some(OrderTotals { list_amount, discount_amount, freight_amount, total_amount })
}

fn paid(payments: &[PaymentForm]) -> i128 {
    payments.iter().map(|payment| i128::from(payment.amount.amount)).sum()
}

/// What the buyer of a checked order still has to pay.
pub fn due(form: &OrderForm, total_amount: i64) -> i64 {
    if form.payment_terms.is_none_or(|terms| terms.kind == PaymentTerms::Settled) {
        return 0;
    }
    let paid = i64::try_from(paid(form.payments.as_deref().unwrap_or_default())).unwrap_or(total_amount);
    total_amount.saturating_sub(paid)
}

/// What the payments of a checked order promise that was not taken yet.
pub fn authorised(form: &OrderForm) -> i64 {
    let payments = form.payments.iter().flatten().filter(|payment| !payment.status.is_captured());
    payments.fold(0, |sum, payment| sum.saturating_add(payment.amount.amount))
}

fn check_payments(form: &OrderForm, total_amount: i64) -> Result<(), Refusal> {
    let deposit = form.payment_terms.and_then(|terms| terms.deposit).map(|deposit| deposit.amount);
    if deposit.is_some_and(|deposit| !(1..total_amount).contains(&deposit)) {
        let detail = format!("is more than 0 and less than the total of {total_amount}");
        return Err(Refusal::Amounts(vec![FieldError { field: "payment_terms.deposit".to_owned(), detail }]));
    }
    let Some(payments) = &form.payments else { return Ok(()) };
    let (paid, total) = (paid(payments), i128::from(total_amount));
    if paid == total || (form.payment_terms.is_some() && paid < total) {
        return Ok(());
    }
    let detail = format!("add up to {paid}, the order to {total_amount}");
    Err(Refusal::Amounts(vec![FieldError { field: "payments".to_owned(), detail }]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn form(change: impl FnOnce(&mut Value)) -> OrderForm {
        let mut body = json!({
            "channel": "tmall", "channel_order_no": "T-1", "placed_at": "2026-11-11T00:00:00+08:00", "currency": "CNY",
            "buyer": {"identities": [{"type": "phone", "value": "+8613800000000"}]},
            "fulfilment": {"type": "ship", "ship_to": {"country": "CN", "city": "上海市"}},
            "lines": [
                {"line_no": 1, "sku": "A", "quantity": 2, "unit_price": {"amount": 1000, "currency": "CNY"}},
                {"line_no": 2, "sku": "B", "quantity": 3, "unit_price_decimal": "0.125"},
            ],
        });
        change(&mut body);
        serde_json::from_value(body).unwrap()
    }

    fn fen(amount: i64) -> Value {
        json!({"amount": amount, "currency": "CNY"})
    }

    fn fields(refused: Result<Priced, Refusal>) -> (bool, Vec<String>) {
        match refused.unwrap_err() {
            Refusal::Invalid(errors) => (false, errors.into_iter().map(|error| error.field).collect()),
            Refusal::Amounts(errors) => (true, errors.into_iter().map(|error| error.field).collect()),
        }
    }

    #[test]
    fn lines_add_up_with_discount_and_freight_shared_out() {
        // A 20.00, B 0.375 → 0.38: list 20.38. A discount of 1.00 over 2000:38 → 98.135 and 1.865 → 98 and 2.
        // Paid 1902 and 36; freight 5.00 over 1902:36 → 490.7 and 9.3 → 491 and 9.
        let priced = check(&form(|body| {
            body["discount"] = fen(100);
            body["freight"] = fen(500);
            body["payments"] = json!([{"method": "alipay", "amount": fen(2438), "reference": "p"}]);
        }))
        .unwrap();
        assert_eq!(priced.lines.iter().map(|line| line.discount_amount).collect::<Vec<_>>(), [98, 2]);
        assert_eq!(priced.lines.iter().map(|line| line.paid_amount).collect::<Vec<_>>(), [1902, 36]);
        assert_eq!(priced.lines.iter().map(|line| line.freight_amount).collect::<Vec<_>>(), [491, 9]);
        let totals = OrderTotals { list_amount: 2038, discount_amount: 100, freight_amount: 500, total_amount: 2438 };
        assert_eq!(priced.totals, totals);
    }

    #[test]
    fn payments_that_do_not_add_up_are_named() {
        let refused = check(&form(|body| body["payments"] = json!([{"method": "cash", "amount": fen(2037)}])));
        assert_eq!(fields(refused), (true, vec!["payments".to_owned()]));
    }

    #[test]
    fn a_discount_above_the_line_names_the_line() {
        let refused = check(&form(|body| body["lines"][1]["discount"] = fen(39)));
        assert_eq!(fields(refused), (true, vec!["lines[1].discount".to_owned()]));
    }

    #[test]
    fn a_free_order_still_carries_its_freight() {
        let priced = check(&form(|body| {
            body["lines"][0]["unit_price"] = fen(0);
            body["lines"][1]["unit_price_decimal"] = json!("0");
            body["freight"] = fen(5);
        }))
        .unwrap();
        assert_eq!(priced.lines.iter().map(|line| line.freight_amount).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(priced.totals.total_amount, 5);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let refused = check(&form(|body| {
            body["channel_order_no"] = json!(" ");
            body["note"] = json!("a\u{0}b");
            body["freight"] = json!({"amount": 1, "currency": "USD"});
            body["lines"][0]["channel_sku"] = json!("X");
            body["lines"][1]["unit_price_decimal"] = json!("1e3");
            body["fulfilment"]["ship_to"]["latitude"] = json!(91);
        }));
        let expected = [
            "channel_order_no",
            "note",
            "freight",
            "fulfilment.ship_to",
            "lines[0].channel_sku",
            "lines[1].unit_price_decimal",
        ];
        assert_eq!(fields(refused), (false, expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn lines_are_bounded_and_numbered_once() {
        let line = |number: usize| json!({"line_no": number, "sku": "A", "quantity": 1, "unit_price": fen(1)});
        let many = |count: usize| (1..=count).map(line).collect::<Vec<_>>();
        assert!(check(&form(|body| body["lines"] = json!(many(MAX_LINES)))).is_ok());
        assert_eq!(fields(check(&form(|body| body["lines"] = json!(many(MAX_LINES + 1))))).1, ["lines"]);
        assert_eq!(fields(check(&form(|body| body["lines"] = json!([])))).1, ["lines"]);
        assert_eq!(fields(check(&form(|body| body["lines"] = json!([line(7), line(7)])))).1, ["lines"]);
    }

    #[test]
    fn prices_are_plain_decimals() {
        for good in ["0", "2.555", "0.001", "11062.06", "12345678901234.123456789012"] {
            assert_eq!(parse_price(good).unwrap().to_string(), good);
        }
        for bad in ["", ".5", "5.", "-1", "+1", "1e3", "1,5", " 1", "0x10", "NaN", "1.1234567890123", "123456789012345"]
        {
            assert!(parse_price(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_beyond_the_limit_are_refused_not_wrapped() {
        let refused = check(&form(|body| {
            body["lines"][0]["quantity"] = json!(1_000_000_000);
            body["lines"][0]["unit_price"] = fen(MAX_AMOUNT);
        }));
        assert_eq!(fields(refused), (true, vec!["lines[0].unit_price".to_owned()]));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_adds_up(
            lines in prop::collection::vec((1_i64..100, 0_i64..1_000_000, 0_u32..4, 0_i64..101), 1..12),
            (discount_percent, coupon_percent) in (0_i64..101, 0_i64..101),
            rate in 0_i64..1_000,
            freight in 0_i64..10_000,
        ) {
            let mut net = 0;
            let mut built: Vec<Value> = lines.iter().enumerate().map(|(index, (quantity, price, scale, percent))| {
                let price = Decimal::new(*price, *scale);
                let list = line_amount(price, *quantity, Currency::CNY).unwrap();
                let own = list * percent / 100;
                net += list - own;
                json!({"line_no": index + 1, "sku": "A", "quantity": quantity, "unit_price_decimal": price.to_string(),
                    "discount": fen(own)})
            }).collect();
            let discount = net * discount_percent / 100;
            let coupon = (net - discount) * coupon_percent / 100;
            let rate = Decimal::new(rate, 3).to_string();
            built.iter_mut().for_each(|line| line["tax_rate"] = json!(rate));
            let priced = check(&form(|body| {
                body["lines"] = json!(built);
                body["discount"] = fen(discount);
                body["freight"] = fen(freight);
                body["coupons"] = json!([{"code": "A", "amount": fen(coupon / 2)}, {"code": "B", "amount": fen(coupon - coupon / 2)}]);
            })).unwrap();
            let totals = priced.totals;
            prop_assert_eq!(totals.total_amount, net - discount - coupon + freight);
            prop_assert_eq!(totals.list_amount - totals.discount_amount + totals.freight_amount, totals.total_amount);
            prop_assert_eq!(priced.lines.iter().map(|line| line.freight_amount).sum::<i64>(), freight);
            for line in &priced.lines {
                prop_assert!((0..=line.paid_amount).contains(&line.extras.tax_amount.unwrap()));
                prop_assert!(line.paid_amount >= 0 && line.discount_amount >= line.own_discount);
                prop_assert_eq!(line.list_amount - line.discount_amount, line.paid_amount);
            }
        }
    }
}
