//! What tills are told: everything once, then what changed, and no change missed.

use std::collections::BTreeSet;

use contracts::events::SkuStatus;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Shop, channel, sku};

async fn page(shop: &Shop, cursor: Option<&str>, limit: i64) -> (Vec<String>, String, bool, Value) {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let body = shop.get(&format!("/v1/pos/feed?store=S1&limit={limit}{cursor}")).await.body;
    let code = |it: &Value| it["sku"].as_str().or(it["channel"].as_str()).unwrap().to_owned();
    let codes = body["items"].as_array().unwrap().iter().map(code).collect();
    (codes, body["cursor"].as_str().unwrap().to_owned(), body["more"].as_bool().unwrap(), body["items"].clone())
}

#[actix_web::test]
async fn a_new_till_gets_everything_and_then_what_changes() {
    let shop = Shop::new().await;
    let (codes, cursor, more, items) = page(&shop, None, 500).await;
    assert_eq!((codes.join(" ").as_str(), more), ("tmall till A B CUP POT SET", false));
    assert_eq!(
        items[0],
        json!({"kind": "channel", "channel": "tmall", "name": "tmall", "currency": "CNY", "active": true})
    );
    let parts = json!([{"sku": "CUP", "quantity": 2}, {"sku": "POT", "quantity": 1}]);
    let set =
        json!({"kind": "sku", "sku": "SET", "name": "SET", "category": "tea", "active": true, "components": parts});
    assert_eq!(items[6], set);
    let (codes, same, _, _) = page(&shop, Some(&cursor), 500).await;
    assert_eq!((codes.len(), &same), (0, &cursor));
    let mut gone = sku("B", &[]);
    (gone.version, gone.status) = (2, SkuStatus::Inactive);
    shop.hear(&gone).await;
    shop.hear(&channel("tmall", "CNY", 2)).await;
    shop.hear(&sku("A", &[])).await;
    let (codes, _, _, items) = page(&shop, Some(&cursor), 500).await;
    assert_eq!((codes.join(" ").as_str(), &items[0]["active"]), ("B tmall", &json!(false)));
}

#[actix_web::test]
async fn what_changes_while_a_till_reads_is_told_at_the_end() {
    let shop = Shop::new().await;
    let (first, cursor, more, _) = page(&shop, None, 3).await;
    assert_eq!((first.join(" ").as_str(), more), ("tmall till A", true));
    let mut changed = sku("A", &[]);
    changed.version = 2;
    shop.hear(&changed).await;
    let (second, cursor, more, _) = page(&shop, Some(&cursor), 3).await;
    assert_eq!((second.join(" ").as_str(), more), ("B CUP POT", true));
    let (third, _, more, _) = page(&shop, Some(&cursor), 3).await;
    assert_eq!((third.join(" ").as_str(), more), ("SET A", false));
}

#[actix_web::test]
async fn things_known_from_before_there_was_a_feed_are_in_the_snapshot() {
    let shop = Shop::new().await;
    shop.test.database.execute("UPDATE \"order\".known_skus SET feed_position = 0, name = NULL");
    shop.test.database.execute("UPDATE \"order\".known_channels SET feed_position = 0, name = NULL");
    let mut seen = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let (codes, next, more, _) = page(&shop, cursor.as_deref(), 2).await;
        seen.extend(codes);
        cursor = Some(next);
        if !more {
            break;
        }
    }
    assert_eq!(seen.join(" "), "till tmall A B CUP POT SET");
}

#[actix_web::test]
async fn a_reader_misses_nothing_while_many_write_at_once() {
    let shop = Shop::new().await;
    let names: Vec<String> = (0..40).map(|number| format!("N{number}")).collect();
    let write = join_all(names.iter().map(|name| {
        let shop = &shop;
        async move { shop.hear(&sku(name, &[])).await }
    }));
    let read = async {
        let (mut seen, mut cursor) = (BTreeSet::new(), None::<String>);
        while seen.len() < 47 {
            let (codes, next, _, _) = page(&shop, cursor.as_deref(), 5).await;
            seen.extend(codes);
            cursor = Some(next);
        }
        seen
    };
    let (_, seen) = futures_util::future::join(write, read).await;
    assert!(names.iter().all(|name| seen.contains(name)));
}

#[actix_web::test]
async fn a_till_is_told_of_the_channels_it_may_see_and_stores_must_be_known() {
    let shop = Shop::new().await;
    let mut bound = shop.claims("pos:read");
    bound.channels = Some([crate::support::code("till")].into());
    let get = |path: &str| actix_web::test::TestRequest::get().uri(path);
    let body = shop.send(&bound, get("/v1/pos/feed?store=S1")).await.body;
    assert_eq!(body["items"][0]["channel"], "till");
    assert_eq!(body["items"].as_array().unwrap().len(), 6);
    assert_eq!(shop.get("/v1/pos/feed?store=S9").await.code(), (422, "unknown_reference"));
    assert_eq!(shop.get("/v1/pos/feed?store=S1&cursor=x").await.status, 400);
}
