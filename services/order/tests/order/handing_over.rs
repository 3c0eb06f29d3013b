//! What a carrier takes along.

use std::time::Duration;

use actix_web::test::TestRequest;
use contracts::events::FulfilmentShipped;
use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::told;

use crate::support::{Answer, Shop, answered, code, line, order};

/// One of `A`, packed at `W1` in these parcels, `(carrier, number)`: the order and its fulfilment order.
async fn packed(shop: &Shop, number: &str, parcels: &[(&str, &str)]) -> (String, String) {
    // Lists are in the order of the offers, so each has its own moment.
    shop.test.clock.advance(Duration::from_secs(1));
    let id = shop.sourced(number, json!([line(1, "A", 1, 1000)]), &[(1, "A", "W1", 1)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
    let parcels: Vec<Value> =
        parcels.iter().map(|(carrier, no)| json!({"carrier": carrier, "tracking_no": no})).collect();
    let answer = shop.post(&format!("/v1/fulfilments/{fulfilment}/pack"), json!({"parcels": parcels})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    (id, fulfilment)
}

async fn hand_over(shop: &Shop, fulfilments: Option<&[&str]>) -> Answer {
    let mut body = json!({"location": "W1", "carrier": "SF"});
    if let Some(named) = fulfilments {
        body["fulfilments"] = json!(named);
    }
    shop.post("/v1/handover-lists", body).await
}

#[actix_web::test]
async fn what_is_packed_for_the_carrier_ships_and_is_listed() {
    let shop = Shop::new().await;
    let (one, first) = packed(&shop, "T-1", &[("SF", "1"), ("SF", "2")]).await;
    let (_, second) = packed(&shop, "T-2", &[("SF", "3")]).await;
    let (_, other) = packed(&shop, "T-3", &[("YTO", "4")]).await;
    let (_, mixed) = packed(&shop, "T-4", &[("SF", "5"), ("YTO", "6")]).await;
    let (_, unnamed) = packed(&shop, "T-5", &[]).await;
    let list = hand_over(&shop, None).await;
    assert_eq!((list.status, &list.body["parcel_count"]), (201, &json!(3)), "{}", list.body);
    let numbers: Vec<&Value> = list.body["parcels"].as_array().unwrap().iter().map(|it| &it["tracking_no"]).collect();
    assert_eq!(numbers, [&json!("1"), &json!("2"), &json!("3")]);
    assert_eq!(shop.order(&one).await["status"], "shipped");
    for (fulfilment, status) in
        [(&first, "shipped"), (&second, "shipped"), (&other, "packed"), (&mixed, "packed"), (&unnamed, "packed")]
    {
        assert_eq!(shop.get(&format!("/v1/fulfilments/{fulfilment}")).await.body["status"], status);
    }
    let events = told::<FulfilmentShipped>(&shop.test.store).await;
    assert_eq!(
        events.iter().map(|it| it.parcels.len()).collect::<Vec<_>>(),
        [2, 1],
        "with the parcels it was packed in"
    );
    assert_eq!(hand_over(&shop, None).await.code(), (409, "state_conflict"));
    // The list stays as it was handed over.
    let path = list.location.unwrap();
    let correction = json!({"parcels": [{"carrier": "SF", "tracking_no": "9", "replaces": "3"}]});
    assert_eq!(shop.post(&format!("/v1/fulfilments/{second}/tracking"), correction).await.status, 200);
    assert_eq!(shop.get(&path).await.body, list.body);
    let csv = TestRequest::get().uri(&path).insert_header(("Accept", "text/csv"));
    let csv = shop.send(&shop.claims("fulfilment:read"), csv).await;
    let rows: Vec<&str> = csv.body.as_str().unwrap().lines().collect();
    assert_eq!(rows[0], "fulfilment_id,order_id,channel_order_no,tracking_no");
    assert_eq!(rows[1], format!("{first},{one},T-1,1"));
    assert_eq!(rows.len(), 4);
}

#[actix_web::test]
async fn all_that_is_named_goes_or_nothing_does() {
    let shop = Shop::new().await;
    let (_, good) = packed(&shop, "T-1", &[("SF", "1")]).await;
    let (_, other) = packed(&shop, "T-2", &[("YTO", "2")]).await;
    let (_, unnamed) = packed(&shop, "T-3", &[]).await;
    let id = shop.sourced("T-4", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 1), (1, "A", "W2", 1)]).await;
    let [offered, elsewhere] = shop.fulfilments(&id).await.try_into().unwrap();
    let mut body = order("T-5", json!([line(1, "A", 1, 1000)]));
    body["fulfilment"] = json!({"type": "pickup", "location": "W1"});
    let pickup = shop.post("/v1/orders", body).await.id();
    shop.hear(&answered(&pickup, 1, &[(1, "A", "W1", 1)])).await;
    let [collected] = shop.fulfilments(&pickup).await.try_into().unwrap();
    let all = [good.as_str(), &other, &unnamed, &offered, &elsewhere, &collected, &good, &id];
    let refused = hand_over(&shop, Some(&all)).await;
    let fields: Vec<String> = (1..8).map(|index| format!("fulfilments[{index}]")).collect();
    assert_eq!(
        (refused.code(), refused.fields()),
        ((422, "invalid_field"), fields.iter().map(String::as_str).collect())
    );
    let details: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().map(|it| it["detail"].as_str().unwrap()).collect();
    let expected = [
        "goes with YTO in parcel 2",
        "was packed without naming its parcels",
        "is offered, not packed",
        "is not a fulfilment order of W1",
        "is collected by the buyer",
        "is named twice",
        "is not a fulfilment order of W1",
    ];
    assert_eq!(details, expected);
    assert_eq!(shop.get(&format!("/v1/fulfilments/{good}")).await.body["status"], "packed");
    assert_eq!(hand_over(&shop, Some(&[&good])).await.status, 201);
    assert_eq!(hand_over(&shop, Some(&[])).await.fields(), ["fulfilments"]);
}

#[actix_web::test]
async fn what_was_cancelled_after_packing_does_not_leave() {
    let shop = Shop::new().await;
    let id = shop.sourced("T-1", json!([line(1, "A", 2, 1000)]), &[(1, "A", "W1", 2)]).await;
    let [fulfilment] = shop.fulfilments(&id).await.try_into().unwrap();
    shop.act(&format!("/v1/fulfilments/{fulfilment}/accept")).await;
    let parcel = |units: i64| json!({"parcels": [{"carrier": "SF", "tracking_no": "1", "lines": [{"line_no": 1, "quantity": units}]}]});
    assert_eq!(
        shop.post(&format!("/v1/fulfilments/{fulfilment}/pack"), parcel(3)).await.fields(),
        ["parcels[0].lines[0]"]
    );
    assert_eq!(shop.post(&format!("/v1/fulfilments/{fulfilment}/pack"), parcel(2)).await.status, 200);
    shop.post(&format!("/v1/orders/{id}/cancel"), json!({"lines": [{"line_no": 1, "quantity": 1}]})).await;
    assert_eq!(hand_over(&shop, Some(&[&fulfilment])).await.fields(), ["fulfilments[0]"]);
    assert_eq!(shop.post(&format!("/v1/fulfilments/{fulfilment}/ship"), parcel(1)).await.status, 200);
}

#[actix_web::test]
async fn a_list_is_its_locations_own_and_a_parcel_is_on_one_list() {
    let shop = Shop::new().await;
    let (_, fulfilment) = packed(&shop, "T-1", &[("SF", "1")]).await;
    let mut elsewhere = shop.claims("fulfilment:*");
    elsewhere.locations = Some([code("S1")].into());
    let body = json!({"location": "W1", "carrier": "SF"});
    let create = TestRequest::post().uri("/v1/handover-lists").set_json(&body);
    assert_eq!(shop.send(&elsewhere, create).await.status, 403);
    let named = [fulfilment.as_str()];
    let answers = join_all([None, Some(&named[..]), None, Some(&named[..])].map(|it| hand_over(&shop, it))).await;
    let lists: Vec<&Answer> = answers.iter().filter(|it| it.status == 201).collect();
    assert_eq!(lists.len(), 1, "{answers:?}");
    assert_eq!(told::<FulfilmentShipped>(&shop.test.store).await.len(), 1);
    let path = lists[0].location.clone().unwrap();
    assert_eq!(shop.send(&elsewhere, TestRequest::get().uri(&path)).await.status, 403);
    let nobody = "/v1/handover-lists/01935f00-0000-7000-8000-000000000001";
    assert_eq!(shop.get(nobody).await.status, 404);
}
