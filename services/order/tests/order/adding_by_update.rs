//! A channel sends an order again with more units or lines: what it says more is added, and what was changed here stays.

use contracts::events::OrderChanged;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, fen, line, order};

/// Three of `A` at 10.00 and a `B` at 5.00, as the channel sends them, changed at this minute.
fn sent(minute: u32, change: impl FnOnce(&mut Value)) -> Value {
    let mut body = order("T-1", json!([line(1, "A", 3, 1000), line(2, "B", 1, 500)]));
    body["channel_updated_at"] = json!(format!("2026-11-11T00:{minute:02}:00+08:00"));
    change(&mut body);
    body
}

/// So many of `A` with a discount.
fn of_a(units: i64, discount: i64) -> impl FnOnce(&mut Value) {
    move |body| {
        body["lines"][0] = line(1, "A", units, 1000);
        body["lines"][0]["discount"] = fen(discount);
        body["freight"] = fen(200);
    }
}

/// `(number, units still wanted, paid for all that were ordered)` of each line.
fn lines(answer: &Answer) -> Vec<(i64, i64, i64)> {
    let number = |it: &Value, name: &str| it[name].as_i64().unwrap();
    let line = |it: &Value| {
        let live = number(it, "quantity") - number(it, "cancelled");
        (number(it, "line_no"), live, number(&it["paid_amount"], "amount"))
    };
    answer.body["lines"].as_array().unwrap_or_else(|| panic!("{}", answer.body)).iter().map(line).collect()
}

fn total(answer: &Answer) -> i64 {
    answer.body["totals"]["total_amount"]["amount"].as_i64().unwrap()
}

#[actix_web::test]
async fn a_channel_adds_takes_off_and_adds_again() {
    let shop = Shop::new().await;
    shop.post("/v1/orders", sent(10, |_| {})).await;
    // 35.00 become 5 × 10.00 − 1.00 + 5.00 + 2.00 freight.
    let more = shop.post("/v1/orders", sent(20, of_a(5, 100))).await;
    assert_eq!((more.status, total(&more)), (200, 5600), "{}", more.body);
    assert_eq!(lines(&more), [(1, 3, 3000), (2, 1, 500), (1_000_000_001, 2, 1900)]);
    let again = shop.post("/v1/orders", sent(20, of_a(5, 100))).await;
    assert_eq!((again.status, &again.body["version"]), (200, &more.body["version"]));
    // One of the two newest goes: 950 of 1900.
    let fewer = shop.post("/v1/orders", sent(30, of_a(4, 80))).await;
    assert_eq!(lines(&fewer), [(1, 3, 3000), (2, 1, 500), (1_000_000_001, 1, 1900)]);
    assert_eq!(fewer.body["totals"]["given_back_amount"], fen(950));
    // And comes back as another one, with 0.20 more of discount.
    let more = shop.post("/v1/orders", sent(40, of_a(5, 100))).await;
    let grown = [(1, 3, 3000), (2, 1, 500), (1_000_000_001, 1, 1900), (1_000_000_002, 1, 980)];
    assert_eq!(lines(&more), grown, "{}", more.body);
    // A line more, and one less.
    let other = shop.post(
        "/v1/orders",
        sent(50, |body| {
            of_a(5, 100)(body);
            body["lines"][1] = line(3, "CUP", 2, 700);
        }),
    );
    let other = other.await;
    let swapped = [(1, 3, 3000), (2, 0, 500), (3, 2, 1400), (1_000_000_001, 1, 1900), (1_000_000_002, 1, 980)];
    assert_eq!(lines(&other), swapped, "{}", other.body);
    assert_eq!(told::<OrderChanged>(&shop.test.store).await.iter().filter(|it| it.added.is_some()).count(), 3);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_was_added_here_is_nothing_that_the_channel_takes_back() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", sent(10, |_| {})).await.id();
    let here = json!({"lines": [{"line_no": 1, "quantity": 5}, {"line_no": 2, "quantity": 0}], "add": {"lines": [line(7, "CUP", 1, 700)]}});
    assert_eq!(shop.patch(&format!("/v1/orders/{id}"), here).await.status, 200);
    let units = |answer: &Answer| lines(answer).iter().map(|it| it.1).collect::<Vec<_>>();
    // It still says 3 of A and a B, and now a POT as well.
    let pot = |minute, units| {
        sent(minute, move |body| {
            body["lines"][0] = line(1, "A", units, 1000);
            body["lines"].as_array_mut().unwrap().push(line(4, "POT", 1, 900));
        })
    };
    assert_eq!(units(&shop.post("/v1/orders", pot(20, 3)).await), [3, 0, 1, 1, 2]);
    // It follows with the units that are here already, then asks for one more, then for two in all.
    assert_eq!(units(&shop.post("/v1/orders", pot(21, 5)).await), [3, 0, 1, 1, 2]);
    assert_eq!(units(&shop.post("/v1/orders", pot(22, 6)).await), [3, 0, 1, 1, 2, 1]);
    assert_eq!(units(&shop.post("/v1/orders", pot(23, 2)).await), [2, 0, 1, 1, 0, 0]);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_is_added_to_a_paid_order_comes_with_its_payment() {
    let shop = Shop::new().await;
    let pay = |amounts: &[(&str, i64)]| {
        let payment = |(reference, amount): &(&str, i64)| json!({"method": "alipay", "amount": fen(*amount), "reference": reference});
        json!(amounts.iter().map(payment).collect::<Vec<_>>())
    };
    let paid = |minute, units, payments: Value| {
        sent(minute, move |body| {
            body["lines"][0] = line(1, "A", units, 1000);
            body["payments"] = payments;
        })
    };
    shop.post("/v1/orders", paid(10, 3, pay(&[("p1", 3500)]))).await;
    let rewritten = shop.post("/v1/orders", paid(20, 4, pay(&[("p9", 4500)]))).await;
    assert_eq!(
        (rewritten.code(), rewritten.fields()),
        ((409, "contradiction"), vec!["payments"]),
        "{}",
        rewritten.body
    );
    let grown = shop.post("/v1/orders", paid(20, 4, pay(&[("p1", 3500), ("p2", 1000)]))).await;
    assert_eq!(
        (grown.status, total(&grown), &grown.body["payment_status"]),
        (200, 4500, &json!("paid")),
        "{}",
        grown.body
    );
    assert_eq!(grown.body["payments"].as_array().unwrap().len(), 2);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_is_added_to_an_unpaid_order_is_due() {
    let shop = Shop::new().await;
    let terms = |minute, units, payments: Value| {
        sent(minute, move |body| {
            body["lines"][0] = line(1, "A", units, 1000);
            (body["payment_terms"], body["payments"]) = (json!({"type": "prepaid"}), payments);
        })
    };
    shop.post("/v1/orders", terms(10, 3, Value::Null)).await;
    let grown = shop.post("/v1/orders", terms(20, 4, Value::Null)).await;
    assert_eq!((grown.status, &grown.body["totals"]["due_amount"]), (200, &fen(4500)), "{}", grown.body);
    let paid = json!([{"method": "card", "amount": fen(5000), "reference": "c"}]);
    let grown = shop.post("/v1/orders", terms(30, 5, paid.clone())).await;
    assert_eq!((grown.status, &grown.body["totals"]["due_amount"]), (200, &fen(500)), "{}", grown.body);
    // Fewer units and other payments at once say nothing clear.
    let both = shop.post("/v1/orders", terms(40, 4, Value::Null)).await;
    assert_eq!((both.code(), both.fields()), ((409, "contradiction"), vec!["payments"]), "{}", both.body);
    let fewer = shop.post("/v1/orders", terms(40, 4, paid)).await;
    assert_eq!(fewer.code(), (422, "amount_mismatch"), "4500 are not paid by 5000: {}", fewer.body);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_tax_of_the_whole_order_grows_by_what_it_says_more() {
    let shop = Shop::new().await;
    let taxed = |minute, units, tax| {
        sent(minute, move |body| {
            body["lines"][0] = line(1, "A", units, 1000);
            body["tax"] = fen(tax);
        })
    };
    shop.post("/v1/orders", taxed(10, 3, 350)).await;
    let grown = shop.post("/v1/orders", taxed(20, 5, 547)).await;
    assert_eq!((grown.status, &grown.body["totals"]["tax_amount"]), (200, &fen(547)), "{}", grown.body);
    assert_eq!(grown.body["lines"][2]["tax_amount"], fen(197));
    let less = shop.post("/v1/orders", taxed(30, 6, 500)).await;
    assert_eq!((less.code(), less.fields()), ((409, "contradiction"), vec!["tax"]), "{}", less.body);
}

#[actix_web::test]
async fn what_is_shared_out_once_cannot_change_with_what_is_added() {
    let shop = Shop::new().await;
    shop.post("/v1/orders", sent(10, |body| (body["freight"], body["discount"]) = (fen(300), fen(100)))).await;
    let grown = |change: fn(&mut Value)| {
        sent(20, move |body| {
            (body["freight"], body["discount"]) = (fen(300), fen(100));
            body["lines"][0] = line(1, "A", 4, 1000);
            change(body);
        })
    };
    let coupon = grown(|body| body["coupons"] = json!([{"code": "C", "amount": fen(100)}]));
    for (body, field) in [
        (coupon, "coupons"),
        (grown(|body| body["freight"] = fen(299)), "freight"),
        (grown(|body| body["discount"] = fen(99)), "discount"),
    ] {
        let refused = shop.post("/v1/orders", body).await;
        assert_eq!((refused.code(), refused.fields()), ((409, "contradiction"), vec![field]), "{}", refused.body);
    }
    let added = shop.post("/v1/orders", grown(|body| body["discount"] = fen(150))).await;
    assert_eq!((added.status, total(&added)), (200, 3400 + 300 + 950), "{}", added.body);
    shop.assert_money_adds_up();
}
