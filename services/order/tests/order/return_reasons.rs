//! Why goods come back, and what it makes of the freight.

use contracts::events::RefundIssued;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, fen, line, order};

/// Three delivered units that 1.00 is paid for, with a freight of 0.10. The example of docs/returns.md.
async fn tea(shop: &Shop) -> String {
    let mut body = order("T-1", json!([line(1, "A", 3, 100)]));
    body["discount"] = fen(200);
    body["freight"] = fen(10);
    let id = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&id, 1, &[(1, "A", "W1", 3)])).await;
    for fulfilment in shop.fulfilments(&id).await {
        for step in ["accept", "ship", "deliver"] {
            assert_eq!(shop.act(&format!("/v1/fulfilments/{fulfilment}/{step}")).await.status, 200);
        }
    }
    id
}

/// Takes a return of one unit all the way. Its last answer.
async fn refunded(shop: &Shop, order: &str, why: Value) -> Answer {
    let mut body = json!({"order_id": order, "lines": [{"line_no": 1, "quantity": 1}]});
    body.as_object_mut().unwrap().extend(why.as_object().unwrap().clone());
    let asked = shop.post("/v1/returns", body).await;
    assert_eq!(asked.status, 201, "{}", asked.body);
    let path = |step: &str| format!("/v1/returns/{}/{step}", asked.id());
    assert_eq!(shop.act(&path("approve")).await.status, 200);
    assert_eq!(shop.post(&path("receive"), json!({"location": "S1"})).await.status, 200);
    let lines = json!({"lines": [{"position": 1, "disposition": "scrap"}]});
    assert_eq!(shop.post(&path("inspect"), lines).await.status, 200);
    shop.act(&path("refund")).await
}

/// The freight and all that went back by a return.
fn amounts(answer: &Answer) -> (&Value, &Value) {
    (&answer.body["freight_amount"], &answer.body["refund_amount"])
}

#[actix_web::test]
async fn the_sellers_fault_gives_the_freight_back_with_the_units() {
    let shop = Shop::new().await;
    let id = tea(&shop).await;
    let first = refunded(&shop, &id, json!({"reason_code": "changed_mind"})).await;
    assert_eq!(amounts(&first), (&fen(0), &fen(33)));
    assert_eq!((&first.body["at_fault"], &first.body["reason"]), (&json!("buyer"), &json!("changed_mind")));
    let second = refunded(&shop, &id, json!({"reason_code": "damaged", "reason": "the tin is bent"})).await;
    assert_eq!(amounts(&second), (&fen(4), &fen(38)));
    assert_eq!((&second.body["at_fault"], &second.body["reason"]), (&json!("seller"), &json!("the tin is bent")));
    let last = refunded(&shop, &id, json!({"reason_code": "changed_mind"})).await;
    assert_eq!(amounts(&last), (&fen(6), &fen(39)));
    let issued: Vec<RefundIssued> = told(&shop.test.store).await;
    let freight: Vec<i64> = issued.iter().map(|it| it.freight_amount).collect();
    assert_eq!(freight, [0, 4, 6]);
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn freight_that_never_goes_back_does_for_the_sellers_fault_and_no_more_than_is_left() {
    let shop = Shop::with(&[("FREIGHT_REFUND", "never")]).await;
    let id = tea(&shop).await;
    let late = json!({"freight": fen(8), "reason": "it took a month"});
    assert_eq!(shop.post(&format!("/v1/orders/{id}/refunds"), late).await.status, 200);
    // In step with the units: round(10 / 3) = 3, of which 2 are left.
    let first = refunded(&shop, &id, json!({"reason_code": "wrong_item"})).await;
    assert_eq!(amounts(&first), (&fen(2), &fen(35)));
    let second = refunded(&shop, &id, json!({"reason_code": "late"})).await;
    assert_eq!(amounts(&second), (&fen(0), &fen(34)));
    shop.assert_money_adds_up();
}

#[actix_web::test]
async fn a_return_says_why_by_a_code_or_in_words() {
    let shop = Shop::new().await;
    let id = tea(&shop).await;
    let of = |why: Value| {
        let mut body = json!({"order_id": id, "lines": [{"line_no": 1, "quantity": 1}]});
        body.as_object_mut().unwrap().extend(why.as_object().unwrap().clone());
        body
    };
    let words = shop.post("/v1/returns", of(json!({"reason": "too small"}))).await;
    assert_eq!((words.status, &words.body["reason_code"]), (201, &json!("other")), "{}", words.body);
    for nothing in [json!({}), json!({"reason_code": "other"}), json!({"reason_code": "late", "reason": " "})] {
        let refused = shop.post("/v1/returns", of(nothing)).await;
        assert_eq!((refused.code(), refused.fields()), ((422, "invalid_field"), vec!["reason"]));
    }
    let unheard = shop.post("/v1/returns", of(json!({"reason_code": "bored"}))).await;
    assert_eq!((unheard.status, unheard.fields()), (400, vec!["reason_code"]), "{}", unheard.body);
}

#[actix_web::test]
async fn an_inspection_corrects_the_reason_and_with_it_who_pays_the_freight() {
    let shop = Shop::new().await;
    let id = tea(&shop).await;
    for (said, found, freight) in [("damaged", "changed_mind", 0), ("changed_mind", "damaged", 4)] {
        let body =
            json!({"order_id": id, "lines": [{"line_no": 1, "quantity": 1}], "reason_code": said, "location": "S1"});
        let asked = shop.post("/v1/returns", body).await;
        let path = |step: &str| format!("/v1/returns/{}/{step}", asked.id());
        for step in ["approve", "receive"] {
            assert_eq!(shop.act(&path(step)).await.status, 200);
        }
        let inspection = json!({"lines": [{"position": 1, "disposition": "scrap"}], "reason_code": found});
        let inspected = shop.post(&path("inspect"), inspection).await;
        assert_eq!((inspected.status, &inspected.body["reason_code"]), (200, &json!(found)), "{}", inspected.body);
        // A third of 0.10, in step with the units: 0.03, and then 0.07 − 0.03.
        assert_eq!(shop.act(&path("refund")).await.body["freight_amount"], fen(freight));
        let history = shop.order(&id).await["history"].clone();
        let noted = format!("return inspected; its reason is {found}, not {said}");
        assert!(history.as_array().unwrap().iter().any(|it| it["what"] == noted), "{history}");
    }
    let codes: Vec<_> = told::<RefundIssued>(&shop.test.store).await.into_iter().map(|it| it.reason_code).collect();
    assert_eq!(codes, [Some("changed_mind".to_owned()), Some("damaged".to_owned())]);
    shop.assert_money_adds_up();
}
