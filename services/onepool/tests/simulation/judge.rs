//! What must be true when the month is over, worked out from what was done and not from what the services say of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::town::{INVENTORY, ORDER, Town, parts};

/// What the month came to.
#[derive(Debug, Default)]
pub struct Verdict {
    orders: usize,
    completed: usize,
    returns: usize,
    transactions: usize,
    kept_amount: i64,
    given_back_amount: i64,
    units: i64,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} orders ended, {} of them completed; {} returns; {} till transactions; {} fen kept, {} given back; {} units \
             on the shelves",
            self.orders,
            self.completed,
            self.returns,
            self.transactions,
            self.kept_amount,
            self.given_back_amount,
            self.units
        )
    }
}

type Units = BTreeMap<String, i64>;
/// The orders that each search is to find.
type Lists = BTreeMap<String, BTreeSet<String>>;

/// Judges a month that is over.
pub async fn judge(town: &mut Town) -> Verdict {
    let mut verdict = Verdict { orders: town.orders.len(), returns: town.returns.len(), ..Verdict::default() };
    let mut expected = town.stocked.clone();
    let mut lists = Lists::new();
    orders_have_ended(town, &mut verdict, &mut expected, &mut lists).await;
    searches_find_them(town, lists).await;
    returns_have_ended(town, &mut expected).await;
    tills_count_once(town, &mut verdict, &mut expected).await;
    units_are_where_they_should_be(town, &mut verdict, &expected).await;
    verdict
}

fn add(units: &mut Units, sku: &str, by: i64) {
    for (part, each) in parts(sku) {
        *units.entry(part.to_owned()).or_default() += by * each;
    }
}

fn number(it: &Value, field: &str) -> i64 {
    it[field].as_i64().unwrap_or_else(|| panic!("{field} of {it}"))
}

/// Every order is completed or cancelled, nothing of it is due, and what was paid is kept or was refunded, to the fen.
async fn orders_have_ended(town: &mut Town, verdict: &mut Verdict, expected: &mut Units, lists: &mut Lists) {
    for place in 0..town.orders.len() {
        let path = format!("/v1/orders/{}", town.orders[place].id);
        let order = town.ask(ORDER, Method::GET, &path, Value::Null).await.body;
        let status = order["status"].as_str().unwrap();
        assert!(["completed", "cancelled"].contains(&status), "order {place} has not ended: {order:#}");
        verdict.completed += usize::from(status == "completed");
        let (total, back) = (number(&order["totals"]["total_amount"], "amount"), &order["totals"]["given_back_amount"]);
        let back = number(back, "amount");
        let id = order["id"].as_str().unwrap();
        let mut found_by = |what: String| lists.entry(what).or_default().insert(id.to_owned());
        found_by(format!("status={status}"));
        found_by(format!("payment_status={}", order["payment_status"].as_str().unwrap()));
        for line in order["lines"].as_array().unwrap() {
            found_by(format!("status={status}&sku={}", line["sku"].as_str().unwrap()));
        }
        let (mut kept, mut units_kept) = (0, 0);
        for line in order["lines"].as_array().unwrap() {
            let gone = number(line, "cancelled") + number(line, "refunded");
            let (quantity, paid) = (number(line, "quantity"), number(&line["paid_amount"], "amount"));
            assert_eq!(quantity - number(line, "cancelled"), number(line, "shipped"), "{order:#}");
            // Of so many units gone, half a fen is rounded up: what is left is kept.
            kept += paid - (2 * paid * gone + quantity) / (2 * quantity);
            units_kept += quantity - gone;
            add(expected, line["sku"].as_str().unwrap(), -number(line, "shipped"));
        }
        // The freight goes back with the last unit, and where the seller was at fault, with each.
        let freight = if units_kept > 0 { number(&order["totals"]["freight_amount"], "amount") } else { 0 };
        let at_fault = |it: &Value| it["at_fault"] == "seller" && it["status"] == "refunded";
        let freight = if order["returns"].as_array().into_iter().flatten().any(at_fault) {
            let left = total - back - kept;
            assert!((0..=freight).contains(&left), "{order:#}");
            left
        } else {
            freight
        };
        assert_eq!(total, kept + freight + back, "what it costs = kept + given back: {order:#}");
        let money = |field: &str| number(&order["totals"][field], "amount");
        assert_eq!(
            (money("due_amount"), money("paid_amount")),
            (0, kept + freight + money("refunded_amount")),
            "{order:#}"
        );
        let refunds = order["refunds"].as_array().into_iter().flatten();
        let refunded: i64 = refunds.map(|it| number(&it["total_amount"], "amount")).sum();
        assert_eq!(refunded, money("refunded_amount"), "{order:#}");
        verdict.kept_amount += kept + freight;
        verdict.given_back_amount += back;
    }
}

/// Every search finds the orders that it should, and no other.
async fn searches_find_them(town: &mut Town, lists: Lists) {
    for (query, expected) in lists {
        let (mut found, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let path = format!("/v1/orders?{query}&limit=20{cursor}");
            let page = town.ask(ORDER, Method::GET, &path, Value::Null).await.body;
            found.extend(page["items"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, expected, "{query}");
    }
}

/// Every return is refunded, cancelled or lapsed, and its units went where the inspection said.
async fn returns_have_ended(town: &mut Town, expected: &mut Units) {
    for id in town.returns.clone() {
        let it = town.ask(ORDER, Method::GET, &format!("/v1/returns/{id}"), Value::Null).await.body;
        let status = it["status"].as_str().unwrap();
        assert!(["refunded", "cancelled", "lapsed"].contains(&status), "a return has not ended: {it:#}");
        if let Some(order) = it["exchange_order_id"].as_str() {
            let order = town.ask(ORDER, Method::GET, &format!("/v1/orders/{order}"), Value::Null).await.body;
            let payments = order["payments"].as_array().into_iter().flatten();
            let credited = payments.filter(|it| it["method"] == "exchange").map(|it| number(&it["amount"], "amount"));
            assert_eq!(
                it["exchange_amount"]["amount"].as_i64().unwrap_or(0),
                credited.sum::<i64>(),
                "{it:#}\n{order:#}"
            );
        }
        for line in it["lines"].as_array().unwrap() {
            for part in line["dispositions"].as_array().into_iter().flatten() {
                if part["disposition"] != "scrap" {
                    add(expected, line["sku"].as_str().unwrap(), number(part, "quantity"));
                }
            }
        }
    }
}

/// Every transaction of every till is in the book once: the day's takings are what the till took, and no number is missing.
async fn tills_count_once(town: &mut Town, verdict: &mut Verdict, expected: &mut Units) {
    for till in town.tills.clone() {
        verdict.transactions += till.written.len();
        let mut cash = 0;
        let mut voided: HashMap<i64, bool> = HashMap::new();
        for it in till.written.iter().filter(|it| it["kind"] == "void") {
            voided.insert(number(&it["voids"], "sequence"), true);
        }
        for (index, it) in till.written.iter().enumerate() {
            // A void of a void, or of what has been voided, has no effect; what is voided is as if it had not been.
            let sequence = i64::try_from(index + 1).unwrap();
            if it["kind"] == "void" || voided.contains_key(&sequence) {
                continue;
            }
            cash += it["tenders"].as_array().unwrap().iter().map(|it| number(&it["amount"], "amount")).sum::<i64>();
            for line in it["lines"].as_array().unwrap() {
                let units = number(line, "quantity");
                if units > 0 || line["disposition"] != "scrap" {
                    add(expected, line["sku"].as_str().unwrap(), -units);
                }
            }
        }
        if till.written.is_empty() {
            continue;
        }
        let path = format!("/v1/pos/days?store={}&terminal={}", till.store, till.terminal);
        let days = town.ask(ORDER, Method::GET, &path, Value::Null).await.body;
        let day = days["items"].as_array().unwrap().iter().find(|it| it["terminal"] == till.terminal).unwrap();
        assert_eq!(
            (number(day, "transactions"), &day["gaps"]),
            (i64::try_from(till.written.len()).unwrap(), &json!([]))
        );
        let received = day["tenders"].as_array().unwrap().iter().find(|it| it["method"] == "cash");
        assert_eq!(received.map_or(0, |it| number(&it["received"], "amount")), cash, "{day:#}");
    }
}

/// What is on the shelves, less what tills sold without cover, is what came less what left; nothing is promised any more.
async fn units_are_where_they_should_be(town: &mut Town, verdict: &mut Verdict, expected: &Units) {
    let proof = town.ask(INVENTORY, Method::GET, "/v1/stock/proof", Value::Null).await;
    assert_eq!(proof.body["drift"], json!([]), "{}", proof.text);
    let stock = town.ask(INVENTORY, Method::GET, "/v1/stock?limit=500", Value::Null).await.body;
    let mut there = Units::new();
    for it in stock["items"].as_array().unwrap() {
        assert_eq!(number(it, "reserved"), 0, "{it:#}");
        *there.entry(it["sku"].as_str().unwrap().to_owned()).or_default() += number(it, "on_hand") - number(it, "owed");
    }
    assert_eq!(&there, expected);
    verdict.units = there.values().sum();
    let waiting = town.ask(INVENTORY, Method::GET, "/v1/backorders", Value::Null).await;
    assert_eq!(waiting.body["items"], json!([]), "{}", waiting.text);
}
