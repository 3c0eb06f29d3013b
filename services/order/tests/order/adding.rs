//! Units and lines are added to an order in the book: priced as those of a new order, paid, sourced by themselves.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use contracts::events::{OrderChanged, OrderPlaced, OrderTotals, PaymentReceived, RefundIssued};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use testkit::told;

use crate::held_intake::in_force;
use crate::support::{Answer, Shop, answered, fen, line, order, sku};

async fn patch(shop: &Shop, id: &str, body: Value) -> Answer {
    shop.patch(&format!("/v1/orders/{id}"), body).await
}

/// `(number, extended line, units, discount, paid, freight)` of each line.
fn lines(body: &Value) -> Vec<(i64, Option<i64>, i64, i64, i64, i64)> {
    let line = |it: &Value| {
        let amount = |name: &str| it[name]["amount"].as_i64().unwrap();
        let units = it["quantity"].as_i64().unwrap() - it["cancelled"].as_i64().unwrap();
        let (number, extends) = (it["line_no"].as_i64().unwrap(), it["extends"].as_i64());
        (number, extends, units, amount("discount_amount"), amount("paid_amount"), amount("freight_amount"))
    };
    body["lines"].as_array().unwrap().iter().map(line).collect()
}

fn total(body: &Value, name: &str) -> i64 {
    body["totals"][name]["amount"].as_i64().unwrap()
}

#[actix_web::test]
async fn more_units_and_new_lines_are_lines_of_their_own_and_sourced_by_themselves() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    // B costs 5.00 − 1.00, three more of A 30.00. 0.60 over 400:3000 → 7.06 and 52.94 → 7 and 53; 3.00 of freight over
    // 393:2947 → 35.3 and 264.7 → 35 and 265.
    let mut new = line(2, "B", 1, 500);
    new["discount"] = fen(100);
    let body = json!({
        "lines": [{"line_no": 1, "quantity": 5}],
        "add": {"lines": [new], "freight": fen(300), "discount": fen(60)},
        "reason": "the buyer called",
    });
    let grown = patch(&shop, &id, body).await;
    assert_eq!((grown.status, &grown.body["status"]), (200, &json!("sourcing")), "{}", grown.body);
    let extension = (1_000_000_001, Some(1), 3, 53, 2947, 265);
    assert_eq!(lines(&grown.body), [(1, None, 2, 0, 2000, 0), (2, None, 1, 107, 393, 35), extension]);
    assert_eq!(
        ["list_amount", "discount_amount", "freight_amount", "total_amount"].map(|it| total(&grown.body, it)),
        [5500, 160, 300, 5640]
    );
    let [told]: [OrderChanged; 1] = told(&shop.test.store).await.try_into().unwrap();
    let added = told.added.unwrap();
    assert_eq!((told.fields, told.version), (vec!["lines".to_owned()], grown.body["version"].as_i64().unwrap()));
    let units: Vec<_> = added.lines.iter().map(|it| (it.line_no, it.sku.as_str(), it.quantity.get())).collect();
    assert_eq!(units, [(2, "B", 1), (1_000_000_001, "A", 3)]);
    let totals = OrderTotals { list_amount: 3500, discount_amount: 160, freight_amount: 300, total_amount: 3640 };
    assert_eq!((added.totals, added.channel.as_str(), added.currency.code()), (totals, "tmall", "CNY"));
    shop.hear(&answered(&id, 2, &[(2, "B", "W2", 1), (1_000_000_001, "A", "W1", 3)])).await;
    let sourced = shop.order(&id).await;
    assert_eq!((&sourced["status"], sourced["fulfilments"].as_array().unwrap().len()), (&json!("sourced"), 3));
    assert!(sourced["history"].as_array().unwrap().iter().any(|it| it["reason"] == "the buyer called"));
    // Fewer units are the newest first: three at 2947, then one at 1000.
    let fewer = patch(&shop, &id, json!({"lines": [{"line_no": 1, "quantity": 1}]})).await;
    let left: Vec<_> = lines(&fewer.body).iter().map(|it| it.2).collect();
    assert_eq!((left, total(&fewer.body, "given_back_amount")), (vec![1, 1, 0], 3947));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn an_answer_on_its_way_leaves_what_was_added_to_the_next_one() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 2, 1000)])).await;
    assert_eq!(patch(&shop, &id, json!({"add": {"lines": [line(2, "B", 1, 500)]}})).await.status, 200);
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 2)])).await;
    assert_eq!(shop.order(&id).await["status"], "sourcing");
    shop.hear(&answered(&id, 2, &[(2, "B", "W1", 1)])).await;
    assert_eq!(shop.order(&id).await["status"], "sourced");
}

#[actix_web::test]
async fn what_is_picked_stays_and_what_has_left_gets_nothing_more() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [first] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "pick"] {
        shop.act(&format!("/v1/fulfilments/{first}/{step}")).await;
    }
    let grown = patch(&shop, &id, json!({"lines": [{"line_no": 1, "quantity": 3}]})).await;
    assert_eq!(
        (&grown.body["status"], &grown.body["fulfilments"][0]["status"]),
        (&json!("fulfilling"), &json!("picked"))
    );
    shop.act(&format!("/v1/fulfilments/{first}/ship")).await;
    assert_eq!(shop.order(&id).await["status"], "fulfilling", "the third is on no shelf yet");
    shop.hear(&answered(&id, 2, &[(1_000_000_001, "A", "S1", 1)])).await;
    let [second, _] = shop.fulfilments(&id).await.try_into().unwrap();
    for step in ["accept", "ship"] {
        assert_eq!(shop.act(&format!("/v1/fulfilments/{second}/{step}")).await.status, 200);
    }
    assert_eq!(shop.order(&id).await["status"], "shipped");
    let late = patch(&shop, &id, json!({"lines": [{"line_no": 1, "quantity": 4}], "note": "one more"})).await;
    assert_eq!(late.code(), (409, "state_conflict"), "{}", late.body);
    assert_eq!(shop.order(&id).await.get("note"), None, "all of it or nothing");
}

/// Two of `A` at 10.00, paid.
fn paid() -> Value {
    let mut body = order("T-1", json!([line(1, "A", 2, 1000)]));
    body["payments"] = json!([{"method": "alipay", "amount": fen(2000), "reference": "p1"}]);
    body
}

fn card(amount: i64, reference: &str) -> Value {
    json!([{"method": "card", "amount": fen(amount), "reference": reference}])
}

#[actix_web::test]
async fn what_is_added_to_a_paid_order_is_paid_with_it() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", paid()).await.id();
    let add = |payments: Value| json!({"add": {"lines": [line(2, "B", 1, 500)], "payments": payments}});
    for (payments, field) in [
        (json!([]), "add.payments"),
        (card(400, "c1"), "add.payments"),
        (card(600, "c1"), "add.payments"),
        (json!([{"method": "alipay", "amount": fen(500), "reference": "p1"}]), "add.payments[0].reference"),
        (json!([{"method": "exchange", "amount": fen(500)}]), "add.payments[0].method"),
    ] {
        let refused = patch(&shop, &id, add(payments)).await;
        assert_eq!((refused.status, refused.fields()), (422, vec![field]), "{}", refused.body);
    }
    let grown = patch(&shop, &id, add(card(500, "c1"))).await;
    assert_eq!((grown.status, &grown.body["payment_status"]), (200, &json!("paid")), "{}", grown.body);
    assert_eq!((total(&grown.body, "paid_amount"), total(&grown.body, "due_amount")), (2500, 0));
    let [told]: [PaymentReceived; 1] = told(&shop.test.store).await.try_into().unwrap();
    assert_eq!((told.sequence, told.amount, told.due_amount), (2, 500, 0));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_swap_costs_the_difference_and_no_more_is_refunded_than_that() {
    let shop = Shop::new().await;
    let id = shop.post("/v1/orders", paid()).await.id();
    // 10.00 come off and 15.00 come on: 5.00 are to be paid.
    let dearer = |payments: Value| {
        let add = json!({"lines": [line(2, "B", 3, 500)], "payments": payments});
        json!({"lines": [{"line_no": 1, "quantity": 1}], "add": add})
    };
    assert_eq!(patch(&shop, &id, dearer(json!([]))).await.fields(), ["add.payments"]);
    let swapped = patch(&shop, &id, dearer(card(500, "c1"))).await;
    assert_eq!((swapped.status, &swapped.body["payment_status"]), (200, &json!("paid")), "{}", swapped.body);
    assert_eq!(["paid_amount", "refunded_amount", "due_amount"].map(|it| total(&swapped.body, it)), [2500, 0, 0]);
    assert_eq!(told::<RefundIssued>(&shop.test.store).await, []);
    // 15.00 come off and 5.00 come on: 10.00 go back.
    let cheaper = json!({"lines": [{"line_no": 2, "quantity": 0}], "add": {"lines": [line(3, "B", 1, 500)]}});
    let swapped = patch(&shop, &id, cheaper).await;
    assert_eq!(swapped.body["payment_status"], "partially_refunded", "{}", swapped.body);
    assert_eq!(["paid_amount", "refunded_amount", "due_amount"].map(|it| total(&swapped.body, it)), [2500, 1000, 0]);
    // What has gone back is paid anew where more is added.
    let more = json!({"add": {"lines": [line(4, "B", 1, 500)], "payments": card(500, "c2")}});
    let grown = patch(&shop, &id, more).await;
    assert_eq!(["paid_amount", "refunded_amount", "due_amount"].map(|it| total(&grown.body, it)), [3000, 1000, 0]);
    // A swap that cannot be made leaves everything as it was.
    let [fulfilment] = {
        shop.hear(&answered(&id, 1, &[(1, "A", "W1", 1)])).await;
        shop.fulfilments(&id).await.try_into().unwrap()
    };
    for step in ["accept", "ship"] {
        shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await;
    }
    let shipped = json!({"lines": [{"line_no": 1, "quantity": 0}], "add": {"lines": [line(5, "B", 2, 500)]}});
    assert_eq!(patch(&shop, &id, shipped).await.code(), (409, "state_conflict"));
    assert_eq!(shop.order(&id).await["lines"].as_array().unwrap().len(), 4);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn what_is_added_to_an_order_that_is_not_paid_is_due_with_it() {
    for terms in ["prepaid", "on_delivery"] {
        let shop = Shop::new().await;
        let mut body = order("T-1", json!([line(1, "A", 2, 100)]));
        body["payment_terms"] = json!({"type": terms});
        let id = shop.post("/v1/orders", body).await.id();
        shop.hear(&answered(&id, 1, &[(1, "A", "W1", 2)])).await;
        let pay_by = shop.order(&id).await["pay_by"].clone();
        let add =
            |number, payments: Value| json!({"add": {"lines": [line(number, "B", 1, 100)], "payments": payments}});
        let grown = patch(&shop, &id, add(2, json!([]))).await;
        assert_eq!((total(&grown.body, "due_amount"), &grown.body["pay_by"]), (300, &pay_by), "{}", grown.body);
        let refused = patch(&shop, &id, add(3, card(401, "c1"))).await;
        assert_eq!((refused.status, refused.fields()), (422, vec!["add.payments"]), "{}", refused.body);
        let grown = patch(&shop, &id, add(3, card(150, "c1"))).await;
        assert_eq!((total(&grown.body, "due_amount"), &grown.body["payment_status"]), (250, &json!("partially_paid")));
        shop.hear(&answered(&id, 2, &[(2, "B", "W1", 1), (3, "B", "W1", 1)])).await;
        let waits = if terms == "prepaid" { "waiting" } else { "offered" };
        assert_eq!(shop.order(&id).await["fulfilments"][1]["status"], waits);
        let rest = json!({"method": "alipay", "amount": fen(250)});
        let paid = shop.post(&format!("/v1/orders/{id}/payments"), rest).await;
        assert_eq!(
            (&paid.body["payment_status"], &paid.body["fulfilments"][1]["status"]),
            (&json!("paid"), &json!("offered"))
        );
        shop.assert_money_adds_up();
    }
}

#[actix_web::test]
async fn whoever_was_not_told_of_an_order_is_told_of_all_its_lines() {
    let shop = Shop::new().await;
    in_force(&shop, &[("large", "large order", json!({"amount": {"currency": "CNY", "at_least": 2000}}))]).await;
    let id = shop.placed("T-1", json!([line(1, "A", 2, 1000)])).await;
    let grown = patch(&shop, &id, json!({"add": {"lines": [line(2, "B", 1, 500)]}})).await;
    assert_eq!((grown.status, &grown.body["status"]), (200, &json!("held")), "{}", grown.body);
    assert_eq!(told::<OrderChanged>(&shop.test.store).await, []);
    assert_eq!(shop.act(&format!("/v1/orders/{id}/release")).await.status, 200);
    let [placed]: [OrderPlaced; 1] = told(&shop.test.store).await.try_into().unwrap();
    let units: Vec<_> = placed.lines.iter().map(|it| (it.line_no, it.sku.as_str(), it.paid_amount)).collect();
    assert_eq!((units, placed.totals.total_amount), (vec![(1, "A", 2000), (2, "B", 500)], 2500));
}

#[actix_web::test]
async fn what_cannot_be_added_is_refused_by_field() {
    let shop = Shop::new().await;
    let mut gift = line(2, "B", 1, 0);
    gift["gift"] = json!(true);
    let id = shop.placed("T-1", json!([line(1, "A", 2, 1000), gift])).await;
    let gift_with = |with: i32| {
        let mut gift = line(3, "B", 1, 0);
        (gift["gift"], gift["gift_with"]) = (json!(true), json!(with));
        json!({"lines": [gift]})
    };
    let mut dollars = line(3, "B", 1, 500);
    dollars["unit_price"]["currency"] = json!("USD");
    for (add, field) in [
        (json!({"lines": [line(1, "B", 1, 500)]}), "add.lines[0].line_no"),
        (json!({"lines": [line(3, "B", 1, 500), line(4, "X", 1, 500)]}), "add.lines[1].sku"),
        (json!({"lines": [line(1_000_000_001, "B", 1, 500)]}), "add.lines[0].line_no"),
        (json!({"lines": [line(3, "B", 1, 500), line(3, "A", 1, 500)]}), "add.lines"),
        (json!({"lines": [dollars]}), "add.lines[0].unit_price"),
        (json!({"lines": [line(3, "B", 1, 500)], "discount": fen(501)}), "add.discount"),
        (json!({"lines": [line(3, "B", 1, 500)], "freight": fen(-1)}), "add.freight"),
        (json!({"lines": [line(3, "B", 1, 500)], "freight": {"amount": 1, "currency": "USD"}}), "add.freight"),
        (json!({"lines": [line(3, "B", 1, 500)], "payments": card(500, "c")}), "add.payments"),
        (json!({"freight": fen(100)}), "add.lines"),
        (gift_with(7), "add.lines[0].gift_with"),
        (gift_with(2), "add.lines[0].gift_with"),
    ] {
        let refused = patch(&shop, &id, json!({"add": add})).await;
        assert_eq!((refused.status, refused.fields()), (422, vec![field]), "{}", refused.body);
    }
    assert_eq!(patch(&shop, &id, json!({"add": gift_with(1)})).await.status, 200);
    // More units of a line are named by it, fewer also by the line that extends it; not by both at once.
    assert_eq!(patch(&shop, &id, json!({"lines": [{"line_no": 1, "quantity": 3}]})).await.status, 200);
    let extension = 1_000_000_001;
    let more = json!([{"line_no": extension, "quantity": 2}]);
    assert_eq!(patch(&shop, &id, json!({"lines": more})).await.fields(), ["lines[0].quantity"]);
    let both = json!([{"line_no": 1, "quantity": 2}, {"line_no": extension, "quantity": 0}]);
    assert_eq!(patch(&shop, &id, json!({"lines": both})).await.fields(), ["lines[1].line_no"]);
    let fewer = patch(&shop, &id, json!({"lines": [{"line_no": extension, "quantity": 0}]})).await;
    assert_eq!(lines(&fewer.body).iter().map(|it| it.2).collect::<Vec<_>>(), [2, 1, 1, 0]);
    // What is no longer sold is not sold more.
    let mut withdrawn = sku("A", &[]);
    (withdrawn.status, withdrawn.version) = (contracts::events::SkuStatus::Inactive, 2);
    shop.hear(&withdrawn).await;
    let refused = patch(&shop, &id, json!({"lines": [{"line_no": 1, "quantity": 3}]})).await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["lines[0].line_no"]), "{}", refused.body);
}

#[actix_web::test]
async fn taxes_and_gifts_follow_the_line_that_gets_more_units() {
    let shop = Shop::new().await;
    let mut taxed = line(1, "A", 2, 1000);
    taxed["tax_rate"] = json!("0.1");
    let mut gift = line(2, "B", 2, 300);
    (gift["gift"], gift["discount"], gift["gift_with"]) = (json!(true), fen(600), json!(1));
    let mut told = line(3, "CUP", 1, 1000);
    told["tax_amount"] = fen(90);
    let mut body = order("T-1", json!([taxed, gift, told]));
    body["prices_include_tax"] = json!(false);
    let id = shop.post("/v1/orders", body).await.id();
    // One more at 10.00 and 10 % on top; one more gift for nothing.
    let wanted = json!({"lines": [{"line_no": 1, "quantity": 3}, {"line_no": 2, "quantity": 3}]});
    let grown = patch(&shop, &id, wanted).await;
    assert_eq!(grown.status, 200, "{}", grown.body);
    let [.., more, given] = grown.body["lines"].as_array().unwrap().as_slice() else { panic!("{}", grown.body) };
    assert_eq!((&more["added_tax_amount"], &more["paid_amount"]), (&fen(100), &fen(1100)));
    assert_eq!((&given["gift"], &given["gift_with"], &given["paid_amount"]), (&json!(true), &json!(1), &fen(0)));
    assert_eq!(total(&grown.body, "added_tax_amount"), 200 + 90 + 100);
    let refused = patch(&shop, &id, json!({"lines": [{"line_no": 3, "quantity": 2}]})).await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["lines[0].quantity"]), "{}", refused.body);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn an_order_is_found_by_what_was_added() {
    let shop = Shop::new().await;
    let id = shop.placed("T-1", json!([line(1, "A", 2, 1000)])).await;
    shop.run_job("fold_moves").await;
    for (number, name) in [(2, "B"), (3, "CUP")] {
        assert_eq!(patch(&shop, &id, json!({"add": {"lines": [line(number, name, 1, 500)]}})).await.status, 200);
        for _ in 0..2 {
            let found = shop.get(&format!("/v1/orders?sku={name}")).await.body;
            assert_eq!(found["items"].as_array().unwrap().len(), 1, "{name}");
            shop.run_job("fold_moves").await;
        }
    }
    let counts = shop.get("/v1/orders/counts").await.body;
    assert_eq!(counts["orders"], 1, "{counts}");
}

#[actix_web::test]
async fn the_same_wish_at_once_is_granted_once() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let replica = shop.replica();
    let uri = format!("/v1/orders/{id}");
    let send = |place: usize, body: Value| {
        let request = TestRequest::default().method(Method::PATCH).uri(&uri).set_json(body);
        let (shop, replica, claims) = (&shop, &replica, shop.claims("*"));
        async move { shop.send_to(if place.is_multiple_of(2) { &shop.site } else { replica }, &claims, request).await }
    };
    let more = join_all((0..8).map(|place| send(place, json!({"lines": [{"line_no": 1, "quantity": 5}]})))).await;
    assert!(more.iter().all(|it| it.status == 200), "{more:?}");
    let add = join_all((0..8).map(|place| send(place, json!({"add": {"lines": [line(2, "B", 1, 500)]}})))).await;
    let granted = add.iter().filter(|it| it.status == 200).count();
    assert_eq!((granted, add.iter().filter(|it| it.status == 422).count()), (1, 7), "{add:?}");
    let units: Vec<_> = lines(&shop.order(&id).await).iter().map(|it| it.2).collect();
    assert_eq!((units, told::<OrderChanged>(&shop.test.store).await.len()), (vec![2, 1, 3], 2));
}

#[actix_web::test]
async fn an_addition_that_races_a_shipment_comes_before_it_or_not_at_all() {
    for round in 0..5 {
        let shop = Shop::new().await;
        let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
        let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
        shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
        let ship = format!("/v1/fulfilments/{fulfilment}/ship");
        let (grown, shipped) =
            join(patch(&shop, &id, json!({"lines": [{"line_no": 1, "quantity": 3}]})), shop.act(&ship)).await;
        assert_eq!(shipped.status, 200, "{round}: {}", shipped.body);
        let order = shop.order(&id).await;
        let expected = match grown.status {
            200 => ("fulfilling", 2),
            409 => ("shipped", 1),
            status => panic!("{round}: {status}"),
        };
        assert_eq!((order["status"].as_str().unwrap(), order["lines"].as_array().unwrap().len()), expected, "{round}");
    }
}
