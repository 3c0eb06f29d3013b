use crate::support::*;
use serde_json::json;
use std::time::Instant;

#[actix_web::test]
async fn bench() {
    let pool = Pool::new().await;
    let skus: Vec<_> = (0..1000).map(|n| sku(&format!("K{n:04}"), 1, &[])).collect();
    pool.service.hear(&skus).await.unwrap();
    let locs: String = (0..300).map(|n| format!("{}\n", json!({"code": format!("L{n:03}"), "name":"x","kind":"store","latitude": 20.0 + (n%17) as f64, "longitude": 100.0 + (n%23) as f64}))).collect();
    let claims = pool.service.credentials.claims("erp", "*");
    pool.service
        .send_as(&claims, actix_web::test::TestRequest::post().uri("/v1/locations/import").set_payload(locs))
        .await;
    let t = Instant::now();
    let stock: String = (0..100_000)
        .map(|n| {
            format!(
                "{}\n",
                json!({"sku": format!("K{:04}", n%1000), "location": format!("L{:03}", (n/1000)*3), "on_hand": 100000})
            )
        })
        .collect();
    let r = pool
        .service
        .send_as(&claims, actix_web::test::TestRequest::post().uri("/v1/stock/import").set_payload(stock))
        .await;
    println!("import 100k {:?} {}", t.elapsed(), &r.text[..200]);
    let mut all = Vec::new();
    for batch in 0..20 {
        let orders: Vec<_> = (0..300)
            .map(|n| {
                let a = format!("K{:04}", (batch * 31 + n * 7) % 1000);
                let b = format!("K{:04}", (batch * 17 + n * 13 + 500) % 1000);
                let mut o = order(&[(a.as_str(), 1), (b.as_str(), 2)]);
                o.fulfilment.destination.as_mut().unwrap().point =
                    Some(kernel::GeoPoint::new(20.0 + (n % 19) as f64, 100.0 + (n % 29) as f64).unwrap());
                o
            })
            .collect();
        let t = Instant::now();
        pool.service.hear(&orders).await.unwrap();
        println!("batch {batch} {:?}", t.elapsed());
        all.extend(orders);
    }
    let t = Instant::now();
    let n = pool.service.test.store.read("x", |tx| inventory::store::proof::whole(tx, None)).await.unwrap();
    println!("proof {:?} {n:?}", t.elapsed());
}
